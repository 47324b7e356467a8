//! What the bank declines, does not say, and is asked again.

use crate::support::{Mood, Town, account, shop, yesterday};
use contract::Caller;
use events::{Fact, banking::FirmbankingSucceeded, franchise::FranchiseState};
use serde_json::{Value, json};
use store::kind_of;

async fn declined(town: &Town, name: &str) -> String {
    let bakery = town.daily(name);
    town.pay(bakery, &yesterday(), 10_000, false);
    town.mood(Mood::Declines);
    town.run(&yesterday()).await.unwrap();
    let line = town.line(bakery, 1).await;
    assert_eq!((&line["state"], &line["failureReason"]), (&json!("failed"), &json!("account_closed")));
    town.id(bakery, 1).to_string()
}

#[tokio::test]
async fn a_declined_pay_out_is_tried_again_with_another_account_once_a_key() {
    let town = Town::new();
    let id = declined(&town, "bakery").await;
    let retry = |key: &'static str| {
        let path = format!("/v1/settlements/{id}/retry");
        let town = &town;
        async move { town.operate("POST", &path, None, key).await }
    };
    let again = retry("one").await;
    assert_eq!((again.status, &again.body["payoutAttempts"]), (200, &json!(2)));
    assert_eq!(again.body["state"], "failed");
    let replayed = retry("one").await;
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert_eq!(replayed.body["payoutAttempts"], 2);

    town.others().franchises[0].franchise.bank_account_id = account("another");
    town.mood(Mood::Moves);
    assert_eq!(retry("one").await.body["state"], "failed");
    let paid = retry("two").await;
    assert_eq!(
        (paid.status, &paid.body["state"], &paid.body["payoutAttempts"]),
        (200, &json!("paid"), &json!(3))
    );
    assert_eq!(town.banked(account("another")), (9_725, 1));
    assert_eq!(town.banked(account("bakery")).1, 0);
    // Nothing failed is nothing to do.
    assert_eq!(retry("three").await.body["payoutAttempts"], 3);
    assert_eq!(town.others().orders.len(), 3);
    assert_eq!(town.moved("/fee"), 250);
    assert_eq!(town.moved("/paid"), 9_725);

    // Every failure was told once, and is told again from the items alike.
    let told = |facts: Vec<events::Envelope>| {
        let mut failed: Vec<_> =
            facts.into_iter().filter(|fact| fact.kind == "settlement.failed.v1").collect();
        failed.sort_by_key(|fact| fact.data["attempt"].as_u64());
        failed.dedup();
        failed
    };
    let first = told(town.bench.relay().await.unwrap());
    let attempts: Vec<_> = first.iter().map(|fact| fact.data["attempt"].as_u64().unwrap()).collect();
    assert_eq!(attempts, [1, 2]);
    let known = town.bench.world.published().len();
    town.bench.call("republish", Caller::Platform, json!({})).await.unwrap();
    assert_eq!(told(town.bench.world.published().split_off(known)), first);
    town.audit().await;
}

/// Its owner has closed the franchise and unlinked its account before the last payments were settled.
#[tokio::test]
async fn a_closed_franchise_whose_account_is_gone_is_paid_out_to_another_one() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    town.pay(bakery, &yesterday(), 10_000, false);
    town.others().franchises[0].franchise.state = FranchiseState::Closed;
    town.others().unlinked.insert(account("bakery"));
    town.run(&yesterday()).await.unwrap();
    let line = town.line(bakery, 1).await;
    assert_eq!(
        (&line["state"], &line["failureReason"]),
        (&json!("failed"), &json!("bank_account_not_found"))
    );
    let path = format!("/v1/settlements/{}/retry", town.id(bakery, 1));
    let too_early = town.operate("POST", &path, None, "one").await;
    assert_eq!(too_early.body["failureReason"], "bank_account_not_found", "it has no other account yet");
    let is_settled = async || {
        // Business day 2026-11-19, in Seoul.
        let body = json!({ "franchiseId": bakery, "closedAt": "2026-11-19T03:00:00Z" });
        let caller = Caller::Service("franchise.verifyFranchisesClosed".to_owned());
        town.bench.call("verifyFranchiseSettled", caller, body).await.unwrap().body["settled"].clone()
    };
    assert_eq!(is_settled().await, false, "and its owner cannot leave");

    town.others().franchises[0].franchise.bank_account_id = account("another");
    let paid = town.operate("POST", &path, None, "two").await;
    assert_eq!((paid.status, &paid.body["state"]), (200, &json!("paid")));
    assert_eq!((town.banked(account("another")), town.banked(account("bakery")).1), ((9_725, 1), 0));
    assert_eq!(is_settled().await, true);
    town.assert_settled(bakery, &[town.line(bakery, 1).await]);
    town.audit().await;
}

#[tokio::test]
async fn an_attempt_begins_anew_and_every_change_is_a_version() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    town.pay(bakery, &yesterday(), 10_000, false);
    let attempts = |town: &Town| {
        let items = town.bench.twin.items();
        let line = items.into_iter().find(|item| kind_of(item) == "line").unwrap();
        (line.get("completedAt").cloned(), json!(line["attempts"])["N"].clone())
    };
    town.mood(Mood::Unknown);
    town.run(&yesterday()).await.unwrap();
    let waited = attempts(&town);
    town.mood(Mood::Declines);
    let scan = async || {
        town.bench.world.pass_seconds(3_600);
        town.bench.sweep("sweepSettlements").await.unwrap();
    };
    scan().await;
    assert_eq!(town.line(bakery, 1).await["state"], "failed");
    town.mood(Mood::Unknown);
    let path = format!("/v1/settlements/{}/retry", town.id(bakery, 1));
    assert_eq!(town.operate("POST", &path, None, "one").await.status, 202);
    assert_eq!((waited, attempts(&town)), ((None, json!("1")), (None, json!("1"))));
    town.mood(Mood::Moves);
    scan().await;
    assert_eq!(town.line(bakery, 1).await["state"], "paid");
    town.bench.assert_versions();
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let town = Town::new();
    let id = declined(&town, "bakery").await;
    let retry = |path: String, key: &'static str| {
        let town = &town;
        async move { town.operate("POST", &path, None, key).await }
    };
    assert_eq!(retry(format!("/v1/settlements/{id}/retry"), "one").await.status, 200);
    let reused = retry("/v1/settlements/2026-11-21/retry".to_owned(), "one").await;
    assert_eq!(reused.code(), "idempotency_key_reused");
    assert_eq!(retry(format!("/v1/settlements/{id}/retry"), "").await.code(), "idempotency_key_required");
    for unknown in ["stl_01J00000000000000000000000", "2026-11-01"] {
        assert_eq!(retry(format!("/v1/settlements/{unknown}/retry"), "two").await.code(), "not_found");
    }
    let odd = retry("/v1/settlements/yesterday/retry".to_owned(), "three").await;
    assert_eq!(odd.body["errors"][0]["pointer"], "/settlementId");
}

#[tokio::test]
async fn a_runs_failed_lines_are_tried_again_by_messages() {
    let town = Town::new();
    for name in ["a", "b", "c"] {
        let franchise = town.daily(name);
        town.pay(franchise, &yesterday(), 10_000, false);
    }
    town.mood(Mood::Declines);
    town.run(&yesterday()).await.unwrap();
    town.sweep().await;
    town.mood(Mood::Moves);
    let path = "/v1/settlements/2026-11-21/retry";
    let first = town.operate("POST", path, None, "one").await;
    assert_eq!((first.status, &first.body["totals"]["failed"]), (202, &json!(3)));
    assert_eq!(first.body["failed"].as_array().unwrap().len(), 3);
    // The same request's messages twice make one attempt.
    town.operate("POST", path, None, "one").await;
    town.sweep().await;
    for name in ["a", "b", "c"] {
        assert_eq!(town.banked(account(name)), (9_725, 1));
        assert_eq!(town.line(shop(name), 1).await["payoutAttempts"], 2);
    }
    assert_eq!(town.operate("POST", path, None, "two").await.status, 200);
    town.audit().await;
}

#[tokio::test]
async fn an_unknown_pay_out_is_completed_by_the_banks_fact() {
    for (moved, state) in [(true, "paid"), (false, "failed")] {
        let town = Town::new();
        let bakery = town.daily("bakery");
        town.pay(bakery, &yesterday(), 10_000, false);
        town.mood(Mood::Unknown);
        town.run(&yesterday()).await.unwrap();
        let line = town.line(bakery, 1).await;
        assert_eq!(line["state"], "open");
        // A retry of what is not certain makes no attempt.
        let path = format!("/v1/settlements/{}/retry", town.id(bakery, 1));
        let answer = town.operate("POST", &path, None, "early").await;
        assert_eq!((answer.status, &answer.body["payoutAttempts"]), (202, &json!(1)));

        let reference = format!("{}/payout/1", town.id(bakery, 1));
        town.others().orders.get_mut(&reference).unwrap().moved = Some(moved);
        let seen = town.others().seen.len();
        let operation = if moved { "onFirmbankingSucceeded" } else { "onFirmbankingFailed" };
        for other in
            ["mcr_01J00000000000000000000000", "rmt_01J00000000000000000000000/bank", "stl_x/payout/1"]
        {
            town.bench.call(operation, Caller::Platform, fact(operation, other)).await.unwrap();
        }
        assert_eq!(town.others().seen.len(), seen);
        for _ in 0..2 {
            town.bench.call(operation, Caller::Platform, fact(operation, &reference)).await.unwrap();
        }
        assert_eq!(town.line(bakery, 1).await["state"], state);
        assert_eq!(town.others().orders.len(), 1);
        let run = town.operate("GET", "/v1/settlements/2026-11-21", None, "").await.body;
        assert_eq!(run["totals"]["open"], 0);
        town.audit().await;
    }
}

fn fact(operation: &str, reference: &str) -> Value {
    let fact = FirmbankingSucceeded { reference: reference.to_owned(), ..FirmbankingSucceeded::example() };
    let mut event =
        json!(events::Envelope::of(&fact, "", events::example_time(), events::EXAMPLE_TRACEPARENT));
    if operation == "onFirmbankingFailed" {
        let data = json!(events::banking::FirmbankingFailed {
            reference: reference.to_owned(),
            ..events::banking::FirmbankingFailed::example()
        });
        event["data"] = data;
    }
    event
}

#[tokio::test]
async fn an_unknown_pay_out_is_completed_by_the_sweeper() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    town.pay(bakery, &yesterday(), 10_000, false);
    for mood in [Mood::Unknown, Mood::Faulty, Mood::Silent] {
        town.mood(mood);
        town.run(&yesterday()).await.unwrap();
        town.sweep().await;
        assert_eq!(town.line(bakery, 1).await["state"], "open");
    }
    town.mood(Mood::Moves);
    // Its messages are lost: the scan finds it.
    town.bench.world.take_queued();
    town.bench.world.pass_seconds(61);
    town.bench.sweep("sweepSettlements").await.unwrap();
    assert_eq!(town.line(bakery, 1).await["state"], "paid");
    assert_eq!(town.banked(account("bakery")), (9_725, 1));
    town.assert_settled(bakery, &[town.line(bakery, 1).await]);
}

#[tokio::test]
async fn a_silent_neighbour_leaves_a_line_open_and_costs_nothing() {
    for silent in ["money.transferMoney", "payment.finishPayments", "banking.requestFirmbanking"] {
        let town = Town::new();
        let bakery = town.daily("bakery");
        town.pay(bakery, &yesterday(), 10_000, false);
        town.others().silent = Some(silent);
        town.run(&yesterday()).await.unwrap();
        assert_eq!(town.line(bakery, 1).await["state"], "open", "{silent}");
        town.audit().await;
        town.others().silent = None;
        town.sweep().await;
        assert_eq!(town.line(bakery, 1).await["state"], "paid");
        town.assert_settled(bakery, &[town.line(bakery, 1).await]);
    }
}
