//! Which business days a line takes, and which manifests before it have some of them already.
//!
//! A record may come late, by some business days: so a line looks through the last days of the line before it again, as
//! many as [`LOOK_BACK_DAYS`], and leaves out what the manifests that reach these days list already. A manifest's name
//! has the line's place in the chain, and the lines before that place never change. So all who collect under one name
//! look through the same days and leave out the same manifests.

use contract::peers::{LOOK_BACK_DAYS, ManifestName, first_looked_at_after, last_look_at};
use events::franchise::{SettlementCycle, Weekday};
use kernel::SeoulDay;

/// How many of the newest lines of a franchise's chain a window needs: one a day, at most, reaches days looked through
/// again.
pub const LINES_BEFORE: u32 = LOOK_BACK_DAYS;

/// The newest lines of a franchise's chain, as far as a window needs them, the newest first.
pub type Before<'a> = &'a [ManifestName];

/// What a line takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its manifest.
    pub name: ManifestName,
    /// The first day to look through; the name says the last.
    pub from: SeoulDay,
    /// The manifests whose contents are left out.
    pub settled: Vec<ManifestName>,
}

/// The last day that a run of this business day settles under this cycle.
pub fn last_day(cycle: SettlementCycle, run: &SeoulDay) -> SeoulDay {
    match cycle {
        SettlementCycle::Daily {} => run.clone(),
        SettlementCycle::Weekly { weekday } => {
            let past = weekday_of(run).saturating_sub(place_of(weekday)).rem_euclid(7);
            run.plus_days(past.saturating_neg())
        }
    }
}

/// Whether there is something to settle through this day: the franchise was there, and no line covers it.
pub fn is_due(through: &SeoulDay, registered: &SeoulDay, before: Before<'_>) -> bool {
    registered <= through && before.first().is_none_or(|newest| newest.through < *through)
}

/// How often a franchise that rests is looked at.
const REST_DAYS: i64 = 7;

/// Whether a franchise that was closed on this day may wait for its next line, though something is due.
///
/// Once no line to come looks through its last day, it is paid no more. But a payment of it may be taken back whenever
/// its payer or its owner likes, and only payment knows: to ask costs as much as to collect, and an empty line costs
/// the run 13 write units. So it is looked at once a week, and the line that comes then takes all days since the one
/// before: what came back is carried a few days later, and nothing is left behind. One whose cycle is weekly has no
/// more lines than that anyway.
pub fn rests(closed: &SeoulDay, cycle: SettlementCycle, through: &SeoulDay, before: Before<'_>) -> bool {
    let is_daily = cycle == SettlementCycle::Daily {};
    before.first().is_some_and(|newest| {
        let is_over = newest.through >= last_look_at(closed);
        is_daily && is_over && through.days_since(&newest.through) < REST_DAYS
    })
}

/// What the next line takes; none if the chain covers its last day.
pub fn window(through: &SeoulDay, registered: &SeoulDay, before: Before<'_>) -> Option<Window> {
    if !is_due(through, registered, before) {
        return None;
    }
    let earliest = registered.plus_days(-1);
    let from = match before.first() {
        Some(newest) => earliest.max(first_looked_at_after(&newest.through)),
        None => earliest,
    };
    let sequence = before.first().map_or(1, |newest| newest.sequence.saturating_add(1));
    let settled = before.iter().filter(|line| line.through >= from).cloned().collect();
    Some(Window { name: ManifestName { sequence, through: through.clone() }, from, settled })
}

/// The day's place in the week: 0 for Monday. The first day of 1970 was a Thursday.
fn weekday_of(day: &SeoulDay) -> i64 {
    let since_thursday = "1970-01-01".parse().map_or(0, |first| day.days_since(&first));
    since_thursday.saturating_add(3).rem_euclid(7)
}

fn place_of(weekday: Weekday) -> i64 {
    match weekday {
        Weekday::Monday => 0,
        Weekday::Tuesday => 1,
        Weekday::Wednesday => 2,
        Weekday::Thursday => 3,
        Weekday::Friday => 4,
        Weekday::Saturday => 5,
        Weekday::Sunday => 6,
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test's own arithmetic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WEEK: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];

    fn day(text: &str) -> SeoulDay {
        text.parse().unwrap()
    }

    fn days() -> impl Strategy<Value = SeoulDay> {
        (10_i64..40_000).prop_map(|days| day("1970-01-01").plus_days(days))
    }

    fn names(throughs: &[SeoulDay]) -> Vec<ManifestName> {
        let mut names: Vec<_> = throughs
            .iter()
            .zip(1_u64..)
            .map(|(through, sequence)| ManifestName { sequence, through: through.clone() })
            .collect();
        names.reverse();
        names
    }

    proptest! {
        #[test]
        fn a_weekly_run_ends_on_its_weekday_within_the_week(run in days(), place in 0..7_usize) {
            let through = last_day(SettlementCycle::Weekly { weekday: WEEK[place] }, &run);
            prop_assert!((0..7).contains(&run.days_since(&through)));
            prop_assert_eq!(usize::try_from(weekday_of(&through)).unwrap(), place);
            // The next day's run ends on the same day, or, if it is that weekday, on itself.
            let next = last_day(SettlementCycle::Weekly { weekday: WEEK[place] }, &run.plus_days(1));
            prop_assert!(next == through || next == run.plus_days(1));
        }

        /// Whatever lines there were: every day from the registration on is looked through by the line that covers
        /// it and again by the next, and nothing that an earlier manifest may list is collected blindly.
        #[test]
        fn every_day_is_covered_and_looked_at_again(start in days(), gaps in prop::collection::vec(1..12_i64, 1..12)) {
            let mut lines: Vec<(SeoulDay, SeoulDay)> = Vec::new();
            let mut through = start.clone();
            for gap in gaps {
                let all: Vec<SeoulDay> = lines.iter().map(|(_, through)| through.clone()).collect();
                let before: Vec<ManifestName> = names(&all).into_iter().take(2).collect();
                let taken = window(&through, &start, &before).unwrap();
                prop_assert_eq!(taken.name.sequence, u64::try_from(lines.len()).unwrap() + 1);
                for (place, known) in all.iter().enumerate() {
                    let named = taken.settled.iter().any(|name| name.sequence == u64::try_from(place).unwrap() + 1);
                    prop_assert_eq!(named, *known >= taken.from);
                }
                if let Some(newest) = all.last() {
                    prop_assert!(taken.from <= *newest);
                    prop_assert!(window(newest, &start, &before).is_none());
                }
                lines.push((taken.from, through.clone()));
                through = through.plus_days(gap);
            }
            let last = lines.last().unwrap().1.clone();
            let mut looked = start.clone();
            while looked <= last {
                prop_assert!(lines.iter().any(|(from, to)| *from <= looked && looked <= *to));
                looked = looked.plus_days(1);
            }
        }
    }

    #[test]
    fn cycles_end_where_they_say() {
        // 2026-11-22 is a Sunday.
        for (weekday, expected) in [
            (Weekday::Sunday, "2026-11-22"),
            (Weekday::Saturday, "2026-11-21"),
            (Weekday::Monday, "2026-11-16"),
        ] {
            assert_eq!(last_day(SettlementCycle::Weekly { weekday }, &day("2026-11-22")), day(expected));
        }
        assert_eq!(last_day(SettlementCycle::Daily {}, &day("2026-11-22")), day("2026-11-22"));
    }

    #[test]
    fn who_came_after_the_day_is_not_due() {
        let through = day("2026-11-22");
        assert!(is_due(&through, &day("2026-11-22"), &[]));
        assert!(!is_due(&through, &day("2026-11-23"), &[]));
        for (covered, due) in [("2026-11-21", true), ("2026-11-22", false), ("2026-11-23", false)] {
            assert_eq!(is_due(&through, &day("2026-11-01"), &names(&[day(covered)])), due, "{covered}");
        }
    }

    #[test]
    fn a_closed_franchise_rests_once_no_line_to_come_looks_through_its_last_day() {
        let (daily, weekly) =
            (SettlementCycle::Daily {}, SettlementCycle::Weekly { weekday: Weekday::Sunday });
        let closed = day("2026-11-01");
        for (covered, through, expected) in [
            ("2026-10-31", "2026-11-01", false),
            ("2026-11-01", "2026-11-02", false),
            ("2026-11-02", "2026-11-03", false),
            ("2026-11-03", "2026-11-04", true),
            ("2026-11-03", "2026-11-09", true),
            ("2026-11-03", "2026-11-10", false),
            ("2026-11-03", "2027-11-03", false),
        ] {
            let before = names(&[day(covered)]);
            assert_eq!(rests(&closed, daily, &day(through), &before), expected, "{covered} {through}");
            assert!(!rests(&closed, weekly, &day(through), &before));
        }
        assert!(!rests(&closed, daily, &day("2026-11-20"), &[]), "it has no line yet");
    }

    #[test]
    fn windows_begin_before_the_line_before() {
        let registered = day("2026-11-01");
        let taken = |through: &str, before: &[&str]| {
            let before: Vec<_> = before.iter().map(|text| day(text)).collect();
            let taken = window(&day(through), &registered, &names(&before)).unwrap();
            let settled: Vec<u64> = taken.settled.iter().map(|name| name.sequence).collect();
            (taken.from.to_string(), settled)
        };
        assert_eq!(taken("2026-11-01", &[]), ("2026-10-31".to_owned(), vec![]));
        assert_eq!(taken("2026-11-02", &["2026-11-01"]), ("2026-10-31".to_owned(), vec![1]));
        assert_eq!(taken("2026-11-09", &["2026-11-01", "2026-11-02"]), ("2026-11-01".to_owned(), vec![2, 1]));
        assert_eq!(taken("2026-11-23", &["2026-11-09", "2026-11-16"]), ("2026-11-15".to_owned(), vec![2]));
    }
}
