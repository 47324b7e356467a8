//! Whole runs: what is settled, when, and with whom.

use crate::support::{Mood, Town, account, day, yesterday};
use contract::Caller;
use events::franchise::{SettlementCycle, Weekday};
use serde_json::{Value, json};
use store::{AttributeValue, kind_of};

#[tokio::test]
async fn a_day_is_settled_and_paid_out() {
    let town = Town::new();
    let (bakery, cafe, idle) = (town.daily("bakery"), town.daily("cafe"), town.daily("idle"));
    town.pay(bakery, &yesterday(), 10_000, false);
    town.pay(bakery, &yesterday(), 1_039, false);
    town.pay(cafe, &day("2026-11-20"), 5_000, false);
    town.others().patience = 25;
    town.run(&yesterday()).await.unwrap();

    let line = town.line(bakery, 1).await;
    // 2.5 % of 11 039 is 275.975; a tenth of 275 is 27.5.
    assert_eq!(line["state"], "paid");
    assert_eq!(line["totals"]["fee"]["amount"], 275);
    assert_eq!(line["totals"]["vat"]["amount"], 27);
    assert_eq!(line["totals"]["payout"]["amount"], 10_737);
    assert_eq!(line["lines"][0]["payments"], 2);
    assert_eq!(town.banked(account("bakery")), (10_737, 1));
    assert_eq!(town.line(idle, 1).await["state"], "empty");
    for franchise in [bakery, cafe] {
        town.assert_settled(franchise, &[town.line(franchise, 1).await]);
    }
    let run = town.operate("GET", "/v1/settlements/2026-11-21", None, "").await.body;
    assert_eq!((&run["kind"], &run["state"]), (&json!("run"), &json!("finished")));
    assert_eq!(run["totals"]["done"], 3);
    assert_eq!(run["totals"]["paidOut"]["amount"], 10_737 + 4_863);

    let sums = town.audit().await;
    assert_eq!(sums["recorded.paidOut"], 10_737 + 4_863);
    assert_eq!(sums["recorded.feeTaken"], 275 + 125);
    assert_eq!(sums["recorded.vatTaken"], 27 + 12);
    assert_eq!(sums["manifest.paid"], -16_039);
    let owed: i64 = sums
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.starts_with("payable.recorded."))
        .map(|(_, sum)| sum.as_i64().unwrap())
        .sum();
    assert_eq!(owed, -16_039);

    let told = town.bench.relay().await.unwrap();
    let paid_out = told.iter().find(|fact| fact.data["franchiseId"] == json!(bakery)).unwrap();
    let sums = ["amount", "fee", "vat"].map(|field| paid_out.data[field]["amount"].as_i64().unwrap());
    assert_eq!(sums, [10_737, 275, 27], "what is told is what was paid out, and not what was paid");
    let facts: Vec<String> = told.into_iter().map(|fact| fact.kind).collect();
    let count = |kind: &str| facts.iter().filter(|known| *known == kind).count();
    assert_eq!(count("settlement.started.v1"), 1);
    assert_eq!(count("settlement.paidOut.v1"), 2);
    assert_eq!(count("settlement.finished.v1"), 1);
    assert_eq!(facts.len(), 4);
}

/// A step function's time is short: it gives up its turn after 20 parts, or when 25 seconds are over.
#[tokio::test]
async fn a_long_collection_is_taken_in_turns() {
    for (seconds_a_part, parts) in [(0, 20), (1, 20), (10, 3), (25, 2), (26, 1)] {
        let town = Town::new();
        let bakery = town.daily("bakery");
        town.others().patience = 100;
        town.others().collecting_seconds = seconds_a_part;
        town.bench.call("startSettlement", Caller::Platform, json!({})).await.unwrap();
        town.step("enlistFranchises", json!({ "businessDay": yesterday() })).await.unwrap();
        let place = json!({ "businessDay": yesterday(), "franchiseId": bakery });
        assert_eq!(town.step("collectPayments", place).await.unwrap()["next"], "collect");
        let asked: u32 = town.others().asked_for.values().sum();
        assert_eq!(asked, parts, "{seconds_a_part} s a part");
    }
}

#[tokio::test]
async fn a_day_is_started_once_and_begun_again_only_if_it_broke_off() {
    let town = Town::new();
    town.daily("bakery");
    let start = || town.operate("POST", "/v1/settlements", Some(json!({})), "");
    let first = start().await;
    assert_eq!((first.status, first.header("location")), (202, Some("/v1/settlements/2026-11-21")));
    assert_eq!(start().await.body["attempt"], 1);
    assert_eq!(town.bench.world.executions("settlement").len(), 1);

    // The execution dies: the sweeper, by message or by its scan, begins the next one.
    for (message, attempts) in [(Some(json!({ "businessDay": yesterday() })), 2), (None, 3)] {
        town.bench.world.end_executions("settlement");
        town.bench.world.pass_seconds(61);
        match message {
            Some(body) => drop(town.bench.call("sweepSettlements", Caller::Platform, body).await.unwrap()),
            None => town.bench.sweep("sweepSettlements").await.unwrap(),
        }
        let names: Vec<String> = town.bench.world.executions("settlement").into_keys().collect();
        assert_eq!(names.len(), attempts);
        assert_eq!(names.last().unwrap(), &format!("2026-11-21-{attempts}"));
    }
    town.execute(&yesterday()).await.unwrap();
    town.bench.world.end_executions("settlement");
    let last = start().await;
    assert_eq!((last.status, &last.body["state"]), (200, &json!("finished")));
    assert_eq!(town.bench.world.executions("settlement").len(), 3);
    let input = town.bench.world.executions("settlement")["2026-11-21-3"].1.clone();
    assert_eq!((&input["businessDay"], &input["attempt"]), (&json!("2026-11-21"), &json!(3)));
}

#[tokio::test]
async fn a_run_that_is_begun_again_has_its_time_anew() {
    let town = Town::new();
    town.daily("bakery");
    town.bench.call("startSettlement", Caller::Platform, json!({})).await.unwrap();
    town.step("enlistFranchises", json!({ "businessDay": yesterday() })).await.unwrap();
    town.bench.world.pass_seconds(21_600);
    let is_over = async || {
        town.step("countOpenLines", json!({ "businessDay": yesterday() })).await.unwrap()["isOver"].clone()
    };
    assert_eq!(is_over().await, true);
    town.bench.world.end_executions("settlement");
    town.bench.sweep("sweepSettlements").await.unwrap();
    assert_eq!(is_over().await, false);
}

/// What is recorded continues the franchise's chain and is what the run wants: an older calculation is not.
#[tokio::test]
async fn a_calculation_that_does_not_follow_is_not_recorded() {
    let town = Town::new();
    // A run of Saturday and one of Sunday both settle the week that ended on Friday.
    let weekly = SettlementCycle::Weekly { weekday: Weekday::Friday };
    let kiosk = town.open_shop("kiosk", weekly, "2026-11-10");
    town.pay(kiosk, &day("2026-11-19"), 1_000, false);
    let place = |of: &str| json!({ "businessDay": of, "franchiseId": kiosk });
    for of in ["2026-11-20", "2026-11-21"] {
        town.bench.call("startSettlement", Caller::Platform, json!({ "businessDay": of })).await.unwrap();
        town.step("enlistFranchises", json!({ "businessDay": of })).await.unwrap();
    }
    let step = |name: &'static str| {
        let input = place("2026-11-20");
        let town = &town;
        async move { town.step(name, input).await.unwrap() }
    };
    while step("collectPayments").await["next"] != "calculate" {}
    let good = step("calculateSettlement").await["calculation"].clone();
    let record = async |of: &str, sequence: u64, through: &str| {
        let mut calculation = good.clone();
        calculation["name"] = json!({ "sequence": sequence, "through": through });
        let order = json!({ "businessDay": of, "calculation": calculation });
        town.step("recordSettlement", order).await.unwrap()["settlementId"].clone()
    };
    for (sequence, through) in [(2, "2026-11-20"), (0, "2026-11-20"), (1, "2026-11-21"), (1, "2026-11-19")] {
        assert_eq!(record("2026-11-20", sequence, through).await, Value::Null, "{sequence} {through}");
    }
    let order = json!({ "businessDay": "2026-11-20", "calculation": good.clone() });
    assert_eq!(town.stumbling_step("recordSettlement", order, 0).await.unwrap_err().status, 503);
    assert_eq!(record("2026-11-20", 1, "2026-11-20").await, json!(town.id(kiosk, 1)));
    assert_eq!(record("2026-11-21", 2, "2026-11-20").await, Value::Null, "the week is settled");
    town.bench.assert_versions();
}

#[tokio::test]
async fn a_day_that_is_not_over_and_bad_input_name_their_field() {
    let town = Town::new();
    for (body, pointer) in [
        (json!({ "businessDay": "2026-11-22" }), "/businessDay"),
        (json!({ "businessDay": "2026-11-31" }), "/businessDay"),
        (json!({ "businessDay": null }), "/businessDay"),
        (json!({ "day": "2026-11-21" }), "/day"),
    ] {
        let refused = town.operate("POST", "/v1/settlements", Some(body), "").await;
        assert_eq!((refused.status, &refused.body["errors"][0]["pointer"]), (400, &json!(pointer)));
    }
    let mut town = Town::new();
    town.bench.context.settings.config = json!({ "mostDaysAhead": 1 });
    let taken =
        town.operate("POST", "/v1/settlements", Some(json!({ "businessDay": "2026-11-22" })), "").await;
    assert_eq!(taken.status, 202);
    let refused =
        town.operate("POST", "/v1/settlements", Some(json!({ "businessDay": "2026-11-23" })), "").await;
    assert_eq!(refused.code(), "validation_failed");
    let shard = town.step("listDueFranchises", json!({ "businessDay": "2026-11-22", "shard": 16 })).await;
    assert_eq!(shard.unwrap_err().errors[0].pointer, "/shard");
}

#[tokio::test]
async fn the_same_day_twice_pays_once_and_an_earlier_day_afterwards_pays_nothing() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    town.pay(bakery, &day("2026-11-20"), 10_000, false);
    town.run(&yesterday()).await.unwrap();
    town.run(&yesterday()).await.unwrap();
    town.execute(&yesterday()).await.unwrap();
    town.run(&day("2026-11-20")).await.unwrap();
    assert_eq!(town.line(bakery, 2).await["code"], "not_found");
    assert_eq!(town.banked(account("bakery")).1, 1);
    town.assert_settled(bakery, &[town.line(bakery, 1).await]);
    let earlier = town.operate("GET", "/v1/settlements/2026-11-20", None, "").await.body;
    assert_eq!((&earlier["state"], &earlier["totals"]["done"]), (&json!("finished"), &json!(0)));
    town.audit().await;
}

#[tokio::test]
async fn an_entry_whose_days_another_run_has_taken_is_done() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    town.pay(bakery, &day("2026-11-20"), 10_000, false);
    let earlier = day("2026-11-20");
    town.bench.call("startSettlement", Caller::Platform, json!({ "businessDay": earlier })).await.unwrap();
    town.step("enlistFranchises", json!({ "businessDay": earlier })).await.unwrap();
    town.run(&yesterday()).await.unwrap();
    // What could not be stored is not answered as done, and whoever comes second finds it done.
    let place = json!({ "businessDay": earlier, "franchiseId": bakery });
    assert_eq!(town.stumbling_step("collectPayments", place.clone(), 0).await.unwrap_err().status, 503);
    town.others().turns = vec![1];
    let (one, other) =
        tokio::join!(town.step("collectPayments", place.clone()), town.step("collectPayments", place));
    assert_eq!((one.unwrap(), other.unwrap()), (json!({ "next": "done" }), json!({ "next": "done" })));
    let entries = town.bench.twin.items().into_iter().filter(|item| kind_of(item) == "entry");
    let versions: Vec<_> = entries.map(|item| item["version"].clone()).collect();
    assert!(versions.contains(&AttributeValue::N("2".to_owned())), "{versions:?}");
    town.execute(&earlier).await.unwrap();
    let run = town.operate("GET", "/v1/settlements/2026-11-20", None, "").await.body;
    assert_eq!((&run["state"], &run["totals"]["done"]), (&json!("finished"), &json!(1)));
    let list = town.operate("GET", "/v1/settlements?from=2026-11-20&to=2026-11-20", None, "").await.body;
    assert_eq!(list["items"][0]["state"], "covered");
    assert_eq!(town.banked(account("bakery")).1, 1);
    town.audit().await;
}

/// A table answers in pages, and nobody may rely on how long they are.
#[tokio::test]
async fn a_run_of_many_franchises_is_read_page_by_page() {
    let town = Town::new();
    town.others().items_a_page = Some(1);
    for number in 0..40 {
        town.pay(town.daily(&format!("shop {number}")), &yesterday(), 1_000, false);
    }
    town.bench.call("startSettlement", Caller::Platform, json!({})).await.unwrap();
    let first = json!({ "businessDay": yesterday() });
    // Franchises are asked for first, and then stored.
    for place in 0..2 {
        let lost = town.stumbling_step("enlistFranchises", first.clone(), place).await;
        assert_eq!(lost.unwrap_err().status, 503, "a franchise that could not be stored is not left out");
    }
    town.execute(&yesterday()).await.unwrap();
    let run = town.operate("GET", "/v1/settlements/2026-11-21", None, "").await.body;
    assert_eq!((&run["state"], &run["totals"]["done"]), (&json!("finished"), &json!(40)));
    assert_eq!(run["totals"]["sales"]["amount"], 40_000);
    town.audit().await;
}

#[tokio::test]
async fn what_is_due_is_listed_whole_for_the_machine_and_in_part_for_people() {
    let town = Town::new();
    for number in 0..101 {
        town.daily(&format!("shop {number}"));
    }
    town.bench.call("startSettlement", Caller::Platform, json!({})).await.unwrap();
    town.enlist(&yesterday()).await.unwrap();
    let mut due = 0;
    for shard in 0..16 {
        let listed = town.step("listDueFranchises", json!({ "businessDay": yesterday(), "shard": shard }));
        let listed = listed.await.unwrap();
        assert_eq!(listed["after"], Value::Null, "a shard of so few is listed at once");
        due += listed["franchises"].as_array().unwrap().len();
    }
    assert_eq!(due, 101);
    let run = town.operate("GET", "/v1/settlements/2026-11-21", None, "").await.body;
    assert_eq!((&run["totals"]["due"], run["pending"].as_array().unwrap().len()), (&json!(101), 100));
}

#[tokio::test]
async fn late_records_are_settled_once_by_the_next_lines() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    let mut lines = Vec::new();
    for (place, of) in ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21"].into_iter().enumerate() {
        town.pay(bakery, &day(of), 1_000, false);
        if place > 0 {
            // Two business days late.
            town.pay(bakery, &day(of).plus_days(-2), 700, false);
            town.pay(bakery, &day(of).plus_days(-1), 90, true);
        }
        town.run(&day(of)).await.unwrap();
        lines.push(town.line(bakery, u64::try_from(place).unwrap() + 1).await);
    }
    town.assert_settled(bakery, &lines);
    town.audit().await;
}

#[tokio::test]
async fn a_negative_total_is_carried_and_recovered() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    let paid = |of: &str, amount, canceled| town.pay(bakery, &day(of), amount, canceled);
    paid("2026-11-18", 10_000, false);
    paid("2026-11-19", 10_000, true);
    paid("2026-11-20", 4_000, false);
    paid("2026-11-21", 9_000, false);
    let mut lines = Vec::new();
    for (of, sequence, state, out) in [
        ("2026-11-18", 1, "paid", 0),
        ("2026-11-19", 2, "carried", 9_725),
        ("2026-11-20", 3, "carried", 5_835),
        ("2026-11-21", 4, "paid", 0),
    ] {
        town.run(&day(of)).await.unwrap();
        let line = town.line(bakery, sequence).await;
        assert_eq!((&line["state"], &line["totals"]["carriedOut"]["amount"]), (&json!(state), &json!(out)));
        // What it owes is what the newest line carries, however many lines there are.
        assert_eq!(town.audit().await[contract::audit::OWED_BY_FRANCHISES], out);
        lines.push(line);
    }
    // What was charged for the cancelled payment came back, and all four days add up.
    assert_eq!(lines[1]["totals"]["fee"]["amount"], -250);
    assert_eq!(lines[3]["totals"]["payout"]["amount"], 8_753 - 5_835);
    assert_eq!(lines[3]["totals"]["carriedIn"]["amount"], 5_835);
    town.assert_settled(bakery, &lines);
    let sums = town.audit().await;
    assert_eq!((&sums["recorded.feeReturned"], &sums["recorded.vatReturned"]), (&json!(250), &json!(25)));
    assert_eq!(sums["owed.byFranchises"], 0, "nothing is owed any more");
}

#[tokio::test]
async fn a_day_that_comes_to_nothing_exactly_is_settled() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    town.pay(bakery, &yesterday(), 800, false);
    town.pay(bakery, &yesterday(), 800, true);
    town.run(&yesterday()).await.unwrap();
    assert_eq!(town.line(bakery, 1).await["state"], "settled");
    assert_eq!(town.others().orders.len(), 0);
    assert_eq!(town.others().ledger.len(), 0);
    town.audit().await;
}

/// Once no line looks through its last day any more it has a line a week, which takes what came back meanwhile.
#[tokio::test]
async fn a_closed_franchise_is_settled_to_its_end_and_then_looked_at_weekly() {
    let town = Town::new();
    let (bakery, cafe) = (town.daily("bakery"), town.daily("cafe"));
    town.others().franchises[0].closed_at = Some("2026-11-18T03:00:00Z".parse().unwrap());
    town.pay(bakery, &day("2026-11-18"), 10_000, false);
    town.bench.world.pass_seconds(86_400 * 10);
    let (mut lines, first) = (Vec::new(), day("2026-11-18"));
    for number in 0..11 {
        let of = first.plus_days(number);
        match of.as_str() {
            // It comes two days late.
            "2026-11-20" => town.pay(bakery, &day("2026-11-18"), 500, false),
            "2026-11-22" => town.pay(bakery, &of, 4_000, true),
            _ => {}
        }
        town.run(&of).await.unwrap();
        assert_eq!(town.line(cafe, u64::try_from(number).unwrap() + 1).await["state"], "empty");
    }
    for (sequence, through, state) in [
        (1, "2026-11-18", "paid"),
        (2, "2026-11-19", "empty"),
        (3, "2026-11-20", "paid"),
        (4, "2026-11-27", "carried"),
    ] {
        let line = town.line(bakery, sequence).await;
        assert_eq!((&line["through"], &line["state"]), (&json!(through), &json!(state)), "{line}");
        lines.push(line);
    }
    assert_eq!(town.line(bakery, 5).await["code"], "not_found");
    town.assert_settled(bakery, &lines);
    let sums = town.audit().await;
    assert_eq!(sums["owed.byFranchises"], lines[3]["totals"]["carriedOut"]["amount"]);
}

#[tokio::test]
async fn weekly_franchises_and_new_ones_wait_for_their_day() {
    let town = Town::new();
    // 2026-11-21 is a Saturday.
    let weekly = SettlementCycle::Weekly { weekday: Weekday::Friday };
    let kiosk = town.open_shop("kiosk", weekly, "2026-11-10");
    let young = town.open_shop("young", SettlementCycle::Daily {}, "2026-11-22");
    town.pay(kiosk, &day("2026-11-19"), 1_000, false);
    town.pay(kiosk, &day("2026-11-21"), 2_000, false);
    town.run(&yesterday()).await.unwrap();
    let line = town.line(kiosk, 1).await;
    assert_eq!((&line["through"], &line["totals"]["paid"]["amount"]), (&json!("2026-11-20"), &json!(1_000)));
    assert_eq!(town.line(young, 1).await["code"], "not_found");
    town.bench.world.pass_seconds(86_400 * 6);
    town.run(&day("2026-11-22")).await.unwrap();
    assert_eq!(town.line(kiosk, 2).await["code"], "not_found");
    town.run(&day("2026-11-27")).await.unwrap();
    assert_eq!(town.line(kiosk, 2).await["totals"]["paid"]["amount"], 2_000);
    town.audit().await;
}

#[tokio::test]
async fn a_run_waits_for_the_bank_no_longer_than_its_deadline() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    town.pay(bakery, &yesterday(), 10_000, false);
    town.mood(Mood::Silent);
    town.run(&yesterday()).await.unwrap();
    let run = town.operate("GET", "/v1/settlements/2026-11-21", None, "").await.body;
    assert_eq!((&run["state"], &run["totals"]["open"]), (&json!("finished"), &json!(1)));
    assert_eq!(run["pending"][0]["settlementId"], json!(town.id(bakery, 1)));
    let sums = town.audit().await;
    assert_eq!(sums["open.paidOut"], 9_725);
    // The bank had moved it, or moves it now: once.
    town.mood(Mood::Moves);
    town.sweep().await;
    assert_eq!(town.line(bakery, 1).await["state"], "paid");
    assert_eq!(town.banked(account("bakery")), (9_725, 1));
    town.audit().await;
}

#[tokio::test]
async fn counting_says_how_long_to_wait_and_when_it_is_over() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    town.pay(bakery, &yesterday(), 10_000, false);
    let count = || town.step("countOpenLines", json!({ "businessDay": yesterday() }));
    let none = json!({ "due": 0, "open": 0, "failed": 0, "isOver": true, "waitSeconds": 1 });
    assert_eq!(count().await.unwrap(), none);
    town.bench.call("startSettlement", Caller::Platform, json!({})).await.unwrap();
    town.step("enlistFranchises", json!({ "businessDay": yesterday() })).await.unwrap();
    let due = json!({ "due": 1, "open": 0, "failed": 0, "isOver": false, "waitSeconds": 30 });
    assert_eq!(count().await.unwrap(), due);
    // An attempt that leaves something due does not close the run.
    town.step("finishSettlement", json!({ "businessDay": yesterday() })).await.unwrap();
    town.bench.world.pass_seconds(21_600);
    let over = json!({ "due": 1, "open": 0, "failed": 0, "isOver": true, "waitSeconds": 300 });
    assert_eq!(count().await.unwrap(), over);
    town.execute(&yesterday()).await.unwrap();
    assert_eq!(count().await.unwrap(), none);
}
