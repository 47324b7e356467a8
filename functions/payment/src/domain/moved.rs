//! Which moment places what was paid, or came back, among its franchise's business days.
//!
//! It is that of the ledger's entry, whatever a function's clock says. But a record may come so late that settlements
//! look through the entry's day no more: the function that writes it was broken for days, or the record was restored.
//! By the entry's day it would be in no settlement, for ever. So it is placed by the moment at which it is written, and
//! keeps the entry's own time beside that. Its place decides lists, manifests and what is shown; what is compared with
//! the ledger goes by the entry.

use contract::peers::last_look_at;
use kernel::Timestamp;

/// When money moved, as the record of it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The moment that places it.
    pub at: Timestamp,
    /// The entry's time, if that is another.
    pub entered_at: Option<Timestamp>,
}

impl Moved {
    /// What the ledger moved then, and is recorded now.
    pub fn recorded(entered_at: Timestamp, now: Timestamp) -> Moved {
        // The last settlement that looks through the entry's day must be one to come.
        if now.business_day() < last_look_at(&entered_at.business_day()) {
            Moved { at: entered_at, entered_at: None }
        } else {
            Moved { at: now, entered_at: Some(entered_at) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_placed_by_its_entry_as_long_as_a_settlement_to_come_looks_there() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let entered = time("2026-11-20T12:00:00+09:00");
        for (now, is_late) in [
            ("2026-11-20T11:59:00+09:00", false),
            ("2026-11-20T12:00:00+09:00", false),
            ("2026-11-21T23:29:59+09:00", false),
            ("2026-11-21T23:30:00+09:00", true),
            ("2026-11-22T12:00:00+09:00", true),
            ("2027-11-22T12:00:00+09:00", true),
        ] {
            let expected = if is_late {
                Moved { at: time(now), entered_at: Some(entered) }
            } else {
                Moved { at: entered, entered_at: None }
            };
            assert_eq!(Moved::recorded(entered, time(now)), expected, "{now}");
        }
    }
}
