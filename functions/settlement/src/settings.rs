//! What Terraform may set for settlement.

use contract::{Context, Problem};
use kernel::{BasisPoints, SeoulDay, Timestamp};
use serde::Deserialize;

/// Settlement's settings; unset ones have their defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// The value-added tax on the fee.
    pub vat_bps: BasisPoints,
    /// How many days before its end a business day may be settled. More than none is for tests: the next settlement
    /// looks back one day only, so what is paid on days before the last one that was settled is in none.
    pub most_days_ahead: u32,
    /// How long an attempt at a run waits for its lines.
    pub deadline_seconds: u32,
    /// How long a run waits first before it looks at its lines again; later ever longer.
    pub poll_seconds: u32,
}

/// The longest wait between two looks.
const MOST_POLL_SECONDS: i64 = 300;

impl Default for Settings {
    fn default() -> Settings {
        let vat_bps = BasisPoints::try_new(1_000).unwrap_or(BasisPoints::WHOLE);
        Settings { vat_bps, most_days_ahead: 0, deadline_seconds: 21_600, poll_seconds: 30 }
    }
}

impl Settings {
    /// The settings of this function.
    pub fn of(context: &Context) -> Result<Settings, Problem> {
        context.settings.config()
    }

    /// The last business day that may be settled now.
    pub fn last_day(&self, now: Timestamp) -> SeoulDay {
        last_closed(now).plus_days(i64::from(self.most_days_ahead))
    }

    /// Whether an attempt has had its time.
    pub fn is_over(&self, attempted_at: Timestamp, now: Timestamp) -> bool {
        now >= attempted_at.plus_seconds(i64::from(self.deadline_seconds))
    }

    /// How long to wait before the next look: the longer, the longer the attempt has run.
    pub fn wait_seconds(&self, attempted_at: Timestamp, now: Timestamp) -> u32 {
        let first = i64::from(self.poll_seconds).max(1);
        let quarter = now.millis_since(attempted_at).div_euclid(4_000);
        let wait = quarter.clamp(first, first.max(MOST_POLL_SECONDS));
        u32::try_from(wait).unwrap_or(self.poll_seconds)
    }
}

/// The last business day that is over.
pub fn last_closed(now: Timestamp) -> SeoulDay {
    now.business_day().plus_days(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_five_minutes() {
        let settings = Settings::default();
        let began = events::example_time();
        for (seconds, wait) in [(-5, 30), (0, 30), (100, 30), (200, 50), (3_600, 300)] {
            assert_eq!(settings.wait_seconds(began, began.plus_seconds(seconds)), wait, "{seconds}");
        }
        assert!(!settings.is_over(began, began.plus_seconds(21_599)));
        assert!(settings.is_over(began, began.plus_seconds(21_600)));
    }

    #[test]
    fn a_day_is_closed_half_an_hour_before_midnight_in_seoul() {
        for (now, closed) in [
            ("2026-11-22T23:29:59+09:00", "2026-11-21"),
            ("2026-11-22T23:30:00+09:00", "2026-11-22"),
            ("2026-11-22T23:40:00+09:00", "2026-11-22"),
        ] {
            assert_eq!(last_closed(now.parse().unwrap()).as_str(), closed);
        }
    }
}
