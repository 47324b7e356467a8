//! What operations cost, in figures that a noisy machine does not change: `make bench-units`, `make bench-start` and
//! `make bench-settlement`.
//!
//! The first counts DynamoDB units, AWS calls and dollars of every operation; the second counts a release binary's
//! instructions, memory and zip size; the third settles a day of many payments. All print their tables and write them
//! into docs/benchmarks.md. None is part of what is deployed.

#![allow(
    clippy::float_arithmetic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "figures that are printed and never booked, from JSON that this crate makes itself"
)]

mod bill;
mod costs;
mod dynoxide;
mod meter;
mod prices;
mod report;
mod rules;
mod runner;
mod runtime_api;
mod scenarios;
mod settlement;
mod size;
mod start;
mod tally;
mod tls;
mod units;
mod world;

use anyhow::{Context as _, Result};
use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("no project above")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match std::env::args().nth(1).as_deref() {
        Some("units") => {
            let accept = std::env::args().nth(2).as_deref() == Some("--accept");
            runtime.block_on(units::run(root, accept))
        }
        Some("start") => runtime.block_on(start::run(root)),
        Some("settlement") => {
            let arguments: Vec<String> = std::env::args().skip(2).collect();
            runtime.block_on(settlement::run(root, &arguments))
        }
        _ => anyhow::bail!(
            "usage: bench units [--accept] | bench start | bench settlement [payments franchises]"
        ),
    }
}
