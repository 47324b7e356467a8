//! Planted bugs: each is a change of one place in the sources, made in a copy of the tree, built, and hunted.
//!
//! The product knows nothing of them. bugs.toml says where a text stands and what stands there instead; a test holds
//! every text to be where it says, so that the list cannot grow stale unseen.

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use store::seal;

/// How many histories a bug may survive.
const MOST_HISTORIES: u64 = 600;
const TABLE: &str = "docs/planted-bugs.md";

#[derive(Deserialize)]
struct List {
    bug: Vec<Bug>,
}

/// A planted bug.
#[derive(Deserialize)]
struct Bug {
    name: String,
    /// Why it is one.
    why: String,
    /// The file, from the project's root.
    file: String,
    /// What stands there, once.
    find: String,
    /// What stands there instead.
    replace: String,
    /// The script in which every fault is placed, if chance alone would take too long to meet the bug.
    script: Option<String>,
}

/// Plants the bugs whose name has this text, hunts each, and writes its row of the table.
pub fn plant(wanted: &str) -> anyhow::Result<()> {
    let root = root();
    let bugs = list()?;
    let copy = root.join(".local/planted-bugs");
    let mut caught_bugs: usize = 0;
    let wanted_bugs: Vec<&Bug> = bugs.iter().filter(|bug| bug.name.contains(wanted)).collect();
    for bug in &wanted_bugs {
        println!("{} …", bug.name);
        copy_tree(&root, &copy)?;
        let file = copy.join(&bug.file);
        fs::write(&file, planted(bug, &fs::read_to_string(&file)?)?)?;
        let caught = hunt(&copy, bug.script.as_deref()).with_context(|| bug.name.clone());
        copy_tree(&root, &copy)?;
        match caught {
            Ok(caught) => {
                let (histories, judge) = (&caught["histories"], caught["judge"].as_str().unwrap_or_default());
                println!("  caught after {histories} by {judge}: {}", caught["finding"]);
                let known = fs::read_to_string(root.join(TABLE))?;
                fs::write(
                    root.join(TABLE),
                    table(&bugs, &known, &bug.name, &format!("{histories} | {judge}")),
                )?;
                caught_bugs += 1;
            }
            Err(error) => println!("  NOT CAUGHT: {error:#}"),
        }
    }
    let planted = wanted_bugs.len();
    ensure!(caught_bugs == planted, "{caught_bugs} of {planted} bugs were caught");
    println!("{planted} bugs planted, all caught");
    Ok(())
}

/// The table with one bug's catch; what is known of the others stays. A bug that is new, or was changed since it was
/// caught, waits with a question mark, and a test fails until it is planted.
fn table(bugs: &[Bug], known: &str, caught: &str, catch: &str) -> String {
    let mut text = String::from(
        "# Planted bugs\n\nWritten by `make simulate-bugs`: each bug of shared/simulation/bugs.toml is planted in a \
         copy of the sources,\nand the number of histories is how many ran, from seed 1 on, until a judge found \
         something. Where bugs.toml names a\nscript, they are the faults placed in it one by one.\n\n| bug | what it does | where | histories | judge |\n|---|---|---|---|---|\n",
    );
    for bug in bugs {
        let start = format!("| {} | {} | {} |", bug.name, bug.why, bug.file);
        let row = match known.lines().find_map(|line| line.strip_prefix(&start)) {
            _ if bug.name == caught => format!(" {catch} |"),
            Some(row) if known.contains(&mark(bug)) => row.to_owned(),
            _ => " ? | ? |".to_owned(),
        };
        let _ = writeln!(text, "{start}{row}");
    }
    text.push_str("\n<!-- What was planted, so that a bug that is changed must be caught again.\n");
    for bug in bugs.iter().filter(|bug| bug.name == caught || known.contains(&mark(bug))) {
        text.push_str(&mark(bug));
    }
    text + "-->\n"
}

/// The line that says what was planted when a bug was caught.
fn mark(bug: &Bug) -> String {
    let planted = seal::digest(&[&bug.find, &bug.replace, bug.script.as_deref().unwrap_or_default()]);
    format!("{}: {}\n", bug.name, planted.chars().take(8).collect::<String>())
}

fn list() -> anyhow::Result<Vec<Bug>> {
    let list: List = toml::from_str(&fs::read_to_string(root().join("shared/simulation/bugs.toml"))?)?;
    Ok(list.bug)
}

/// The file's text with the bug in it.
fn planted(bug: &Bug, text: &str) -> anyhow::Result<String> {
    let places = text.matches(&bug.find).count();
    ensure!(places == 1, "{}: the text stands {places} times in {}", bug.name, bug.file);
    Ok(text.replacen(&bug.find, &bug.replace, 1))
}

/// Builds the copy and hunts in it. The build shares what both have in common with the project's own.
fn hunt(copy: &Path, script: Option<&str>) -> anyhow::Result<Value> {
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(arguments).current_dir(copy).env("CARGO_TARGET_DIR", target());
        command
    };
    let built = cargo(&["build", "--quiet", "--package", "simulation"]).output()?;
    if !built.status.success() {
        bail!("it does not compile: {}", String::from_utf8_lossy(&built.stderr));
    }
    let most = MOST_HISTORIES.to_string();
    let mut arguments = vec!["run", "--quiet", "--package", "simulation", "--", "catch", "--most", &most];
    if let Some(script) = script {
        arguments.extend(["--script", script]);
    }
    let ran = cargo(&arguments).output()?;
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    // A bug that makes the simulation itself panic counts as not caught: no judge has said a word.
    if let Some(line) = told.lines().last().filter(|_| ran.status.success()) {
        return Ok(serde_json::from_str(line)?);
    }
    bail!("{told}{}", String::from_utf8_lossy(&ran.stderr));
}

/// Copies the sources, touching only what differs, so that little is built again.
fn copy_tree(root: &Path, copy: &Path) -> anyhow::Result<()> {
    let mut pairs: Vec<(PathBuf, PathBuf)> = Vec::new();
    for name in
        ["Cargo.toml", "Cargo.lock", "functions", "shared", "infra/terraform", ".cargo", "docs/benchmarks.md"]
    {
        pairs.push((root.join(name), copy.join(name)));
    }
    while let Some((from, to)) = pairs.pop() {
        if from.is_dir() {
            fs::create_dir_all(&to)?;
            for entry in fs::read_dir(&from)? {
                let name = entry?.file_name();
                pairs.push((from.join(&name), to.join(&name)));
            }
        } else if let Ok(bytes) = fs::read(&from)
            && fs::read(&to).ok().as_ref() != Some(&bytes)
        {
            fs::create_dir_all(to.parent().unwrap_or(copy))?;
            fs::write(&to, bytes)?;
        }
    }
    Ok(())
}

/// The tree that this is run in: the program itself may come from the copy, since both are built in one place.
pub fn root() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let tree = here.ancestors().find(|folder| folder.join("shared/simulation/bugs.toml").exists());
    tree.unwrap_or(&here).to_path_buf()
}

/// Where this very program was built.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(2).map_or_else(|| root().join("target"), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_can_be_planted_and_is_in_the_table() {
        let written = fs::read_to_string(root().join(TABLE)).unwrap();
        for bug in list().unwrap() {
            let text = fs::read_to_string(root().join(&bug.file)).unwrap();
            planted(&bug, &text).unwrap();
            let start = format!("| {} | {} | {} |", bug.name, bug.why, bug.file);
            let row = written.lines().find_map(|line| line.strip_prefix(&start));
            assert!(row.is_some_and(|row| !row.contains('?')), "{} was never caught: {TABLE}", bug.name);
            assert!(written.contains(&mark(&bug)), "{} was changed since it was caught: {TABLE}", bug.name);
        }
        let rows = written.lines().filter(|line| line.starts_with("| ")).count();
        assert_eq!(rows, list().unwrap().len() + 1, "{TABLE} has rows of bugs that are not there");
    }
}
