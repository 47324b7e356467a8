//! Runs that die at every place, run beside each other in every order, and still pay once.

use crate::support::{Death, Mood, Town, account, day, yesterday};
use contract::Caller;
use kernel::id::FranchiseId;
use proptest::prelude::*;
use serde_json::{Value, json};
use store::{AttributeValue, kind_of};

/// Two franchises, one that was paid twice and one that owes something.
fn busy_town() -> (Town, FranchiseId, FranchiseId) {
    let town = Town::new();
    let (bakery, cafe) = (town.daily("bakery"), town.daily("cafe"));
    town.pay(bakery, &yesterday(), 10_000, false);
    town.pay(bakery, &day("2026-11-20"), 1_039, false);
    town.pay(cafe, &yesterday(), 3_000, true);
    (town, bakery, cafe)
}

async fn assert_paid_once(town: &Town, bakery: FranchiseId, cafe: FranchiseId) {
    assert_eq!(town.banked(account("bakery")), (10_737, 1));
    assert_eq!(town.others().orders.len(), 1);
    let lines = [town.line(bakery, 1).await, town.line(cafe, 1).await];
    assert_eq!((&lines[0]["state"], &lines[1]["state"]), (&json!("paid"), &json!("carried")));
    town.assert_settled(bakery, &lines[..1]);
    town.assert_settled(cafe, &lines[1..]);
    for franchise in [bakery, cafe] {
        assert_eq!(town.line(franchise, 2).await["code"], "not_found");
    }
    let run = town.operate("GET", "/v1/settlements/2026-11-21", None, "").await.body;
    assert_eq!((&run["state"], &run["totals"]["done"]), (&json!("finished"), &json!(2)));
    town.audit().await;
}

/// How an interrupted run goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// The day is started again.
    Started,
    /// The relay's messages come first, and then the day is started again.
    SweptAndStarted,
}

#[tokio::test]
async fn a_run_that_dies_anywhere_pays_once() {
    let places = {
        let (town, bakery, cafe) = busy_town();
        town.run(&yesterday()).await.unwrap();
        assert_paid_once(&town, bakery, cafe).await;
        town.others().places
    };
    assert!(places > 20, "{places}");
    for place in 0..places {
        for done in [false, true] {
            for then in [Then::Started, Then::SweptAndStarted] {
                let (town, bakery, cafe) = busy_town();
                town.others().death = Death { place: Some(place), done, only_there: false };
                let first = town.run(&yesterday()).await;
                assert!(first.is_err(), "nothing died at {place}");
                town.others().dead = false;
                town.bench.world.end_executions("settlement");
                if then == Then::SweptAndStarted {
                    town.sweep().await;
                    town.bench.world.end_executions("settlement");
                }
                town.run(&yesterday()).await.unwrap();
                town.sweep().await;
                assert_paid_once(&town, bakery, cafe).await;
            }
        }
    }
}

#[tokio::test]
async fn a_retry_that_dies_anywhere_makes_one_attempt() {
    let failed = || async {
        let (town, bakery, _) = busy_town();
        town.mood(Mood::Declines);
        town.run(&yesterday()).await.unwrap();
        town.mood(Mood::Moves);
        town.others().places = 0;
        let path = format!("/v1/settlements/{}/retry", town.id(bakery, 1));
        (town, path)
    };
    let places = {
        let (town, path) = failed().await;
        assert_eq!(town.operate("POST", &path, None, "one").await.body["state"], "paid");
        town.others().places
    };
    for place in 0..places {
        for done in [false, true] {
            let (town, path) = failed().await;
            town.others().death = Death { place: Some(place), done, only_there: false };
            let first = town.operate("POST", &path, None, "one").await;
            assert_eq!(first.status, 503, "{place}");
            town.others().dead = false;
            let again = town.operate("POST", &path, None, "one").await;
            assert_eq!((&again.body["state"], &again.body["payoutAttempts"]), (&json!("paid"), &json!(2)));
            assert_eq!(town.banked(account("bakery")), (10_737, 1));
            town.audit().await;
        }
        // What was only hindered is not taken for what somebody else has done.
        let (town, path) = failed().await;
        town.others().death = Death { place: Some(place), done: false, only_there: true };
        let hindered = town.operate("POST", &path, None, "one").await;
        assert!(hindered.status == 503 || hindered.body["state"] == "open", "{place}: {}", hindered.body);
    }
    let (town, path) = failed().await;
    town.others().turns = vec![1];
    let (one, other) =
        tokio::join!(town.operate("POST", &path, None, "one"), town.operate("POST", &path, None, "two"),);
    assert!(one.status < 300 && other.status < 300, "{} {}", one.body, other.body);
    assert_eq!(town.banked(account("bakery")), (10_737, 1));
}

/// A line of a run that has only to be recorded, and the order to do so.
async fn calculated() -> (Town, FranchiseId, Value) {
    let town = Town::new();
    let bakery = town.daily("bakery");
    town.pay(bakery, &yesterday(), 10_000, false);
    let place = json!({ "businessDay": yesterday(), "franchiseId": bakery });
    town.bench.call("startSettlement", Caller::Platform, json!({})).await.unwrap();
    town.step("enlistFranchises", json!({ "businessDay": yesterday() })).await.unwrap();
    while town.step("collectPayments", place.clone()).await.unwrap()["next"] != "calculate" {}
    let calculated = town.step("calculateSettlement", place).await.unwrap();
    let order = json!({ "businessDay": yesterday(), "calculation": calculated["calculation"] });
    (town, bakery, order)
}

#[tokio::test]
async fn an_outage_is_not_taken_for_somebody_who_was_first() {
    for place in 0.. {
        let (town, _, order) = calculated().await;
        match town.stumbling_step("recordSettlement", order, place).await {
            Err(problem) => assert_eq!(problem.status, 503, "{place}"),
            Ok(recorded) => {
                assert!(place > 0 && recorded["settlementId"].is_string(), "{place}");
                break;
            }
        }
    }
    for place in 0.. {
        let (town, bakery, order) = calculated().await;
        town.step("recordSettlement", order).await.unwrap();
        let line = json!({ "businessDay": yesterday(), "settlementId": town.id(bakery, 1) });
        if let Err(problem) = town.stumbling_step("payOutSettlement", line, place).await {
            assert_eq!(problem.status, 503, "{place}");
            continue;
        }
        // Whatever was answered is told of, even if it is that nothing was answered.
        let items = town.bench.twin.items();
        let line = items.into_iter().find(|item| kind_of(item) == "line").unwrap();
        assert_eq!(line["version"], AttributeValue::N("2".to_owned()), "{place}");
        if line["state"] == AttributeValue::S("paid".to_owned()) {
            break;
        }
    }
}

#[tokio::test]
async fn whoever_comes_second_finds_it_done() {
    let (town, bakery, order) = calculated().await;
    let both = async |step: &'static str, input: Value| {
        town.others().turns = vec![1];
        let (one, other) = tokio::join!(town.step(step, input.clone()), town.step(step, input));
        assert_eq!(one, other, "{step}");
        one.unwrap()
    };
    let id = both("recordSettlement", order).await["settlementId"].clone();
    assert_eq!(id, json!(town.id(bakery, 1)));
    both("payOutSettlement", json!({ "businessDay": yesterday(), "settlementId": id })).await;
    assert_eq!(town.line(bakery, 1).await["state"], "paid");
    assert_eq!(town.banked(account("bakery")), (9_725, 1));
    both("finishSettlement", json!({ "businessDay": yesterday() })).await;
}

/// Runs of two days, or of one day twice, at once; then everything that is left.
async fn side_by_side(turns: Vec<u8>, days: [&str; 2]) {
    let town = Town::new();
    let bakery = town.daily("bakery");
    for (on, amount, canceled) in [
        ("2026-11-19", 4_000, false),
        ("2026-11-20", 10_000, false),
        ("2026-11-21", 2_500, true),
        ("2026-11-21", 70, false),
    ] {
        town.pay(bakery, &day(on), amount, canceled);
    }
    town.others().turns = turns;
    let (one, other) = (day(days[0]), day(days[1]));
    let (first, second) = tokio::join!(town.run(&one), town.run(&other));
    first.unwrap();
    second.unwrap();
    for of in [&one, &other] {
        town.bench.world.end_executions("settlement");
        town.run(of).await.unwrap();
    }
    town.run(&yesterday()).await.unwrap();
    town.sweep().await;
    let mut lines: Vec<Value> = Vec::new();
    loop {
        let line = town.line(bakery, u64::try_from(lines.len()).unwrap() + 1).await;
        if line["code"] == "not_found" {
            break;
        }
        lines.push(line);
    }
    town.assert_settled(bakery, &lines);
    assert_eq!(lines.last().unwrap()["through"], "2026-11-21");
    let paid = lines.iter().filter(|line| line["state"] == "paid").count();
    assert_eq!(town.banked(account("bakery")).1, paid);
    assert_eq!(town.others().orders.len(), paid);
    town.audit().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn runs_at_once_settle_everything_once(
        turns in prop::collection::vec(0..6_u8, 1..40),
        days in prop::sample::select(vec![
            ["2026-11-20", "2026-11-21"], ["2026-11-21", "2026-11-20"], ["2026-11-21", "2026-11-21"],
        ]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(side_by_side(turns, days));
    }
}
