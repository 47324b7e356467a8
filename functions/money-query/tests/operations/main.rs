//! The read model's operations, called as the gateway and the platform call them, on the twin of its table.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod facts;
mod fold;
mod histories;
mod queries;
mod rebuilding;
mod tables;

use contract::{
    Caller,
    testing::{Answer, Bench, Request},
};
use events::Envelope;
use kernel::{
    Id, Timestamp,
    id::{MembershipId, WalletId},
};
use money_query::SERVICE;
use serde_json::Value;

fn bench() -> Bench {
    Bench::new(&SERVICE)
}

fn member(name: &str) -> MembershipId {
    Id::derive(&[name])
}

fn wallet(name: &str) -> WalletId {
    WalletId::of(member(name))
}

/// So many minutes before the bench's now.
fn ago(minutes: i64) -> Timestamp {
    events::example_time().plus_seconds(-60 * minutes)
}

/// Brings facts as the queue does.
async fn hear(bench: &Bench, facts: &[Envelope]) {
    for fact in facts {
        let body = serde_json::to_value(fact).unwrap();
        bench.call("onCountedFact", Caller::Platform, body).await.unwrap();
    }
}

async fn ask(bench: &Bench, path: &str) -> Answer {
    bench.send(Request::new("GET", path).caller(member("operator"), "member operator")).await
}

/// A region's sum of the last thirty days.
async fn sum(bench: &Bench, region: &str) -> Value {
    let answer = ask(bench, &format!("/v1/money/regions/{region}/sum")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// What a sum says of one day.
fn day<'a>(sum: &'a Value, day: &str) -> &'a Value {
    sum["days"].as_array().unwrap().iter().find(|found| found["day"] == day).unwrap()
}

/// Balance, recharged, number of recharges, number of wallets.
fn figures(sum: &Value) -> [u64; 4] {
    [&sum["balance"]["amount"], &sum["recharged"]["amount"], &sum["recharges"], &sum["wallets"]]
        .map(|value| value.as_u64().unwrap())
}
