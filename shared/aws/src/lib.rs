//! AWS: adapters of every port, and [`serve`].
//!
//! Of what is deployed, only this crate and functions/bootstrap link AWS's SDK, so that services compile and test in
//! seconds; shared/bench links it too, to measure these adapters. Adapters retry what is safe to repeat and say
//! plainly when nobody knows the outcome; what to do then is the service's decision. Everything that a function learns
//! from its environment it reads once, at start.

pub mod bus;
pub mod calls;
pub mod config;
pub mod egress;
pub mod event;
pub mod local;
pub mod log;
pub mod queues;
pub mod secrets;
pub mod serve;
pub mod table;
pub mod workflows;

pub use serve::serve;
