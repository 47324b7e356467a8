//! What was spent: one line for every call that leaves a function.
//!
//! A scenario runs alone and its calls come one after the other, so what was pushed between two looks belongs to it.
//! The scope says on whose account a call is: the request's, the external bank's, or the relay's after it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// On whose account a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The request itself, with the operations that it calls.
    #[default]
    Request,
    /// The external bank's own system.
    Bank,
    /// The relay of what the request has committed.
    Relay,
    /// Setting up and looking on: not counted.
    Nobody,
}

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A table.
    Table,
    /// Another operation's function.
    Lambda,
    /// Secrets Manager.
    Secret,
    /// The bus; so many events.
    Bus(usize),
    /// An operation's queue.
    Queue,
    /// Step Functions.
    Workflow,
    /// The external bank: no call of AWS.
    Bank,
}

/// DynamoDB's units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Units {
    /// Write units of the table.
    pub table_writes: f64,
    /// Write units of its indexes.
    pub index_writes: f64,
    /// Read units of table and indexes.
    pub reads: f64,
}

impl Units {
    /// Write units of table and indexes.
    pub fn writes(&self) -> f64 {
        self.table_writes + self.index_writes
    }

    fn plus(self, other: Units) -> Units {
        Units {
            table_writes: self.table_writes + other.table_writes,
            index_writes: self.index_writes + other.index_writes,
            reads: self.reads + other.reads,
        }
    }
}

/// One call.
#[derive(Clone, Debug)]
pub struct Spent {
    /// On whose account.
    pub scope: Scope,
    /// What was called.
    pub callee: Callee,
    /// Whose table, or which operation, secret or path.
    pub target: String,
    /// DynamoDB's name of the call, or a word for another one.
    pub call: String,
    /// Which items it was about.
    pub about: String,
    /// What DynamoDB charged.
    pub units: Units,
    /// Whether a condition did not hold, so that the units are a rule's and not DynamoDB's.
    pub refused: bool,
}

#[derive(Default)]
struct Counting {
    scope: Scope,
    spent: Vec<Spent>,
}

/// Everything spent since the last look.
#[derive(Default)]
pub struct Tally(Mutex<Counting>);

impl Tally {
    fn counting(&self) -> MutexGuard<'_, Counting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says on whose account the next calls are; answers on whose they were.
    pub fn enter(&self, scope: Scope) -> Scope {
        std::mem::replace(&mut self.counting().scope, scope)
    }

    /// Notes a call.
    pub fn push(&self, callee: Callee, target: &str, call: &str, units: Units) {
        let mut counting = self.counting();
        let scope = counting.scope;
        counting.spent.push(Spent {
            scope,
            callee,
            target: target.to_owned(),
            call: call.to_owned(),
            about: String::new(),
            units,
            refused: false,
        });
    }

    /// Says what the last call was about, and, if it was refused, what it is charged.
    pub fn annotate(&self, target: &str, about: String, refused: Option<Units>) {
        if let Some(last) = self.counting().spent.last_mut() {
            target.clone_into(&mut last.target);
            last.about = about;
            if let Some(units) = refused {
                last.units = units;
                last.refused = true;
            }
        }
    }

    /// Takes what was spent since the last time, without what is on nobody's account.
    pub fn take(&self) -> Vec<Spent> {
        let mut spent = std::mem::take(&mut self.counting().spent);
        spent.retain(|spent| spent.scope != Scope::Nobody);
        spent
    }
}

/// The units of these calls that are on this account.
pub fn units(spent: &[Spent], scope: Scope) -> Units {
    let own = spent.iter().filter(|spent| spent.scope == scope);
    own.fold(Units::default(), |sum, spent| sum.plus(spent.units))
}

/// How many of these calls went to AWS on this account.
pub fn aws_calls(spent: &[Spent], scope: Scope) -> usize {
    spent.iter().filter(|spent| spent.scope == scope && spent.callee != Callee::Bank).count()
}
