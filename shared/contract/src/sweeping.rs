//! One sweep at a time: until when one that goes on from run to run is alive.
//!
//! A sweep or an audit reads a part of its table and lets the next run go on by a message. Through a large table that
//! takes longer than its schedule's interval, and sweeps that begin while others are at work would only ever become
//! more. So each notes how long it is alive, with every message by which it goes on, and the schedule begins none
//! meanwhile. Nothing else rests on the note: one that is lost means an additional sweep, and one that is left by a
//! sweep that died delays the next by a quarter of an hour. What ends within its first run notes nothing.

use crate::{Context, Problem};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use store::{AttributeValue, CommitError, Condition, Key, Read, Record, Write};

/// How long a sweep is taken for alive after its last sign, in seconds: longer than a message waits for its function
/// and comes again after a failure.
const ALIVE_SECONDS: i64 = 900;

/// The note of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sweeping {
    /// The operation's full name.
    pub operation: String,
    /// Until when it is alive, if there is no further sign of it.
    pub alive_until: Timestamp,
}

impl Record for Sweeping {
    const KIND: &'static str = "sweep";

    fn key(&self) -> Key {
        Sweeping::key_of(&self.operation)
    }

    fn expires_at_seconds(&self) -> Option<i64> {
        Some(self.alive_until.seconds())
    }
}

impl Sweeping {
    /// Where it is noted whether a sweep of this operation is alive.
    pub fn key_of(operation: &str) -> Key {
        Key::new(format!("sweep#{operation}"), "alive")
    }
}

/// Whether another sweep of this operation is at work, so that none begins.
pub async fn is_alive(context: &Context, operation: &str) -> Result<bool, Problem> {
    let item = context.table.get(&Sweeping::key_of(operation), Read::Consistent).await?;
    // A note that cannot be read says nothing.
    let known = item.and_then(|item| store::read::<Sweeping>(item).ok());
    let is_alive = known.is_some_and(|known| known.alive_until > context.clock.now());
    if is_alive {
        tracing::info!(about = operation, "a sweep is still at work, and no other begins");
    }
    Ok(is_alive)
}

/// Notes that a sweep has sent the message by which it goes on, after this delay. It comes after the message: who dies
/// in between is run again, and must not take itself for another.
pub async fn goes_on(context: &Context, operation: &str, delay_seconds: u32) -> Result<(), Problem> {
    let seconds = ALIVE_SECONDS.saturating_add(i64::from(delay_seconds));
    let alive_until = context.clock.now().plus_seconds(seconds);
    let note = Sweeping { operation: operation.to_owned(), alive_until };
    let later = AttributeValue::N(alive_until.seconds().to_string());
    let write = Write::put(&note, Condition::AbsentOrBelow("expiresAt", later))?;
    bear(context.table.commit(&[write]).await);
    Ok(())
}

/// Notes that a sweep has come to its end.
pub async fn ends(context: &Context, operation: &str) {
    let write = Write::Delete(Sweeping::key_of(operation), Condition::Always);
    bear(context.table.commit(&[write]).await);
}

/// A note is not worth a failure: that would repeat a run that has sent its message.
fn bear(outcome: Result<(), CommitError>) {
    if let Err(CommitError::Unavailable(error)) = outcome {
        tracing::warn!(cause = %error, "it is not noted how long a sweep is alive");
    }
}
