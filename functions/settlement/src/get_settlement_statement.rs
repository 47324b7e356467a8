//! `GET /v1/settlements/{settlementId}/statement`: every payment and cancellation of a settlement as CSV, and its
//! sums at the end, for the operator and the franchise's owner.
//!
//! A spreadsheet opens it as it is. A large one comes in pages: `Link` names the next, and the pages put together are
//! one file.

use crate::{
    KEY,
    answers::hold_to_owner,
    domain::{Summary, Writer, fee_of},
    items::{Line, location},
    lines,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by, page,
    peers::{LIST_MANIFEST, ManifestPageQuestion},
    problem,
};
use kernel::{OutOfRange, SignedMoney, id::SettlementId};
use schemars::JsonSchema;
use serde::Deserialize;
use store::{AttributeValue, Item};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "getSettlementStatement",
    summary: "Lists a settlement's payments, cancellations and sums as CSV",
    triggers: &[Trigger::Route(Method::Get, "/v1/settlements/{settlementId}/statement")],
    access: Access::Scopes(&[Scope::Operator, Scope::Merchant]),
    grants: &[Grant::ReadTable, Grant::ReadSecret(KEY)],
    calls: &[LIST_MANIFEST.operation],
    produces: "text/csv; charset=utf-8",
    refuses: &[&problem::NOT_FOUND],
    timeout_seconds: 20,
    ..handled_by!(get_settlement_statement)
};

/// An answer is full with so many rows, or when so much of its time is over.
const ROWS: usize = 2_000;
const MOST_MILLIS: i64 = 4_000;

/// Which one, and which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The settlement.
    settlement_id: SettlementId,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// The position in a statement: what the manifest's page before has ended with.
const AFTER: &str = "after";

async fn get_settlement_statement(context: &Context, call: Call<Wanted>) -> Result<Reply<String>, Problem> {
    let id = call.body.settlement_id;
    let line = lines::find(context, id).await?.ok_or(&problem::NOT_FOUND)?;
    hold_to_owner(&call, line.membership_id)?;
    let key = context.service_key(KEY).await?;
    let query = [OPERATION.name, &call.caller.to_string(), &id.to_string()];
    let position = call.body.cursor.as_deref().map(|cursor| page::position(&key, &query, cursor));
    let mut after = position.transpose()?.map(|position| text(&position)).transpose()?;
    let mut writer = Writer::page(after.is_none()).map_err(Problem::internal)?;
    let mut rows = 0_usize;
    loop {
        let question = ManifestPageQuestion { franchise_id: line.franchise_id, name: line.manifest(), after };
        let found = context.call(&LIST_MANIFEST, &call, None, None, &question).await;
        let found = found.map_err(Problem::unavailable)?;
        for row in &found.rows {
            writer.row(row).map_err(Problem::internal)?;
        }
        rows = rows.saturating_add(found.rows.len());
        after = found.after;
        let is_full = rows >= ROWS || context.clock.now().millis_since(call.now) > MOST_MILLIS;
        if after.is_none() || is_full {
            break;
        }
    }
    let next = match after {
        Some(after) => {
            let cursor = page::cursor(&key, &query, &position_of(after))?;
            Some(format!("{}/statement?cursor={cursor}", location(id)))
        }
        None => {
            for sum in sums(&line).map_err(Problem::internal)? {
                writer.sum(&sum).map_err(Problem::internal)?;
            }
            None
        }
    };
    let text = writer.end().ok_or_else(|| Problem::internal("a statement is not a text"))?;
    Ok(Reply::ok(text).going_on(next))
}

fn position_of(after: String) -> Item {
    let mut position = Item::default();
    position.insert(AFTER.to_owned(), AttributeValue::S(after));
    position
}

fn text(position: &Item) -> Result<String, Problem> {
    match position.get(AFTER) {
        Some(AttributeValue::S(text)) => Ok(text.clone()),
        _ => Err(Problem::internal("a cursor of ours has another form")),
    }
}

/// The rows at a statement's end. What is paid and carried is what is left; fee and tax stand as they are taken off.
fn sums(line: &Line) -> Result<Vec<Summary>, OutOfRange> {
    let mut sums = Vec::new();
    for totals in &line.totals {
        let fee_bps = Some(totals.fee_bps.get());
        let canceled = SignedMoney::ZERO.minus(totals.canceled.into())?;
        sums.push(Summary { kind: "paid", fee_bps, amount: totals.paid.into() });
        sums.push(Summary { kind: "canceled", fee_bps, amount: canceled });
        sums.push(Summary { kind: "fee", fee_bps, amount: SignedMoney::ZERO.minus(fee_of(totals)?)? });
    }
    let amounts = line.amounts;
    sums.extend(
        [
            ("vat", SignedMoney::ZERO.minus(amounts.vat)?),
            ("net", amounts.net),
            ("carriedIn", SignedMoney::ZERO.minus(amounts.carried_in.into())?),
            ("payout", amounts.payout.into()),
            ("carriedOut", SignedMoney::ZERO.minus(amounts.carried_out.into())?),
        ]
        .map(|(kind, amount)| Summary { kind, fee_bps: None, amount }),
    );
    Ok(sums)
}
