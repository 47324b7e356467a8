//! The generated files of a commit, or of the working tree.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// Where they are. Files that a commit does not have yet are nothing that it has promised.
const PLACES: &[&str] = &[
    "infra/terraform/openapi.json",
    "infra/terraform/operations.json",
    "infra/terraform/settlement.asl.json",
    "events/schemas",
    "events/calls",
    "events/items",
];

/// JSON files by their path from the project's root.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree(BTreeMap<String, Value>);

impl Tree {
    /// A tree of these files.
    pub fn of(files: impl IntoIterator<Item = (String, Value)>) -> Tree {
        Tree(files.into_iter().collect())
    }

    /// The files as they stand in the working tree.
    pub fn present(root: &Path) -> Result<Tree> {
        let mut files = BTreeMap::new();
        for place in PLACES {
            let path = root.join(place);
            let listed = if path.is_dir() {
                let entries = fs::read_dir(&path)?.collect::<Result<Vec<_>, _>>()?;
                entries.iter().map(|entry| format!("{place}/{}", entry.file_name().display())).collect()
            } else {
                vec![(*place).to_owned()]
            };
            for name in listed.into_iter().filter(|name| is_read(name) && root.join(name).exists()) {
                files.insert(name.clone(), parsed(&name, &fs::read_to_string(root.join(&name))?)?);
            }
        }
        Ok(Tree(files))
    }

    /// The files as a commit has them.
    pub fn of_commit(root: &Path, commit: &str) -> Result<Tree> {
        let listed = git(root, &[&["ls-tree", "-r", "--name-only", commit, "--"], PLACES].concat())?;
        let mut files = BTreeMap::new();
        for name in listed.lines().filter(|name| is_read(name)) {
            let text = git(root, &["show", &format!("{commit}:{name}")])?;
            files.insert(name.to_owned(), parsed(name, &text)?);
        }
        ensure!(!files.is_empty(), "{commit} has none of the generated files");
        Ok(Tree(files))
    }

    /// The file at this path; null if there is none.
    pub fn file(&self, path: &str) -> &Value {
        self.0.get(path).unwrap_or(&Value::Null)
    }

    /// The files of a folder by their names without `.json`.
    pub fn folder(&self, folder: &str) -> BTreeMap<&str, &Value> {
        let named = |path: &str| path.len() > folder.len() && path.starts_with(folder);
        let files = self.0.iter().filter(|(path, _)| named(path));
        files
            .filter_map(|(path, value)| {
                Some((path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".json")?, value))
            })
            .collect()
    }
}

/// What the present work is compared with if nobody says: the last release, or else what is on the main branch.
pub fn usual_base(root: &Path) -> Result<String> {
    let last_release = git(root, &["describe", "--tags", "--abbrev=0", "--match", "v*"]);
    let main = || git(root, &["rev-parse", "--verify", "--quiet", "origin/main"]);
    let base = last_release.or_else(|_| main()).context(
        "there is neither a release (a tag v…) nor origin/main here: say with what to compare, BASE=<commit>",
    )?;
    Ok(base.trim().to_owned())
}

fn is_read(path: &str) -> bool {
    path.ends_with(".json")
}

fn parsed(name: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| format!("{name} is not JSON"))
}

fn git(root: &Path, arguments: &[&str]) -> Result<String> {
    let said = Command::new("git").current_dir(root).args(arguments).output().context("git cannot be run")?;
    let complaint = String::from_utf8_lossy(&said.stderr);
    ensure!(said.status.success(), "git {}: {}", arguments.join(" "), complaint.trim());
    String::from_utf8(said.stdout).context("git said something that is no text")
}
