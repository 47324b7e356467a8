//! Everything that follows from the services' tables, written by `make generate`.
//!
//! An output is a path and its whole text; writing and checking differ only in what is done with the difference.

pub mod calls;
pub mod facts;
pub mod machine;
pub mod openapi;
pub mod operations;
pub mod readme;
pub mod router;

use anyhow::{Context as _, Result, bail};
use contract::{Api, Service};
use serde_json::Value;
use std::{fs, path::Path};

/// A file as it must be.
pub struct Output {
    /// Where, from the project's root.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

/// Every generated file.
pub fn outputs(root: &Path, services: &[&'static Service]) -> Result<Vec<Output>> {
    let openapi = |api| openapi::document(root, services, api);
    let mut outputs = vec![
        json("infra/terraform/operations.json", operations::document(services)),
        json("infra/terraform/openapi.json", openapi(Api::Pay)?),
        json("infra/terraform/bank-openapi.json", openapi(Api::Bank)?),
        part_of(root, "functions/bootstrap/Cargo.toml", "#", "", &router::table(services))?,
        part_of(root, "README.md", "<!--", " -->", &readme::tables(services))?,
        part_of(root, "docs/settlement.md", "<!--", " -->", &machine::picture(&machine::read(root)?))?,
    ];
    outputs.extend(facts::files(root)?);
    outputs.extend(calls::files(services)?);
    Ok(outputs)
}

/// Writes what has changed.
pub fn write(root: &Path, services: &[&'static Service]) -> Result<String> {
    let stale = stale(root, services)?;
    for output in &stale {
        let path = root.join(&output.path);
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        fs::write(&path, &output.text).with_context(|| format!("writing {}", output.path))?;
    }
    let names: Vec<_> = stale.iter().map(|output| format!("wrote {}", output.path)).collect();
    Ok(if names.is_empty() { "everything is up to date".to_owned() } else { names.join("\n") })
}

/// Fails when an output is stale.
pub fn check(root: &Path, services: &[&'static Service]) -> Result<String> {
    let stale: Vec<_> = stale(root, services)?.into_iter().map(|output| output.path).collect();
    if !stale.is_empty() {
        bail!("stale: {}; run `make generate` and commit what it writes", stale.join(", "));
    }
    Ok("everything is up to date".to_owned())
}

fn stale(root: &Path, services: &[&'static Service]) -> Result<Vec<Output>> {
    let mut outputs = outputs(root, services)?;
    outputs.retain(|output| fs::read_to_string(root.join(&output.path)).ok().as_ref() != Some(&output.text));
    Ok(outputs)
}

/// A JSON file with its keys in order, whatever features serde_json was built with.
fn json(path: &str, mut value: Value) -> Output {
    value.sort_all_objects();
    Output { path: path.to_owned(), text: format!("{value:#}\n") }
}

/// A file by hand, of which one part between two marker lines is generated.
fn part_of(root: &Path, path: &str, open: &str, close: &str, part: &str) -> Result<Output> {
    let begin = format!("{open} begin: written by make generate{close}\n");
    let end = format!("{open} end: written by make generate{close}\n");
    let whole = fs::read_to_string(root.join(path)).with_context(|| format!("reading {path}"))?;
    let (before, rest) =
        whole.split_once(&begin).with_context(|| format!("{path} lacks the line {begin}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("{path} lacks the line {end}"))?;
    Ok(Output { path: path.to_owned(), text: format!("{before}{begin}{part}{end}{after}") })
}
