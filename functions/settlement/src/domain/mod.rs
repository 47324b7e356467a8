//! Settlement's rules: what a day's payments come to, which days and manifests a line takes, how lines follow each
//! other, and how a statement is written. Pure: no clock, no I/O.

mod chain;
mod fee;
mod statement;
mod window;

pub use chain::{Carry, Outcome, carry, outcome};
pub use fee::{Reckoning, fee_of, reckon};
pub use statement::{COLUMNS, Summary, Writer};
pub use window::{Before, LINES_BEFORE, Window, is_due, last_day, rests, window};
