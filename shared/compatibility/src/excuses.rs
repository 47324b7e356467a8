//! docs/compatibility.toml: breaks that are meant, each with its reason.

use crate::Finding;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::{fs, path::Path};

/// Where it is, from the project's root.
pub const FILE: &str = "docs/compatibility.toml";

/// All of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excuses {
    #[serde(default, rename = "break")]
    breaks: Vec<Excuse>,
}

/// One.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Excuse {
    /// As the report says it.
    subject: String,
    /// As the report says it.
    what: String,
    /// Why nobody is hurt, or who has been told.
    reason: String,
}

impl Excuses {
    /// Reads the file; without one there is no excuse.
    pub fn read(root: &Path) -> Result<Excuses> {
        match fs::read_to_string(root.join(FILE)) {
            Ok(text) => Excuses::parse(&text),
            Err(_) => Ok(Excuses::default()),
        }
    }

    /// Reads its text.
    pub fn parse(text: &str) -> Result<Excuses> {
        let excuses: Excuses = toml::from_str(text).with_context(|| format!("{FILE} cannot be read"))?;
        let silent = excuses.breaks.iter().find(|excuse| excuse.reason.trim().is_empty());
        match silent {
            Some(excuse) => anyhow::bail!("{FILE}: {} has no reason", excuse.subject),
            None => Ok(excuses),
        }
    }

    /// Why a break is meant, if it is.
    pub fn reason(&self, finding: &Finding) -> Option<&str> {
        let same = |excuse: &&Excuse| excuse.subject == finding.subject && excuse.what == finding.what;
        self.breaks.iter().find(same).map(|excuse| excuse.reason.as_str())
    }
}
