//! The whole of Pay in one process: every service, the bus, queues, schedules, clocks and the bank, driven by one seed.
//!
//! Read [`history`] first: people act ([`actions`]), faults strike ([`faults`]), the system comes to rest, and the
//! [`judges`] look. The services' own operations run, through the same ports as on AWS; nothing reads the real time
//! or real randomness, so that a seed replays exactly. docs/simulation.md shows how to use it and how to add to it.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a simulation that is wrong itself should stop loudly"
)]

pub mod actions;
pub mod agenda;
pub mod cells;
pub mod faults;
pub mod forms;
pub mod history;
pub mod hunt;
pub mod judges;
pub mod machine;
pub mod mix;
pub mod people;
pub mod platform;
pub mod random;
pub mod run;
pub mod scripts;
pub mod settings;
pub mod story;
pub mod versions;
pub mod workflows;
pub mod world;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
