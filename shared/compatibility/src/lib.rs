//! Says what of a released Pay a change would break.
//!
//! `make compatibility` compares the generated files of a released commit with the present ones: the public API, facts,
//! what services ask of each other, stored items, tables, and what waits in queues. During a deployment both versions
//! run side by side, and after a roll-back the old one reads what the new one has left, so most rules hold in both
//! directions. docs/deployments.md lists them.

pub mod api;
pub mod excuses;
pub mod inner;
pub mod schema;
pub mod tree;

use std::fmt;
use tree::Tree;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What it is about, such as `GET /v1/payments` or `money.increased.v1`.
    pub subject: String,
    /// What differs.
    pub what: String,
    /// Whether somebody who knows only the old version is broken by it.
    pub breaks: bool,
}

impl Finding {
    /// A difference that breaks somebody.
    pub fn breaks(subject: impl fmt::Display, what: impl fmt::Display) -> Finding {
        Finding { subject: subject.to_string(), what: what.to_string(), breaks: true }
    }

    /// A difference that nobody has to know of.
    pub fn grows(subject: impl fmt::Display, what: impl fmt::Display) -> Finding {
        Finding { subject: subject.to_string(), what: what.to_string(), breaks: false }
    }
}

/// Everything that differs between a released tree and the present one, by area.
pub fn compare(was: &Tree, is: &Tree) -> Vec<(&'static str, Vec<Finding>)> {
    vec![
        ("public API", api::compare(was, is)),
        ("facts", inner::facts(was, is)),
        ("calls among services", inner::calls(was, is)),
        ("operations and their queues", inner::operations(was, is)),
        ("tables", inner::tables(was, is)),
        ("stored items", inner::items(was, is)),
    ]
}
