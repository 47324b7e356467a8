//! What is kept of soaks: a line of docs/soak.toml for each, so that several runs add up; and the table of cells.

use crate::bugs::root;
use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, fs, process::Command};

const SOAKS: &str = "docs/soak.toml";
const HEAD: &str =
    "# Soaks that were kept, by `make soak RECORD=1`, one after another. Nobody writes in it by hand.\n\n";
const REACHED: &str = "shared/simulation/reached.txt";
/// A file, and the marks around what is written into it.
type Place = (&'static str, &'static str, &'static str);
const CELLS: Place = ("docs/simulation.md", "<!-- cells: begin -->\n", "<!-- cells: end -->\n");
const SUM: Place = ("docs/reliability.md", "<!-- soak: begin -->\n", "<!-- soak: end -->\n");

/// What one soak came to.
#[derive(Default, Serialize, Deserialize)]
pub struct Line {
    /// The day on which it ended, in UTC.
    pub day: String,
    /// The commit that was soaked, with + if files differed from it.
    pub commit: String,
    /// The first seed; the others follow on.
    pub first_seed: u64,
    /// How many histories.
    pub histories: u64,
    /// How many actions they had.
    pub actions: u64,
    /// How many runs of operations.
    pub operations: u64,
    /// How many faults struck.
    pub faults: u64,
    /// In how many cells.
    pub cells: usize,
    /// How many histories failed.
    pub failures: u64,
    /// How long it took, in seconds.
    pub seconds: u64,
}

/// All that is kept.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    soak: Vec<Line>,
}

impl Line {
    /// A line with its day and commit.
    pub fn begun() -> anyhow::Result<Line> {
        let told = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).current_dir(root()).output()?;
            anyhow::Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let changed = !told("git", &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
        let commit = told("git", &["rev-parse", "--short", "HEAD"])?;
        let commit = if changed { format!("{commit}+") } else { commit };
        Ok(Line { day: told("date", &["-u", "+%Y-%m-%d"])?, commit, ..Line::default() })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line {
            commit, first_seed, histories, actions, operations, faults, cells, failures, seconds, ..
        } = self;
        write!(
            formatter,
            "{histories} histories of {actions} actions from seed {first_seed} at {commit}: {operations} operations run, {faults} faults in \
             {cells} cells, {failures} failures; {} histories a second",
            histories / seconds.max(&1)
        )
    }
}

/// Adds a line, and tells what all come to.
pub fn keep(line: &Line) -> anyhow::Result<()> {
    let path = root().join(SOAKS);
    let before = fs::read_to_string(&path).unwrap_or_else(|_| HEAD.to_owned());
    // A text or a whole number is written in TOML as in JSON.
    let fields = serde_json::to_value(line)?;
    let fields = fields.as_object().into_iter().flatten().map(|(name, value)| format!("{name} = {value}\n"));
    let after = format!("{}\n\n[[soak]]\n{}", before.trim_end(), fields.collect::<String>());
    let kept: Kept = toml::from_str(&after).context(SOAKS)?;
    fs::write(&path, after)?;
    println!("{} histories are kept in {SOAKS}.", kept.histories());
    put(SUM, &kept.sum())
}

impl Kept {
    fn histories(&self) -> u64 {
        self.soak.iter().map(|line| line.histories).sum()
    }

    /// All that is kept, in a sentence.
    fn sum(&self) -> String {
        let of = |what: fn(&Line) -> u64| self.soak.iter().map(what).sum::<u64>();
        format!(
            "Soaked so far, by `make soak RECORD=1`: {} histories of {} actions, {} operations run, {} faults; {} failed.\n",
            self.histories(),
            of(|line| line.actions),
            of(|line| line.operations),
            of(|line| line.faults),
            of(|line| line.failures),
        )
    }
}

/// Puts the table of cells between its marks.
pub fn write_table(table: &str) -> anyhow::Result<()> {
    put(CELLS, table)
}

/// Writes down what scripts reach, for a test that none of it is lost.
pub fn write_reached(reached: &BTreeSet<String>) -> anyhow::Result<()> {
    let lines: String = reached.iter().map(|line| format!("{line}\n")).collect();
    fs::write(root().join(REACHED), lines).context(REACHED)
}

fn put(place: Place, text: &str) -> anyhow::Result<()> {
    let (file, begin, end) = place;
    let path = root().join(file);
    let document = fs::read_to_string(&path)?;
    let [before, _, after] = around(place, &document)?;
    fs::write(&path, format!("{before}{begin}{text}{end}{after}"))?;
    Ok(())
}

/// What stands before a place's marks, between them and behind them.
fn around((file, begin, end): Place, document: &str) -> anyhow::Result<[&str; 3]> {
    let (before, rest) = document.split_once(begin).with_context(|| format!("{file} has no marks"))?;
    let (between, after) = rest.split_once(end).with_context(|| format!("{file} has one mark"))?;
    ensure!(!after.contains(begin), "{file} has its marks twice");
    Ok([before, between, after])
}

#[cfg(test)]
mod tests {
    use super::{Kept, SOAKS, SUM, around, root};
    use std::fs;

    #[test]
    fn the_sum_of_all_soaks_is_current() {
        let kept: Kept = toml::from_str(&fs::read_to_string(root().join(SOAKS)).unwrap()).unwrap();
        let document = fs::read_to_string(root().join(SUM.0)).unwrap();
        let [_, written, _] = around(SUM, &document).unwrap();
        assert_eq!(written, kept.sum());
    }
}
