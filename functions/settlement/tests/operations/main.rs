//! Settlement's operations on the twin, with the services that they ask played by stand-ins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines,
    missing_docs,
    reason = "a test that fails should fail loudly"
)]

mod audit;
mod faults;
mod reading;
mod retrying;
mod runs;
mod support;
