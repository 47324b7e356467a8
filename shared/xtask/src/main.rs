//! `cargo run -p xtask -- generate [--check]`: `make generate` runs it.

use std::process::ExitCode;
use xtask::{SERVICES, generate, root};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["generate"] => generate::write(&root(), SERVICES),
        ["generate", "--check"] => generate::check(&root(), SERVICES),
        _ => Err(anyhow::anyhow!("usage: cargo run -p xtask -- generate [--check]")),
    };
    match outcome {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
