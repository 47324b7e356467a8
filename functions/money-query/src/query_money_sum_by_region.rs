//! `GET /v1/money/regions/{region}/sum`: how much money lies in a region and how much was recharged there, by day in
//! Seoul; for operators.
//!
//! A recharge counts where the member lived at its time, whoever moves away later; a balance goes with its member.
//! Facts arrive some seconds after they happen, and not in their order: while a debit is here and the credit that it
//! was paid from is not, a sum that would be below zero is shown as zero.

use crate::{
    domain::Counters,
    items::{CountedCell, Generations, SHARDS},
};
use contract::{Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by};
use kernel::{Money, Region, SeoulDay, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "queryMoneySumByRegion",
    summary: "Tells how much money lies in a region and how much was recharged there, by day",
    triggers: &[Trigger::Route(Method::Get, "/v1/money/regions/{region}/sum")],
    access: Access::Scopes(&[Scope::Operator]),
    grants: &[Grant::ReadTable],
    ..handled_by!(query_money_sum_by_region)
};

/// How many days are shown if nobody says which.
const USUAL_DAYS: i64 = 30;
/// How many days may be asked for at once.
const MOST_DAYS: i64 = 366;

/// Which region, and which days.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The region.
    region: Region,
    /// The first day; 29 days before the last one if unsaid.
    from: Option<SeoulDay>,
    /// The last day; today in Seoul if unsaid. At most 366 days.
    to: Option<SeoulDay>,
}

/// A region's money.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegionSum {
    /// The region.
    region: Region,
    /// The first day.
    from: SeoulDay,
    /// The last day.
    to: SeoulDay,
    /// How many wallets belong to members who live there now, or did when they left.
    wallets: u64,
    /// What lies in them now.
    balance: Money,
    /// What was recharged there on these days.
    recharged: Money,
    /// How many recharges that were.
    recharges: u64,
    /// Each of the days, the first one first.
    days: Vec<DaySum>,
}

/// A region's day.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DaySum {
    /// Which.
    day: SeoulDay,
    /// What was recharged there.
    recharged: Money,
    /// How many recharges that were.
    recharges: u64,
    /// What lay there when it ended, or what lies there if it has not.
    balance: Money,
}

async fn query_money_sum_by_region(
    context: &Context,
    call: Call<Wanted>,
) -> Result<Reply<RegionSum>, Problem> {
    let (from, to) = window(&call.body, call.now)?;
    let region = call.body.region;
    let generation = Generations::load(context).await?.live;
    let mut cells = Vec::new();
    for shard in 0..SHARDS {
        cells.extend(CountedCell::since(context, generation, shard, region.code(), &from).await?);
    }
    Ok(Reply::ok(summed(region, (from, to), &cells)))
}

/// The first and the last day.
fn window(wanted: &Wanted, now: Timestamp) -> Result<(SeoulDay, SeoulDay), Problem> {
    let to = wanted.to.clone().unwrap_or_else(|| now.seoul_day());
    let usual = || to.plus_days(USUAL_DAYS.saturating_neg().saturating_add(1));
    let from = wanted.from.clone().unwrap_or_else(usual);
    if from > to {
        return Err(Problem::field("/from", "must not be later than the last day"));
    }
    if to.days_since(&from) >= MOST_DAYS {
        return Err(Problem::field("/from", format!("must be at most {MOST_DAYS} days with the last day")));
    }
    Ok((from, to))
}

/// A day's end is what lies there now without what came and left after it.
fn summed(region: Region, (from, to): (SeoulDay, SeoulDay), cells: &[CountedCell]) -> RegionSum {
    let mut total = Sum::default();
    let mut by_day: BTreeMap<&SeoulDay, Sum> = BTreeMap::new();
    for CountedCell { cell, counters, .. } in cells {
        match &cell.day {
            None => total.add(counters),
            Some(day) => by_day.entry(day).or_default().add(counters),
        }
    }
    let balance = total.balance();
    let mut left = total;
    for (_, later) in by_day.iter().filter(|(day, _)| ***day > to) {
        left.take_back(later);
    }
    let (mut days, mut recharged, mut recharges) = (Vec::new(), 0_u128, 0_u64);
    let length = to.days_since(&from).saturating_add(1);
    for day in (0..length).rev().map(|number| from.plus_days(number)) {
        let sum = by_day.get(&day).copied().unwrap_or_default();
        recharged = recharged.saturating_add(sum.recharged);
        recharges = recharges.saturating_add(sum.recharges);
        let balance = left.balance();
        left.take_back(&sum);
        days.push(DaySum { day, recharged: won(sum.recharged), recharges: sum.recharges, balance });
    }
    days.reverse();
    RegionSum {
        region,
        from,
        to,
        wallets: total.wallets,
        balance,
        recharged: won(recharged),
        recharges,
        days,
    }
}

/// Counters of all shards together. What is counted in a shard has an end that their sum might pass.
#[derive(Clone, Copy, Default)]
struct Sum {
    incoming: u128,
    outgoing: u128,
    recharged: u128,
    recharges: u64,
    wallets: u64,
}

impl Sum {
    fn add(&mut self, counters: &Counters) {
        self.incoming = self.incoming.saturating_add(counters.incoming.into());
        self.outgoing = self.outgoing.saturating_add(counters.outgoing.into());
        self.recharged = self.recharged.saturating_add(counters.recharged.into());
        self.recharges = self.recharges.saturating_add(counters.recharges);
        self.wallets = self.wallets.saturating_add(counters.wallets);
    }

    fn take_back(&mut self, other: &Sum) {
        self.incoming = self.incoming.saturating_sub(other.incoming);
        self.outgoing = self.outgoing.saturating_sub(other.outgoing);
    }

    fn balance(&self) -> Money {
        won(self.incoming.saturating_sub(self.outgoing))
    }
}

/// More than an answer can say is said as the most that it can.
fn won(amount: u128) -> Money {
    u64::try_from(amount).ok().and_then(|amount| Money::try_won(amount).ok()).unwrap_or(Money::MAX)
}
