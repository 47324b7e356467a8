//! `make simulate-cells`: strikes every (operation × call × fault) that can be reached, and names those that are not.
//!
//! Scripts and some hundreds of histories tell which calls there are, each by the first history that makes it. For a
//! cell that nothing has struck yet that history is run again, the same up to that call, and there the fault is
//! placed: so whatever was reached can be struck. What is reached only beyond a placed fault joins the list. What an
//! operation declares and never does, and every cell that stays out, must stand in cells.toml with its reason.

use crate::{
    faults::{Coverage, Fault, Site, Use},
    history::{Plot, run, run_and_judge},
    hunt::{Failure, STEPS},
    scripts::{self, SCRIPTS},
    world::SERVICES,
};
use contract::{Api, Grant, Operation, Trigger};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How many rounds of placing there are: each strikes what the one before has reached anew.
const ROUNDS: usize = 6;
/// The list of what cannot be struck, or is not done, with reasons.
const REASONS: &str = include_str!("../cells.toml");

/// What scripts reached when that was last written down.
const REACHED: &str = include_str!("../reached.txt");

/// What scripts reach without a fault: a line for each operation and each port that it touches.
pub fn reached_by_scripts() -> BTreeSet<String> {
    let calls = SCRIPTS.iter().flat_map(|script| run(&scripts::plot(script), false).coverage.calls());
    calls.map(|(service, operation, port)| format!("{service}.{operation} {port:?}")).collect()
}

/// What scripts have reached once.
pub fn once_reached() -> BTreeSet<String> {
    REACHED.lines().map(str::to_owned).collect()
}

/// A reason, for all that it fits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// The operation's full name; a `*` in it stands for anything, here and below.
    operation: String,
    /// The call as stories tell it, such as `Commit#1`; or what it declares; or `*`.
    what: String,
    /// The fault; or `*`.
    #[serde(default = "any")]
    fault: String,
    /// Why.
    why: String,
    /// Whether other histories may well do it, so that the reason still holds if it was done.
    #[serde(default)]
    sometimes: bool,
}

#[derive(Default, Deserialize)]
struct Reasons {
    #[serde(default)]
    cell: Vec<Reason>,
    #[serde(default)]
    unused: Vec<Reason>,
}

fn any() -> String {
    "*".to_owned()
}

impl Reason {
    fn fits(&self, operation: &str, what: &str, fault: &str) -> bool {
        let same = |pattern: &str, is: &str| match pattern.split_once('*') {
            Some((beginning, end)) => is.strip_prefix(beginning).is_some_and(|rest| rest.ends_with(end)),
            None => pattern == is,
        };
        same(&self.operation, operation) && same(&self.what, what) && same(&self.fault, fault)
    }
}

/// What a run over all cells has found.
pub struct Found {
    /// Everything that was reached, struck and done.
    pub coverage: Coverage,
    /// How many histories were run.
    pub histories: u64,
    /// Histories that fail.
    pub failures: Vec<(Plot, Failure)>,
}

/// A history with a call where a fault would change something, and the call's number there.
type Place = (Plot, u64);

struct Search {
    /// Where a fault would first change something.
    places: BTreeMap<(Site, Fault), Place>,
    found: Found,
}

impl Search {
    /// Runs these histories on two threads, and takes in what they reach in the order in which they stand here.
    fn run(&mut self, plots: &[Plot]) {
        let (next, ends) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some((place, plot)) = {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        plots.get(place).map(|plot| (place, plot))
                    } {
                        let (ended, findings) = run_and_judge(plot, false);
                        crate::world::lock(&ends).insert(place, (ended.coverage, findings));
                    }
                });
            }
        });
        for (place, (coverage, findings)) in ends.into_inner().expect("no thread panics") {
            let plot = &plots[place];
            for (cell, call) in coverage.cells().filter_map(|(cell, call)| Some((cell, call?))) {
                self.places.entry(cell).or_insert_with(|| (plot.clone(), call));
            }
            self.found.coverage.join(&coverage);
            self.found.histories += 1;
            if !findings.is_empty() {
                self.found.failures.push((plot.clone(), Failure { plot: plot.clone(), findings }));
            }
        }
    }

    /// A history for each cell that is reached and was not struck.
    fn missing(&self) -> Vec<Plot> {
        let missing = self.places.iter().filter(|(cell, _)| !self.found.coverage.has_struck(**cell));
        missing.map(|((_, fault), (plot, call))| plot.placed(*call, *fault)).collect()
    }
}

/// Strikes every cell that scripts and so many histories reach.
pub fn search(histories: u64, tell: impl Fn(&str)) -> Found {
    let found = Found { coverage: Coverage::default(), histories: 0, failures: Vec::new() };
    let mut search = Search { places: BTreeMap::new(), found };
    search.run(&SCRIPTS.iter().map(scripts::plot).collect::<Vec<_>>());
    search.run(&(1..=histories).map(|seed| Plot::of_seed(seed, STEPS)).collect::<Vec<_>>());
    for round in 1..=ROUNDS {
        let plots = search.missing();
        tell(&format!(
            "round {round}: {} cells reached, {} of them to strike",
            search.places.len(),
            plots.len()
        ));
        if plots.is_empty() {
            break;
        }
        search.run(&plots);
    }
    search.found
}

/// The cells of a service.
#[derive(Default)]
struct Row {
    operations: BTreeSet<&'static str>,
    reachable: usize,
    without_effect: usize,
    struck: usize,
    with_reason: usize,
}

/// What there is to say: a table, and what is wrong.
pub struct Report {
    /// The table, in Markdown.
    pub table: String,
    /// Cells of calls that are made, where the fault would change nothing in any history.
    pub without_effect: Vec<String>,
    /// Cells that are missing, or struck against what is said; declarations that nothing uses.
    pub wrong: Vec<String>,
}

/// Compares what was found with the list of reasons.
pub fn report(found: &Found) -> Report {
    let reasons: Reasons = toml::from_str(REASONS).expect("cells.toml can be read");
    let (mut rows, mut wrong, mut without_effect) = (BTreeMap::<&str, Row>::new(), Vec::new(), Vec::new());
    for ((site, fault), place) in found.coverage.cells() {
        let row = rows.entry(site.service).or_default();
        if site.is_of_operation() {
            row.operations.insert(site.operation);
        }
        let is_struck = found.coverage.has_struck((site, fault));
        if place.is_none() && !is_struck {
            row.without_effect += 1;
            without_effect.push(format!("{site} {fault:?}"));
            continue;
        }
        let reason = reasons.cell.iter().find(|reason| reason.fits_cell(site, fault));
        row.reachable += 1;
        row.struck += usize::from(is_struck);
        row.with_reason += usize::from(!is_struck && reason.is_some());
        match reason {
            None if !is_struck => wrong.push(format!("{site} {fault:?} is not struck")),
            Some(reason) if is_struck => {
                wrong.push(format!("{site} {fault:?} is struck, though: {}", reason.why));
            }
            _ => {}
        }
    }
    for (service, operation, what) in declared() {
        let done = found.coverage.uses().contains(&(service, operation, what));
        let (name, text) = (format!("{service}.{operation}"), format!("{what:?}"));
        let reason = reasons.unused.iter().find(|reason| reason.fits(&name, &text, ""));
        match reason {
            None if !done => wrong.push(format!("{name} declares {text} and never does it")),
            Some(reason) if done && !reason.sometimes => {
                wrong.push(format!("{name} does {text}, though: {}", reason.why))
            }
            _ => {}
        }
    }
    Report { table: table(&rows), without_effect, wrong }
}

impl Reason {
    fn fits_cell(&self, site: Site, fault: Fault) -> bool {
        let call = format!("{:?}#{}", site.port, site.nth);
        self.fits(&format!("{}.{}", site.service, site.operation), &call, &format!("{fault:?}"))
    }
}

fn table(rows: &BTreeMap<&str, Row>) -> String {
    let mut text = String::from(
        "| service | operations | cells reachable | struck | not struck, with reason | nothing to change |\n|---|---|---|---|---|---|\n",
    );
    let mut sum = [0; 5];
    let mut line = |name: &str, numbers: [usize; 5]| {
        let cells = numbers.map(|number| number.to_string()).join(" | ");
        let _ = writeln!(text, "| {name} | {cells} |");
    };
    for (service, row) in rows {
        let numbers = [row.operations.len(), row.reachable, row.struck, row.with_reason, row.without_effect];
        sum.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        line(service, numbers);
    }
    line("all", sum);
    text
}

/// Everything that Pay's operations declare: what sets them going, and what they reach.
fn declared() -> Vec<(&'static str, &'static str, Use)> {
    let mut all = Vec::new();
    for service in SERVICES.iter().filter(|service| service.api != Api::Bank) {
        for operation in service.operations {
            all.extend(uses(operation).map(|what| (service.name, operation.name, what)));
        }
    }
    all
}

fn uses(operation: &'static Operation) -> impl Iterator<Item = Use> {
    let triggers = operation.triggers.iter().map(|trigger| match trigger {
        Trigger::Route(method, path) => Use::By(method.as_str(), path),
        Trigger::Call => Use::By("call", ""),
        Trigger::Fact(kind) => Use::By("fact", kind),
        Trigger::Queue => Use::By("queue", ""),
        Trigger::Schedule(rate) => Use::By("schedule", rate),
        Trigger::Stream => Use::By("stream", ""),
        Trigger::Rotation(secret) => Use::By("rotation", secret),
        Trigger::Step => Use::By("step", ""),
    });
    let grants = operation.grants.iter().map(|grant| match grant {
        Grant::ReadTable => Use::ReadsTable,
        Grant::WriteTable => Use::WritesTable,
        Grant::ScanTable => Use::ScansTable,
        Grant::ReadSecret(name) => Use::ReadsSecret(name),
        Grant::WriteSecret(name) => Use::WritesSecret(name),
        Grant::Publish => Use::Publishes,
        Grant::Enqueue(operation) => Use::Enqueues(operation),
        Grant::StartWorkflow(name) => Use::Starts(name),
    });
    triggers.chain(grants).chain(operation.calls.iter().map(|called| Use::Calls(called)))
}
