//! How often a member may ask for another email.
//!
//! Whether somebody has an email cannot be kept from whoever wants it for themselves, so the asking is bounded: five
//! times a day, taken or not. It is counted before the answer is told, so that a thousand questions at once are a
//! thousand questions.

use super::lockout::Wait;
use crate::items::EmailChanges;
use kernel::Timestamp;

/// How many changes a day may bring.
const MOST: u32 = 5;
/// When they are forgotten, counted from the first of them.
const FORGOTTEN_SECONDS: i64 = 86_400;

/// Counts one more change, or says how long to wait for it.
pub fn admit(before: Option<EmailChanges>, now: Timestamp) -> Result<EmailChanges, Wait> {
    let open = |before: &EmailChanges| before.since.plus_seconds(FORGOTTEN_SECONDS);
    let Some(before) = before.filter(|before| now < open(before)) else {
        return Ok(EmailChanges { count: 1, since: now });
    };
    if before.count < MOST {
        return Ok(EmailChanges { count: before.count.saturating_add(1), ..before });
    }
    // Rounded up, and never longer than a day even if another function's clock is ahead.
    let left = u64::try_from(open(&before).millis_since(now)).unwrap_or_default().div_ceil(1000);
    let most = u32::try_from(FORGOTTEN_SECONDS).unwrap_or(u32::MAX);
    Err(Wait(u32::try_from(left).unwrap_or(u32::MAX).min(most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_a_day_and_the_day_begins_with_the_first() {
        let at = |seconds| Timestamp::EPOCH.plus_seconds(seconds);
        let mut changes = None;
        for hour in 0..5 {
            changes = Some(admit(changes, at(hour * 3600)).unwrap());
        }
        assert_eq!(admit(changes, at(5 * 3600)), Err(Wait(19 * 3600)));
        assert_eq!(admit(changes, at(86_399)), Err(Wait(1)));
        assert_eq!(admit(changes, at(86_400)), Ok(EmailChanges { count: 1, since: at(86_400) }));
        assert_eq!(
            admit(changes, at(-86_400)),
            Err(Wait(86_400)),
            "another function's clock is a day behind"
        );
    }
}
