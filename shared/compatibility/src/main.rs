//! `make compatibility [BASE=<commit>]`: prints what differs from a released version, and fails if something breaks.

use anyhow::Result;
use clap::Parser;
use compatibility::{Finding, compare, excuses::Excuses, tree};
use std::{collections::BTreeSet, path::Path, process::ExitCode};

/// Compares the generated files with those of a released commit.
#[derive(Parser)]
struct Arguments {
    /// A commit, branch or tag, once or several times; without any, the last release or origin/main.
    #[arg(long)]
    base: Vec<String>,
    /// Only breaks.
    #[arg(long)]
    brief: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    let excuses = Excuses::read(root)?;
    let bases = match arguments.base.as_slice() {
        [] => BTreeSet::from([tree::usual_base(root)?]),
        named => named.iter().cloned().collect(),
    };
    let present = tree::Tree::present(root)?;
    let mut is_compatible = true;
    for base in bases {
        println!("compatibility with {base}");
        for (area, found) in compare(&tree::Tree::of_commit(root, &base)?, &present) {
            is_compatible &= report(area, &found, &excuses, arguments.brief);
        }
    }
    println!("{}", if is_compatible { "compatible" } else { "NOT COMPATIBLE: see docs/deployments.md" });
    Ok(is_compatible)
}

/// Prints an area; answers whether nothing in it breaks without a reason.
fn report(area: &str, found: &[Finding], excuses: &Excuses, brief: bool) -> bool {
    let (breaks, grows): (Vec<_>, Vec<_>) = found.iter().partition(|finding| finding.breaks);
    let (excused, unexcused): (Vec<_>, Vec<_>) =
        breaks.into_iter().partition(|finding| excuses.reason(finding).is_some());
    println!("  {area}: {} break, {} are excused, {} grow", unexcused.len(), excused.len(), grows.len());
    for Finding { subject, what, .. } in &unexcused {
        println!("    BREAKS  {subject}: {what}");
    }
    for finding in excused {
        let reason = excuses.reason(finding).unwrap_or_default();
        println!("    excused {}: {} ({reason})", finding.subject, finding.what);
    }
    for Finding { subject, what, .. } in grows.iter().filter(|_| !brief) {
        println!("    grows   {subject}: {what}");
    }
    unexcused.is_empty()
}
