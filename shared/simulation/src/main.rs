//! The doors to the simulation: `make simulate`, `make soak`, `make simulate-bugs`.

#![allow(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a tool that is wrong should stop loudly"
)]

mod bugs;
mod scoreboard;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use simulation::{
    cells,
    faults::{Coverage, Fault, Plan},
    forms,
    history::{Plot, run_and_judge},
    hunt::{self, Failure, STEPS},
    scripts::{self, SCRIPTS},
    story,
};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The whole of Pay in one process, under one seed, with faults.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Replays one history and tells its story.
    Replay {
        /// Where all chance comes from.
        #[arg(long)]
        seed: u64,
        /// How many actions.
        #[arg(long, default_value_t = STEPS)]
        steps: u64,
        /// Only the actions with these numbers.
        #[arg(long, value_delimiter = ',')]
        only: Vec<u64>,
        /// Only faults of these kinds, such as answerLost; `none` for no faults.
        #[arg(long, value_delimiter = ',')]
        faults: Vec<String>,
    },
    /// Runs new histories for some minutes, or until one fails.
    Soak {
        /// How long.
        #[arg(long)]
        minutes: u64,
        /// The first seed; by the process's number if unsaid.
        #[arg(long)]
        from: Option<u64>,
        /// How many actions each; most histories are short if unsaid.
        #[arg(long)]
        steps: Option<u64>,
        /// Keep the summary as a line of docs/soak.toml.
        #[arg(long)]
        record: bool,
    },
    /// Places every fault at every call of the scripts.
    Place {
        /// Only the scripts whose name has this text.
        #[arg(long, default_value = "")]
        script: String,
    },
    /// Strikes every (operation × call × fault) that scripts and histories reach, and says what is missing.
    Cells {
        /// How many histories, from seed 1 on, tell beside the scripts which calls there are.
        #[arg(long, default_value_t = 600)]
        histories: u64,
        /// Write the table into docs/simulation.md.
        #[arg(long)]
        write: bool,
    },
    /// Adds the forms of stored items that histories reach and nobody has kept yet to events/items.
    Items {
        /// How many histories, from seed 1 on.
        #[arg(long, default_value_t = 400)]
        histories: u64,
    },
    /// Runs histories until one fails; ends well if one does. For planted bugs.
    Catch {
        /// How many histories at most.
        #[arg(long)]
        most: u64,
        /// Place every fault in this script instead, what arrives at functions first.
        #[arg(long)]
        script: Option<String>,
    },
    /// Plants every bug of bugs.toml, one at a time, and sees it caught.
    Bugs {
        /// Only the bugs whose name has this text.
        #[arg(long, default_value = "")]
        bug: String,
    },
}

fn main() -> anyhow::Result<()> {
    match Options::parse().command {
        Command::Replay { seed, steps, only, faults } => replay(seed, steps, &only, &faults),
        Command::Soak { minutes, from, steps, record } => soak(minutes, from, steps, record),
        Command::Place { script } => place(&script),
        Command::Cells { histories, write } => cells(histories, write),
        Command::Items { histories } => {
            println!("{} new forms", forms::keep(std::path::Path::new("events/items"), histories)?);
            Ok(())
        }
        Command::Catch { most, script } => catch(most, script.as_deref()),
        Command::Bugs { bug } => bugs::plant(&bug),
    }
}

fn replay(seed: u64, steps: u64, only: &[u64], faults: &[String]) -> anyhow::Result<()> {
    let mut plot = Plot::of_seed(seed, steps);
    if !only.is_empty() {
        plot.steps.retain(|step| only.contains(&step.number));
    }
    if let (Plan::AtChance { in_ten_thousand, .. }, false) = (plot.plan.clone(), faults.is_empty()) {
        let kinds: Result<Vec<Fault>, _> = faults
            .iter()
            .filter(|name| *name != "none")
            .map(|name| serde_json::from_value(serde_json::Value::String(name.clone())))
            .collect();
        plot.plan = Plan::AtChance { in_ten_thousand, only: Some(kinds.context("an unknown fault")?) };
    }
    let (ended, findings) = run_and_judge(&plot, true);
    print!("{}", story::told(&ended.story));
    println!("{}", summary(&ended.coverage));
    for finding in &findings {
        println!("{}: {}", finding.judge, finding.text);
    }
    if findings.is_empty() {
        println!("Every judge agrees: nothing was lost, and nothing was made.");
        return Ok(());
    }
    bail!("{} findings", findings.len())
}

fn summary(coverage: &Coverage) -> String {
    let by_fault: Vec<String> =
        coverage.by_fault().iter().map(|(fault, times)| format!("{fault:?} {times}")).collect();
    let (struck, all) = coverage.share();
    format!(
        "{} faults ({}); {struck} of {all} cells (operation × call × fault)",
        coverage.faults(),
        by_fault.join(", "),
    )
}

fn tell(failure: Failure) {
    println!("A history fails: {}", hunt::command(&failure.plot));
    println!("Making it shorter …");
    let Failure { plot, findings } = hunt::shorten(failure);
    println!("The shortest found: {}", hunt::command(&plot));
    for finding in findings.iter().take(10) {
        println!("  {}: {}", finding.judge, finding.text);
    }
}

/// Two threads, each with worlds of its own: one history never shares anything with another.
fn soak(minutes: u64, from: Option<u64>, steps: Option<u64>, record: bool) -> anyhow::Result<()> {
    let from = from.unwrap_or_else(|| u64::from(std::process::id()) * 1_000_000_000);
    let (next, is_over) = (AtomicU64::new(from), AtomicBool::new(false));
    let (actions, runs) = (AtomicU64::new(0), AtomicU64::new(0));
    let (coverage, failure) = (Mutex::new(Coverage::default()), Mutex::new(None));
    println!("Soaking for {minutes} minutes from seed {from}.");
    #[allow(clippy::disallowed_methods, reason = "a soak is as long as this machine's clock says")]
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut own = Coverage::default();
                while !is_over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let plot = match steps {
                        Some(steps) => Plot::of_seed(seed, steps),
                        None => Plot::of_seed(seed, STEPS).cut_short(),
                    };
                    let (ended, found) = hunt::try_plot(&plot, &mut own);
                    actions.fetch_add(plot.steps.len().try_into().expect("few"), Ordering::Relaxed);
                    runs.fetch_add(ended.runs, Ordering::Relaxed);
                    if let Some(found) = found {
                        is_over.store(true, Ordering::Relaxed);
                        *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                    }
                }
                coverage.lock().unwrap_or_else(PoisonError::into_inner).join(&own);
            });
        }
        scope.spawn(|| {
            for _ in 0..minutes * 60 {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::park_timeout(Duration::from_secs(1));
            }
            is_over.store(true, Ordering::Relaxed);
        });
    });
    let coverage = coverage.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (situation, times) in coverage.situations() {
        println!("  {times} {situation}");
    }
    let line = scoreboard::Line {
        histories: next.into_inner() - from,
        actions: actions.into_inner(),
        first_seed: from,
        operations: runs.into_inner(),
        faults: coverage.faults(),
        cells: coverage.share().0,
        failures: u64::from(failure.is_some()),
        seconds: began.elapsed().as_secs(),
        ..scoreboard::Line::begun()?
    };
    println!("{} histories; {}", line.histories, summary(&coverage));
    println!("{line}");
    if record {
        scoreboard::keep(&line)?;
    }
    match failure {
        None => Ok(()),
        Some(failure) => {
            tell(failure);
            bail!("a history fails")
        }
    }
}

/// Strikes every cell there is, and holds what is missing to the list of reasons.
fn cells(histories: u64, write: bool) -> anyhow::Result<()> {
    let found = cells::search(histories, |line| println!("{line}"));
    for (plot, failure) in &found.failures {
        println!("fails: seed {}, {:?}, {:?}", plot.seed, plot.plan, plot.steps.first());
        for finding in failure.findings.iter().take(3) {
            println!("    {}: {}", finding.judge, finding.text);
        }
    }
    let report = cells::report(&found);
    println!("{}", report.table);
    println!("{} histories; {}", found.histories, summary(&found.coverage));
    println!("Made, and nowhere anything to change: {}", report.without_effect.join(", "));
    for line in &report.wrong {
        println!("  {line}");
    }
    if write {
        scoreboard::write_table(&report.table)?;
        scoreboard::write_reached(&cells::reached_by_scripts())?;
    }
    if report.wrong.is_empty() && found.failures.is_empty() {
        return Ok(());
    }
    bail!(
        "{} histories fail, and {} things are not as cells.toml says",
        found.failures.len(),
        report.wrong.len()
    )
}

fn place(wanted: &str) -> anyhow::Result<()> {
    let mut coverage = Coverage::default();
    let (mut runs, mut failures) = (0_u64, 0_u64);
    for script in SCRIPTS.iter().filter(|(name, _)| name.contains(wanted)) {
        let (_, places) = scripts::places(script);
        println!("{}: {} places", script.0, places.len());
        for (call, fault) in places {
            let plot = scripts::plot(script).placed(call, fault);
            runs += 1;
            if let (_, Some(failure)) = hunt::try_plot(&plot, &mut coverage) {
                failures += 1;
                println!("  {fault:?} at call {call} fails:");
                for finding in failure.findings.iter().take(3) {
                    println!("    {}: {}", finding.judge, finding.text);
                }
            }
        }
    }
    println!("{runs} histories; {}", summary(&coverage));
    if failures > 0 {
        bail!("{failures} fail");
    }
    Ok(())
}

fn catch(most: u64, script: Option<&str>) -> anyhow::Result<()> {
    let plots: Box<dyn Iterator<Item = Plot>> = match script {
        None => Box::new((1..=most).map(|seed| Plot::of_seed(seed, STEPS))),
        Some(wanted) => {
            let script =
                SCRIPTS.iter().find(|(name, _)| *name == wanted).context("there is no such script")?;
            let (ended, mut places) = scripts::places(script);
            let arrives: BTreeMap<u64, bool> =
                ended.places.iter().map(|(call, _)| (call.number, call.site.port.is_arrival())).collect();
            places.sort_by_key(|(call, _)| !arrives.get(call).copied().unwrap_or_default());
            let plot = |(call, fault)| scripts::plot(script).placed(call, fault);
            Box::new(places.into_iter().map(plot))
        }
    };
    let mut histories = 0;
    for plot in plots {
        histories += 1;
        if let (_, Some(failure)) = hunt::try_plot(&plot, &mut Coverage::default()) {
            println!(
                "{}",
                serde_json::json!({
                    "histories": histories,
                    "judge": failure.findings.first().map(|finding| finding.judge),
                    "finding": failure.findings.first().map(|finding| finding.text.clone()),
                    "command": hunt::command(&failure.plot),
                })
            );
            return Ok(());
        }
    }
    bail!("{histories} histories, and none fails")
}
