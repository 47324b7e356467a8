//! How many logins may fail before the next one must wait.
//!
//! An attempt is counted before its password is looked at, so that a thousand guesses at once are a thousand
//! attempts. After five the wait begins at a minute and doubles up to a quarter of an hour: guessing becomes
//! hopeless, and nobody can be locked out for good. A success, or a day without attempts, begins anew.

use kernel::Timestamp;

/// How many attempts are free.
const FREE: u32 = 5;
const FIRST_WAIT_SECONDS: u64 = 60;
const LONGEST_WAIT_SECONDS: u64 = 900;
/// After a day without attempts there were none.
pub const FORGOTTEN_SECONDS: i64 = 86_400;

/// Attempts since the last success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// How many.
    pub count: u32,
    /// When the last one was.
    pub last_at: Timestamp,
}

/// No attempt now: so many seconds to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub u32);

/// Counts one more attempt, or says how long to wait for it.
pub fn admit(before: Option<Attempts>, now: Timestamp) -> Result<Attempts, Wait> {
    let Some(before) = before.filter(|before| now < before.last_at.plus_seconds(FORGOTTEN_SECONDS)) else {
        return Ok(Attempts { count: 1, last_at: now });
    };
    let wait = wait_seconds(before.count);
    let open = before.last_at.plus_seconds(i64::try_from(wait).unwrap_or(i64::MAX));
    if now >= open {
        return Ok(Attempts { count: before.count.saturating_add(1), last_at: now });
    }
    // Rounded up, and never longer than the rule says even if another function's clock is ahead.
    let left = u64::try_from(open.millis_since(now)).unwrap_or_default().div_ceil(1000).min(wait);
    Err(Wait(u32::try_from(left).unwrap_or(u32::MAX)))
}

fn wait_seconds(count: u32) -> u64 {
    match count.checked_sub(FREE) {
        None => 0,
        Some(beyond) => {
            FIRST_WAIT_SECONDS.saturating_mul(2_u64.saturating_pow(beyond)).min(LONGEST_WAIT_SECONDS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::EPOCH.plus_seconds(seconds)
    }

    #[test]
    fn waits_double_from_a_minute_to_a_quarter_of_an_hour() {
        let mut now = at(0);
        let mut attempts = None;
        for _ in 0..FREE {
            attempts = Some(admit(attempts, now).unwrap());
        }
        for wait in [60, 120, 240, 480, 900, 900, 900] {
            assert_eq!(admit(attempts, now), Err(Wait(wait)));
            assert_eq!(admit(attempts, now.plus_seconds(i64::from(wait) - 1)), Err(Wait(1)));
            now = now.plus_seconds(i64::from(wait));
            attempts = Some(admit(attempts, now).unwrap());
        }
        assert_eq!(admit(attempts, now.plus_seconds(FORGOTTEN_SECONDS)).unwrap().count, 1);
    }

    proptest! {
        #[test]
        fn nobody_waits_longer_than_a_quarter_of_an_hour(count: u32, last in 0_i64..1_000_000, now in 0_i64..1_000_000) {
            match admit(Some(Attempts { count, last_at: at(last) }), at(now)) {
                Ok(after) => prop_assert_eq!(after.last_at, at(now)),
                Err(Wait(seconds)) => prop_assert!((1..=900).contains(&seconds)),
            }
        }
    }
}
