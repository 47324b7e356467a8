//! Banking's rules: pure, without clock or I/O.

pub mod firmbanking_id;
pub mod holder;
pub mod number;
pub mod progress;

pub use holder::Holder;
pub use number::AccountNumber;
pub use progress::{Heard, Last, Outcome, Step, next};
