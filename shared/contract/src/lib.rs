//! What an operation is.
//!
//! A service is a table of [`Operation`]s: name, triggers, access, grants and a handler. Everything else follows from
//! that table: Terraform, OpenAPI, the local router and README. An operation is an async function from a [`Call`] to
//! a [`Reply`] or a [`Problem`]; what it needs of the world it reaches through the ports of its [`Context`].

pub mod audit;
pub mod bank_codes;
pub mod call;
pub mod former;
pub mod franchise_codes;
pub mod http;
#[cfg(feature = "testing")]
pub mod items;
mod json;
pub mod lease;
pub mod log;
pub mod money_codes;
pub mod operation;
pub mod outbox;
pub mod page;
pub mod peers;
pub mod ports;
pub mod problem;
pub mod story;
pub mod sweeping;
#[cfg(feature = "testing")]
pub mod testing;
pub mod top_up;

pub use call::{Call, Caller, IdempotencyKey, Reference, Reply, Scope, Trace};
pub use operation::{Access, Api, Describe, Grant, Handled, Method, Operation, Service, Trigger};
pub use page::{Limit, Listing};
pub use ports::{Context, Settings};
pub use problem::{Code, FieldError, Problem};
