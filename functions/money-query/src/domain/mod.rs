//! The read model's rules: pure functions without clock, randomness or I/O.
//!
//! What is counted is a function of two sets alone: the legs that moved money in a wallet, and the stays that say where
//! its member lived when. Sets have no order, so the model has none either. A fact adds to one of the sets, and what
//! is written is the difference between the function's values after and before it.

pub mod counters;
pub mod effect;
pub mod timeline;

pub use counters::{Counters, Delta, OutOfCount};
pub use effect::{Cell, Effect};
pub use timeline::{Residence, Timeline};

use kernel::{Money, Timestamp};
use serde::{Deserialize, Serialize};

/// Where money is counted as long as nobody knows where its member lives. No address lies there.
pub const UNKNOWN: &str = "unknown";

/// What a leg does to its wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Money came from a bank account.
    Recharge,
    /// Money came from elsewhere.
    Credit,
    /// Money left.
    Debit,
}

/// One leg of one fact: money that came into a wallet, or left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leg {
    /// The event's id: a leg with it is counted once in a wallet.
    pub event_id: String,
    /// The ledger entry's time.
    pub time: Timestamp,
    /// What it does.
    pub side: Side,
    /// How much.
    #[serde(with = "kernel::money::won")]
    pub amount: Money,
}
