//! A small model of settlement, which payment does not see: a chain of lines of the shop, each standing on the one
//! before. Tests settle by it, call by call, as settlement's steps do.

use crate::{Pay, shop};
use contract::{
    Caller,
    peers::{FinishedGroup, Manifest, ManifestName, ManifestOrder, ManifestPage, ManifestRow},
    problem::Problem,
};
use kernel::{Id, SeoulDay, Timestamp, id::SettlementId};
use serde_json::{Value, json};

/// What one run settles with the shop.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub order: ManifestOrder,
    pub settlement_id: SettlementId,
    pub recorded_at: Timestamp,
    pub manifest: Manifest,
}

/// The shop's lines, the first first.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    pub lines: Vec<Line>,
}

impl Chain {
    /// Whether a day is not covered yet.
    pub fn is_after(&self, day: &str) -> bool {
        self.lines.last().is_none_or(|line| line.order.name.through.as_str() < day)
    }

    /// What the next line asks for: the days of the line before are looked through again from its last but one, and
    /// what lines that reach these days have is left out.
    pub fn order(&self, registered: &SeoulDay, through: &SeoulDay) -> ManifestOrder {
        let previous = self.lines.last().map(|line| line.order.name.through.plus_days(-1));
        let from = previous.unwrap_or_else(|| registered.clone()).max(registered.plus_days(-1));
        let names = self.lines.iter().map(|line| &line.order.name);
        let settled: Vec<ManifestName> = names.filter(|name| name.through >= from).cloned().collect();
        let sequence = u64::try_from(self.lines.len()).unwrap() + 1;
        let name = ManifestName { sequence, through: through.clone() };
        ManifestOrder { franchise_id: shop(), name, from, settled }
    }

    /// The line that an order becomes.
    pub fn line(order: ManifestOrder, manifest: Manifest, recorded_at: Timestamp) -> Line {
        let sequence = order.name.sequence.to_string();
        let settlement_id = Id::derive(&["settlement", &shop().to_string(), &sequence]);
        Line { order, settlement_id, recorded_at, manifest }
    }

    /// Settles all days through this one.
    pub async fn settle(&mut self, pay: &Pay, through: SeoulDay) -> Line {
        let registered = events::example_time().business_day();
        let order = self.order(&registered, &through);
        let manifest = collect(pay, &order).await;
        let line = Chain::line(order, manifest, pay.now());
        finish(pay, &line).await.unwrap();
        self.lines.push(line.clone());
        line
    }
}

/// Settles everything until now, in the shop's first settlement.
pub async fn settle_today(pay: &Pay) -> Line {
    Chain::default().settle(pay, pay.now().business_day()).await
}

pub fn settlement() -> Caller {
    Caller::Service("settlement.collectPayments".to_owned())
}

/// Collects a manifest to its end.
pub async fn collect(pay: &Pay, order: &ManifestOrder) -> Manifest {
    for _ in 0..10_000 {
        let manifest = collect_once(pay, order).await.unwrap();
        if manifest.complete {
            return manifest;
        }
    }
    panic!("the manifest never comes to its end");
}

pub async fn collect_once(pay: &Pay, order: &ManifestOrder) -> Result<Manifest, Problem> {
    let answer = pay.bench.call("collectManifest", settlement(), json!(order)).await?;
    Ok(serde_json::from_value(answer.body).unwrap())
}

pub fn group(line: &Line) -> FinishedGroup {
    FinishedGroup {
        franchise_id: shop(),
        name: line.order.name.clone(),
        settlement_id: line.settlement_id,
        settled_at: line.recorded_at,
    }
}

pub async fn finish(pay: &Pay, line: &Line) -> Result<Value, Problem> {
    pay.bench.call("finishPayments", settlement(), json!(group(line))).await.map(|reply| reply.body)
}

/// Everything that a manifest lists.
pub async fn rows(pay: &Pay, name: &ManifestName) -> Vec<ManifestRow> {
    let (mut rows, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut question = json!({ "franchiseId": shop(), "name": name });
        if let Some(after) = &after {
            question["after"] = json!(after);
        }
        let answer = pay.bench.call("listManifest", settlement(), question).await.unwrap();
        let page: ManifestPage = serde_json::from_value(answer.body).unwrap();
        rows.extend(page.rows);
        after = page.after;
        if after.is_none() {
            return rows;
        }
    }
}
