//! Who works on a saga's record: the call that put it, for as long as its function may run.
//!
//! The record is put under the id of the request's key, so one of all that ask has put it, and works; a repetition
//! is told to wait as long as the lease lasts, and takes the work over afterwards. A lease keeps two from doing the
//! same work twice, and nothing more: every step is idempotent, so who works in vain does no harm.

use crate::{Context, Problem, problem};
use kernel::Timestamp;
use store::{Condition, Read, Record, Write};

/// How long the one who works on a record is left alone: longer than its function may run.
const SECONDS: i64 = 20;

/// Until when one who begins now is left alone.
pub fn from(now: Timestamp) -> Timestamp {
    now.plus_seconds(SECONDS)
}

/// The next lease of a record whose first worker may have died, or that it is still at work.
pub fn take_over(leased_until: Timestamp, now: Timestamp) -> Result<Timestamp, Problem> {
    let wait = leased_until.millis_since(now);
    if wait > 0 {
        let seconds = u32::try_from(wait.div_euclid(1000)).unwrap_or(0).saturating_add(1);
        return Err(Problem::from(&problem::REQUEST_IN_PROGRESS).retry_after(seconds));
    }
    Ok(from(now))
}

/// Whose record there is under an id.
#[derive(Debug, PartialEq)]
pub enum First<R> {
    /// This call has put it, and works on it.
    Ours(R),
    /// An earlier call with the same key has put it.
    Theirs(R),
}

/// Puts a saga's record if there is none under its id.
pub async fn put_first<R: Record + PartialEq>(context: &Context, record: R) -> Result<First<R>, Problem> {
    let error = match context.table.commit(&[Write::put(&record, Condition::Absent)?]).await {
        Ok(()) => return Ok(First::Ours(record)),
        Err(error) if error.is_collision() => error,
        Err(error) => return Err(error.into()),
    };
    let there = match error.found(0) {
        Some(found) => Some(found.clone()),
        None => context.table.get(&record.key(), Read::Consistent).await?,
    };
    let there: R = store::read(there.ok_or_else(|| Problem::unavailable("a contended put"))?)?;
    // The answer to our put may have been lost, and its repetition have met what it wrote, or another transaction. If
    // that were taken for another's, its only worker would tell itself to wait, and nobody would work for the lease.
    Ok(if there == record { First::Ours(there) } else { First::Theirs(there) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_kept_to_its_last_millisecond_and_then_taken_over() {
        let now = events::example_time();
        let left = |millis: i64| {
            let until = Timestamp::from_millis(now.millis().saturating_add(millis));
            take_over(until, now).map_err(|problem| problem.retry_after_seconds)
        };
        for (millis, seconds) in [(1, 1), (999, 1), (1_000, 2), (20_000, 21)] {
            assert_eq!(left(millis), Err(Some(seconds)), "{millis}");
        }
        for millis in [0, -1, -60_000] {
            assert_eq!(left(millis), Ok(now.plus_seconds(20)), "{millis}");
        }
    }
}
