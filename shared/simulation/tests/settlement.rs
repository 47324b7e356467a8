//! Settlements in histories: by the schedule and by hand, killed anywhere, twice at once, with every fault in its place.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

use settlement::items::{Line, LineState, Run};
use simulation::{
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
