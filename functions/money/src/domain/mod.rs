//! Money's rules: pure, without clock or I/O.

pub mod account;
pub mod audit;
pub mod entry;
pub mod journal;
pub mod journal_audit;
pub mod ledger;
pub mod limits;
pub mod link;

pub use account::Account;
pub use entry::{Entry, Kind, Standing};
pub use journal::{Journal, JournalEntry, JournalKind, JournalOrder, JournalStep};
pub use ledger::{Chain, Decision, Order, Step, close_reference, decide, refuse};
pub use limits::Limits;
pub use link::Link;
