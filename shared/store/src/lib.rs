//! One service's table: the [`Table`] port with three methods, and what goes through it.
//!
//! A service loads items, decides, and commits once; every write carries a condition. The port knows no AWS:
//! shared/aws adapts it to DynamoDB, and [`twin`] is the same table in memory for tests. A conformance suite
//! holds both to one behaviour.

#[cfg(feature = "testing")]
pub mod conformance;
pub mod record;
pub mod seal;
pub mod table;
#[cfg(feature = "testing")]
pub mod twin;

pub use record::{Kind, Record, Unreadable, kind_of, read};
pub use serde_dynamo::{AttributeValue, Item};
pub use table::{
    CommitError, Condition, Index, Key, Order, Page, Query, Read, Refused, Scope, Sort, Table, Unavailable,
    Write,
};
