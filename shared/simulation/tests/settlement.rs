//! Settlements in histories: by the schedule and by hand, killed anywhere, twice at once, with every fault in its place.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test that fails should fail loudly"
)]

use settlement::items::{Line, LineState, Run};
use simulation::{
    faults::{Fault, Port},
    history::{Ended, run_and_judge},
    scripts::{self, SCRIPTS, Script},
    story,
};
use store::{Record, kind_of};

fn script(name: &str) -> &'static Script {
    SCRIPTS.iter().find(|(known, _)| *known == name).unwrap()
}

fn play(name: &str) -> Ended {
    let (ended, findings) = run_and_judge(&scripts::plot(script(name)), true);
    assert!(findings.is_empty(), "{}\n{findings:#?}", story::told(&ended.story));
    ended
}

fn read<R: Record>(ended: &Ended) -> Vec<R> {
    let items = ended.items["settlement"].iter().filter(|item| kind_of(item) == R::KIND);
    items.map(|item| store::read(item.clone()).unwrap()).collect()
}

/// A merchant, payers, a cancellation; at twenty to midnight the schedule settles the day.
#[test]
fn a_day_is_settled_by_the_schedule() {
    let ended = play("settle by the schedule");
    println!("{}", story::told(&ended.story));
    let mut lines: Vec<Line> = read(&ended);
    lines.sort_by_key(|line| line.sequence);
    let first = lines.first().unwrap();
    assert_eq!((first.business_day.as_str(), first.state), ("2026-11-22", LineState::Paid));
    assert!(first.amounts.payments > 0 && !first.amounts.payout.is_zero());
    assert!(read::<Run>(&ended).iter().all(Run::is_final));
    assert!(!ended.shown.is_empty());
}

/// Each script of settlements does what its name says, with nothing in its way.
#[test]
fn each_script_settles() {
    for (name, _) in SCRIPTS.iter().filter(|(name, _)| name.contains("settle") || name.contains("pay-out")) {
        let ended = play(name);
        assert!(!read::<Line>(&ended).is_empty(), "{name} settles nothing");
    }
}

/// Another account pays out what a closed franchise is owed, though the one that it ended with is gone.
#[test]
fn a_closed_franchise_whose_account_is_gone_is_paid_out() {
    let ended = play("a closed franchise's settlement account is unlinked");
    let mut franchises = ended.items["franchise"].iter();
    assert!(franchises.any(|franchise| franchise.contains_key("redirected")), "it kept its account");
    let lines: Vec<Line> = read(&ended);
    let tried_again = |line: &&Line| line.payout.is_some_and(|payout| payout.attempt > 1);
    assert!(lines.iter().filter(tried_again).any(|line| line.state == LineState::Paid));
    assert!(lines.iter().all(|line| line.state != LineState::Failed));
}

/// Every place of a script where this fault can strike, with the fault in it.
fn strike_everywhere(name: &str, fault: Fault) {
    let (_, places) = scripts::places(script(name));
    let struck: Vec<_> = places.into_iter().filter(|(_, known)| *known == fault).collect();
    assert!(struck.len() > 15, "{fault:?} strikes {} times", struck.len());
    for (call, fault) in struck {
        let plot = scripts::plot(script(name)).placed(call, fault);
        let (_, findings) = run_and_judge(&plot, false);
        assert!(findings.is_empty(), "{name}: {fault:?} at call {call}: {findings:#?}");
    }
}

/// Whoever stops an execution in the middle of a step stops nothing for good: the sweeper begins the next one.
#[test]
fn killed_in_any_step_a_run_is_taken_up_again() {
    strike_everywhere("settle by the schedule", Fault::Stopped);
}

/// An Express child runs at least once: twice side by side is once.
#[test]
fn a_child_that_runs_twice_settles_once() {
    let name = "settle twice at once, stopped and again";
    let (ended, _) = scripts::places(script(name));
    let children = ended.places.iter().filter(|(call, _)| call.site.port == Port::Child);
    // A run has a child for each of sixteen shards, and the franchise is in one of them.
    for (call, _) in children.take(32) {
        let plot = scripts::plot(script(name)).placed(call.number, Fault::ArrivesTwice);
        let (_, findings) = run_and_judge(&plot, false);
        assert!(findings.is_empty(), "{name}: twice at call {}: {findings:#?}", call.number);
    }
}
