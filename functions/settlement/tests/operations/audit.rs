//! The audit finds what is not as it must be, and counts what is under way.

use crate::support::{Mood, Town, day, yesterday};
use contract::Caller;
use kernel::Money;
use serde_json::{Value, json};
use settlement::items::{Entry, EntryState, Line, LineState, Pointer, Run, RunState};
use store::{Condition, Key, Read, Record, Table, Write};

async fn load<R: Record>(town: &Town, key: &Key) -> R {
    store::read(town.bench.twin.get(key, Read::Consistent).await.unwrap().unwrap()).unwrap()
}

async fn put<R: Record>(town: &Town, record: &R) {
    town.bench.twin.commit(&[Write::put(record, Condition::Always).unwrap()]).await.unwrap();
}

async fn rules(town: &Town) -> Vec<String> {
    let cut = json!({ "cut": "2027-01-01T00:00:00Z", "slackSeconds": 300 });
    let audited = town.bench.call("auditSettlement", Caller::Platform, cut).await.unwrap().body;
    let findings = audited["findings"].as_array().unwrap().clone();
    let mut rules: Vec<String> =
        findings.iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect();
    rules.sort();
    rules.dedup();
    rules
}

/// A town with two settled days of one franchise.
async fn settled() -> (Town, kernel::id::FranchiseId) {
    let town = Town::new();
    let bakery = town.daily("bakery");
    for of in ["2026-11-20", "2026-11-21"] {
        town.pay(bakery, &day(of), 10_000, false);
        town.run(&day(of)).await.unwrap();
    }
    assert_eq!(rules(&town).await, Vec::<String>::new());
    (town, bakery)
}

#[tokio::test]
async fn a_changed_line_is_found() {
    type Change = fn(&mut Line);
    let cases: [(Change, &[&str]); 8] = [
        (|line| line.amounts.carried_in = Money::won(1), &["line_arithmetic", "line_carry", "line_entry"]),
        (|line| line.amounts.payout = Money::won(1), &["line_arithmetic", "line_entry"]),
        (|line| line.totals.clear(), &["line_arithmetic"]),
        (|line| line.through = day("2026-11-20"), &["line_chain", "line_entry"]),
        (|line| line.completed_at = None, &["end_unsaid"]),
        (|line| line.fee_at = None, &["line_unbooked"]),
        (|line| line.finished = false, &["line_unbooked"]),
        (|line| line.state = LineState::Failed, &["end_unsaid", "line_entry", "line_unbooked"]),
    ];
    for (place, (change, expected)) in cases.into_iter().enumerate() {
        let (town, bakery) = settled().await;
        let mut line: Line = load(&town, &Line::key_of(bakery, 2)).await;
        change(&mut line);
        put(&town, &line).await;
        assert_eq!(rules(&town).await, expected, "case {place}");
    }
}

#[tokio::test]
async fn what_is_missing_or_left_is_found() {
    let (town, bakery) = settled().await;
    let pointer = Pointer::key_of(town.id(bakery, 1));
    town.bench.twin.commit(&[Write::Delete(pointer, Condition::Always)]).await.unwrap();
    assert_eq!(rules(&town).await, ["line_pointer"]);

    let (town, bakery) = settled().await;
    town.bench.twin.commit(&[Write::Delete(Line::key_of(bakery, 1), Condition::Always)]).await.unwrap();
    assert_eq!(rules(&town).await, ["entry_line", "line_chain"]);

    let (town, bakery) = settled().await;
    let entry: Entry = load(&town, &Entry::key_of(&yesterday(), bakery)).await;
    let through = day("2026-11-22");
    let left = Entry { business_day: through.clone(), through, recorded: None, ..entry };
    for (state, rule) in [
        (EntryState::Due, "entry_due"),
        (EntryState::Done, "entry_uncovered"),
        (EntryState::Open, "entry_line"),
    ] {
        put(&town, &Entry { state, ..left.clone() }).await;
        assert_eq!(rules(&town).await, [rule]);
    }
    let run: Run = load(&town, &Run::key_of(&yesterday())).await;
    put(&town, &Entry { state: EntryState::Due, ..left.clone() }).await;
    let working = Run { business_day: left.business_day, state: RunState::Started, ended: None, ..run };
    put(&town, &working).await;
    assert_eq!(rules(&town).await, Vec::<String>::new(), "it is due in a run that works");
    put(&town, &Run { state: RunState::Finished, ..working }).await;
    assert_eq!(rules(&town).await, ["end_unsaid", "entry_due"]);
}

#[tokio::test]
async fn sums_are_as_of_the_cut() {
    let town = Town::new();
    let bakery = town.daily("bakery");
    town.pay(bakery, &yesterday(), 10_000, false);
    town.mood(Mood::Silent);
    town.run(&yesterday()).await.unwrap();
    let recorded: Line = load(&town, &Line::key_of(bakery, 1)).await;
    town.bench.world.pass_seconds(600);
    town.mood(Mood::Moves);
    town.sweep().await;
    let sums = |seconds: i64| {
        let cut = json!({ "cut": recorded.recorded_at.plus_seconds(seconds), "slackSeconds": 300 });
        let call = town.bench.call("auditSettlement", Caller::Platform, cut);
        async { call.await.unwrap().body["sums"].clone() }
    };
    let bucket = format!("payable.recorded.{:02}", bakery.bits() % 64);
    assert_eq!(sums(0).await, json!({}));
    let between: Value = sums(300).await;
    assert_eq!((&between["recorded.feeTaken"], &between["recorded.paidOut"]), (&json!(250), &Value::Null));
    assert_eq!(between[&bucket], -275);
    let after = sums(900).await;
    assert_eq!((&after["recorded.paidOut"], &after[&bucket]), (&json!(9_725), &json!(-10_000)));
}
