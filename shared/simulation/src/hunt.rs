//! Running many histories, and making one that fails as short as possible.

use crate::{
    faults::{Coverage, FAULTS, Fault, Plan},
    history::{Ended, Plot, run_and_judge},
    judges::Finding,
};
use std::collections::BTreeSet;

/// How many runs the search for a shorter history may take.
const MOST_TRIES: usize = 250;

/// How many actions a history has, if nobody says.
pub const STEPS: u64 = 30;

/// A history that fails.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The shortest that was found.
    pub plot: Plot,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// Runs the history of a seed.
pub fn try_seed(seed: u64, steps: u64, coverage: &mut Coverage) -> Option<Failure> {
    try_plot(&Plot::of_seed(seed, steps), coverage).1
}

/// Runs a history; answers its end, and what is wrong with it if anything is.
pub fn try_plot(plot: &Plot, coverage: &mut Coverage) -> (Ended, Option<Failure>) {
    let (ended, findings) = run_and_judge(plot, false);
    coverage.join(&ended.coverage);
    (ended, (!findings.is_empty()).then(|| Failure { plot: plot.clone(), findings }))
}

/// Leaves out what the failure does not need: halves of the steps, then single ones, then kinds of faults.
pub fn shorten(failure: Failure) -> Failure {
    shorten_by(failure, |plot| try_plot(plot, &mut Coverage::default()).1)
}

fn shorten_by(failure: Failure, try_plot: impl Fn(&Plot) -> Option<Failure>) -> Failure {
    let judges: BTreeSet<_> = failure.findings.iter().map(|finding| finding.judge).collect();
    let mut shortest = failure;
    let mut tries = 0;
    let mut attempt = |plot: Plot, shortest: &mut Failure| {
        tries += 1;
        if tries > MOST_TRIES {
            return false;
        }
        let same = |failure: &Failure| failure.findings.iter().any(|finding| judges.contains(finding.judge));
        try_plot(&plot).filter(same).map(|found| *shortest = found).is_some()
    };
    let mut chunk = shortest.plot.steps.len().div_ceil(2);
    while chunk > 0 {
        let mut first = 0;
        while first < shortest.plot.steps.len() {
            let mut plot = shortest.plot.clone();
            let last = (first + chunk).min(plot.steps.len());
            plot.steps.drain(first..last);
            if !attempt(plot, &mut shortest) {
                first += chunk;
            }
        }
        chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
    }
    for fault in kinds(&shortest.plot.plan) {
        let Plan::AtChance { in_ten_thousand, .. } = shortest.plot.plan else { break };
        let left = kinds(&shortest.plot.plan).into_iter().filter(|kind| *kind != fault).collect();
        let plan = Plan::AtChance { in_ten_thousand, only: Some(left) };
        attempt(Plot { plan, ..shortest.plot.clone() }, &mut shortest);
    }
    shortest
}

/// The kinds of faults that a plan may bring.
pub fn kinds(plan: &Plan) -> Vec<Fault> {
    match plan {
        Plan::Never => Vec::new(),
        Plan::Placed { plan, fault, .. } => kinds(plan).into_iter().chain([*fault]).collect(),
        Plan::AtChance { only: Some(only), .. } => only.clone(),
        Plan::AtChance { only: None, .. } => {
            let all: BTreeSet<Fault> =
                FAULTS.iter().flat_map(|(_, faults)| *faults).map(|(fault, _)| *fault).collect();
            all.into_iter().collect()
        }
    }
}

/// The command that replays a history.
pub fn command(plot: &Plot) -> String {
    let numbers: Vec<String> = plot.steps.iter().map(|step| step.number.to_string()).collect();
    let faults: Vec<String> = kinds(&plot.plan)
        .iter()
        .filter_map(|fault| serde_json::to_value(fault).ok()?.as_str().map(str::to_owned))
        .collect();
    let faults = if faults.is_empty() { "none".to_owned() } else { faults.join(",") };
    let Plot { seed, drawn, .. } = plot;
    format!("make simulate SEED={seed} STEPS={drawn} ONLY={} FAULTS={faults}", numbers.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_that_is_cut_short_can_be_replayed() {
        let mut lengths = BTreeSet::new();
        for seed in 0..300 {
            let (whole, short) = (Plot::of_seed(seed, STEPS), Plot::of_seed(seed, STEPS).cut_short());
            assert!(whole.steps.starts_with(&short.steps) && whole.later_ms == short.later_ms);
            assert!(command(&short).starts_with(&format!("make simulate SEED={seed} STEPS=30 ONLY=0")));
            lengths.insert(short.steps.len());
        }
        assert!(lengths.contains(&1) && lengths.contains(&30) && lengths.len() > 10, "{lengths:?}");
    }

    #[test]
    fn a_failure_is_made_as_short_as_its_cause() {
        let plot = Plot { plan: Plan::AtChance { in_ten_thousand: 100, only: None }, ..Plot::of_seed(3, 40) };
        // It takes two of the steps and one kind of fault.
        let fails = |plot: &Plot| {
            let has = |number| plot.steps.iter().any(|step| step.number == number);
            let cause = has(4) && has(33) && kinds(&plot.plan).contains(&Fault::AnswerLost);
            let findings = vec![Finding { judge: "ledger", text: String::new() }];
            cause.then(|| Failure { plot: plot.clone(), findings })
        };
        let shortest = shorten_by(fails(&plot).unwrap(), fails).plot;
        let numbers: Vec<u64> = shortest.steps.iter().map(|step| step.number).collect();
        assert_eq!((numbers, kinds(&shortest.plan)), (vec![4, 33], vec![Fault::AnswerLost]));
        assert_eq!(command(&shortest), "make simulate SEED=3 STEPS=40 ONLY=4,33 FAULTS=answerLost");
    }
}
