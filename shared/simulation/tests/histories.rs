//! Histories that are always run, histories that nobody has run before, and faults placed one by one.
//!
//! `make soak` runs on where this stops. A failure prints the command that replays it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

use simulation::{
    cells,
    faults::Coverage,
    history::{Plot, run},
    hunt::{self, Failure, STEPS},
    mix,
    scripts::{self, SCRIPTS},
    story,
};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

fn hold(failure: Option<Failure>) {
    if let Some(failure) = failure {
        let first = hunt::command(&failure.plot);
        let shortest = hunt::shorten(failure);
        let command = hunt::command(&shortest.plot);
        panic!("{first}\nshortest found: {command}\n{:#?}", shortest.findings);
    }
}

fn hold_seeds(seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        hold(hunt::try_seed(seed, STEPS, &mut Coverage::default()));
    }
}

/// A number that differs from one run to the next.
#[allow(clippy::disallowed_methods, reason = "only to choose a seed, which a failure prints")]
fn fresh() -> u64 {
    RandomState::new().build_hasher().finish() >> 1
}

/// What seldom happens by chance, and in scripts every time: a franchise's owner leaves some days after it was closed,
/// or names another account because the bank has closed the one that it had.
const SELDOM: &[&str] = &[mix::OWNER_LEFT, mix::ACCOUNT_CHANGED_WHEN_CLOSED];

/// All that matters happens in one or the other: a situation that none of them meets would prove nothing.
#[test]
fn known_histories_come_to_a_good_end() {
    let mut coverage = Coverage::default();
    for seed in 1..=75 {
        hold(hunt::try_seed(seed, STEPS, &mut coverage));
    }
    let is_missing = |situation: &str, times: u64| times == 0 && !SELDOM.contains(&situation);
    let never =
        |(situation, times): (&&'static str, &u64)| is_missing(situation, *times).then_some(*situation);
    let missing: Vec<_> = coverage.situations().iter().filter_map(never).collect();
    assert!(missing.is_empty(), "no history has {missing:?}: {:#?}", coverage.situations());
}

#[test]
fn scripts_come_to_a_good_end_in_the_middle_of_a_deployment() {
    let mut coverage = Coverage::default();
    for script in SCRIPTS {
        let plot = Plot { are_versions_mixed: true, ..scripts::plot(script) };
        let failure = hunt::try_plot(&plot, &mut coverage).1;
        assert!(failure.is_none(), "{}: {:#?}", script.0, failure.unwrap().findings);
    }
    for situation in SELDOM {
        assert!(coverage.situations()[situation] > 0, "{situation}");
    }
}

#[test]
fn new_histories_come_to_a_good_end() {
    let first = fresh();
    hold_seeds(first..first + 75);
}

#[test]
fn a_history_is_the_same_when_it_is_run_again() {
    let plot = Plot::of_seed(7, 60);
    let (first, second) = (run(&plot, true), run(&plot, true));
    assert_eq!(story::told(&first.story), story::told(&second.story));
    assert!(first.coverage.faults() > 0, "a history without faults shows nothing");
}

/// Every script, with a share of the places where a fault can strike: another share each time. `make simulate-places`
/// leaves out none.
#[test]
fn faults_placed_one_by_one_are_healed() {
    const SHARE: usize = 20;
    // Settlements take many calls: of such scripts the share is smaller.
    const MOST: usize = 30;
    let chance = usize::try_from(fresh() % 1_000_000).unwrap();
    for script in SCRIPTS {
        let (_, places) = scripts::places(script);
        assert!(!places.is_empty(), "nothing can go wrong in {}", script.0);
        let every = SHARE.max(places.len() / MOST);
        for (call, fault) in places.into_iter().skip(chance % every).step_by(every) {
            let plot = scripts::plot(script).placed(call, fault);
            let failure = hunt::try_plot(&plot, &mut Coverage::default()).1;
            assert!(
                failure.is_none(),
                "{}: {fault:?} at call {call}: {:#?}",
                script.0,
                failure.unwrap().findings
            );
        }
    }
}

/// Every operation of every service is run by some script, but for those of the bank, which is not ours.
#[test]
fn every_operation_is_in_a_script() {
    let mut coverage = Coverage::default();
    for script in SCRIPTS {
        coverage.join(&run(&scripts::plot(script), false).coverage);
    }
    let reached = coverage.operations();
    let mut missing = Vec::new();
    for service in simulation::world::SERVICES.iter().filter(|service| service.name != "bank-simulator") {
        let names = service.operations.iter().map(|operation| (service.name, operation.name));
        missing.extend(names.filter(|name| !reached.contains(name)));
    }
    assert!(missing.is_empty(), "no script runs {missing:?}");
}

/// `make simulate-cells` adds to the list; a call that is made on purpose no more leaves it by hand.
#[test]
fn scripts_reach_what_they_once_reached() {
    let reached = cells::reached_by_scripts();
    let lost: Vec<_> = cells::once_reached().into_iter().filter(|call| !reached.contains(call)).collect();
    assert!(lost.is_empty(), "no script reaches {lost:#?}");
}
