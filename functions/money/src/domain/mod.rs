//! Money's rules: pure, without clock or I/O.

pub mod account;
pub mod audit;
pub mod entry;
pub mod ledger;
pub mod limits;

pub use account::Account;
pub use entry::{Entry, Kind, Standing};
pub use ledger::{Chain, Decision, Order, Step, close_reference, decide, refuse};
pub use limits::Limits;
