//! How a franchise's fee may change.
//!
//! A change holds from the beginning of a business day, or from now on if that day has begun: no moment that is past
//! ever gets another fee, so that whoever works one out later finds the one that was taken.

use super::Refusal;
use kernel::{BasisPoints, FeeSchedule, FeeTerms, SeoulDay, Timestamp};

/// How many terms a schedule may have: the one in force, those planned, and those still needed.
pub const MOST_TERMS: usize = 24;
/// How long terms are kept that hold no more. A run takes its own window and the two before, a weekly franchise's
/// oldest unsettled payment is a week old, and a line that failed is retried by a person within days.
pub const KEPT_SECONDS: i64 = 92 * 86_400;

/// Holds a fee that an operator names to the most that Pay takes.
pub fn check(fee: BasisPoints, most: BasisPoints) -> Result<BasisPoints, Refusal> {
    if fee <= most {
        Ok(fee)
    } else {
        Err(Refusal::Invalid("/feeBps", format!("must be at most {} basis points", most.get())))
    }
}

/// Holds the first day of a change to the present or the future.
pub fn check_day(from: &SeoulDay, now: Timestamp) -> Result<(), Refusal> {
    let today = now.business_day();
    if *from >= today {
        Ok(())
    } else {
        Err(Refusal::Invalid(
            "/feeFrom",
            format!("must not be before {today}, the business day that it is now"),
        ))
    }
}

/// The schedule with this fee from a business day on, until the next change that was planned already.
pub fn change(
    fees: &FeeSchedule,
    fee_bps: BasisPoints,
    from: &SeoulDay,
    now: Timestamp,
) -> Result<FeeSchedule, Refusal> {
    let changed = fees.with(FeeTerms { since: from.business_opens_at().max(now), fee_bps });
    if changed == *fees {
        return Ok(changed);
    }
    let changed = changed.forgetting_before(now.plus_seconds(KEPT_SECONDS.saturating_neg()));
    if changed.terms().count() > MOST_TERMS { Err(Refusal::TooManyFees) } else { Ok(changed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400;

    fn at(seconds: i64) -> Timestamp {
        events::example_time().plus_seconds(seconds)
    }

    fn bps(fee: u16) -> BasisPoints {
        BasisPoints::try_new(fee).unwrap()
    }

    /// An operator's day: so long after the one before, a fee, and how many days ahead.
    fn changes() -> impl Strategy<Value = Vec<(i64, u16, i64)>> {
        prop::collection::vec((0..6 * DAY, 0..4_u16, 0..40_i64), 0..60)
    }

    /// Makes the changes, and shows every step: when, the schedule before, and what came of it.
    fn live(
        changes: &[(i64, u16, i64)],
        mut step: impl FnMut(Timestamp, &FeeSchedule, (BasisPoints, SeoulDay), Result<FeeSchedule, Refusal>),
    ) -> (FeeSchedule, Timestamp) {
        let mut fees = FeeSchedule::starting(at(0), bps(2));
        let mut now = at(0);
        for (later, fee, ahead) in changes {
            now = now.plus_seconds(*later);
            let from = now.plus_seconds(ahead.saturating_mul(DAY)).business_day();
            let outcome = change(&fees, bps(*fee), &from, now);
            step(now, &fees, (bps(*fee), from), outcome.clone());
            fees = outcome.unwrap_or(fees);
        }
        (fees, now)
    }

    proptest! {
        #[test]
        fn no_past_moment_that_still_counts_ever_gets_another_fee(changes in changes(), back in -KEPT_SECONDS..0) {
            live(&changes, |now, before, _, after| {
                let moment = now.plus_seconds(back);
                if let Ok(after) = after {
                    assert_eq!(after.in_force(moment), before.in_force(moment));
                }
            });
        }

        #[test]
        fn a_change_holds_from_its_day_on_until_the_next_one_planned(changes in changes(), within in 0..50 * DAY) {
            live(&changes, |now, before, (fee, from), after| {
                let Ok(after) = after else { return };
                let since = from.business_opens_at().max(now);
                let planned = before.terms().map(|terms| terms.since).find(|planned| *planned > since);
                let moment = since.plus_seconds(within);
                let expected =
                    if planned.is_none_or(|planned| moment < planned) { fee } else { before.in_force(moment) };
                assert_eq!(after.in_force(moment), expected);
            });
        }

        #[test]
        fn a_schedule_never_grows_beyond_its_bound_and_is_refused_only_there(changes in changes()) {
            live(&changes, |now, before, (fee, from), after| {
                match after {
                    Ok(after) => assert!(after.terms().count() <= MOST_TERMS),
                    Err(refusal) => {
                        assert_eq!(refusal, Refusal::TooManyFees);
                        let wanted = before.with(FeeTerms { since: from.business_opens_at().max(now), fee_bps: fee });
                        let needed = wanted.forgetting_before(now.plus_seconds(-KEPT_SECONDS));
                        assert!(needed.terms().count() > MOST_TERMS);
                    }
                }
            });
        }

        #[test]
        fn the_same_change_again_changes_nothing(changes in changes(), fee in 0..4_u16, ahead in 0..40_i64) {
            let (fees, now) = live(&changes, |_, _, _, _| {});
            let from = now.plus_seconds(ahead.saturating_mul(DAY)).business_day();
            let later = now.plus_seconds(60);
            if let (Ok(once), Ok(())) = (change(&fees, bps(fee), &from, now), check_day(&from, later)) {
                prop_assert_eq!(change(&once, bps(fee), &from, later), Ok(once));
            }
        }
    }

    #[test]
    fn a_day_is_past_when_its_business_day_is() {
        // 2026-11-22T19:15:30 in Seoul; the business day ends at 23:30.
        let day = |text: &str| text.parse::<SeoulDay>().unwrap();
        assert_eq!(check_day(&day("2026-11-22"), at(0)), Ok(()));
        assert!(check_day(&day("2026-11-21"), at(0)).is_err());
        let cut = day("2026-11-23").business_opens_at();
        assert!(check_day(&day("2026-11-22"), cut).is_err());
        assert_eq!(check_day(&day("2026-11-23"), cut), Ok(()));
        assert_eq!(check_day(&day("2026-11-22"), cut.plus_seconds(-1)), Ok(()));
    }

    #[test]
    fn the_bound_is_reached_by_changes_within_three_months_only() {
        let mut fees = FeeSchedule::starting(at(0), bps(0));
        for place in 1..24_u16 {
            let now = at(i64::from(place));
            fees = change(&fees, bps(place), &now.business_day(), now).unwrap();
        }
        assert_eq!(fees.terms().count(), MOST_TERMS);
        let (soon, late) = (at(100), at(KEPT_SECONDS + 100));
        assert_eq!(change(&fees, bps(99), &soon.business_day(), soon), Err(Refusal::TooManyFees));
        let room = change(&fees, bps(99), &late.business_day(), late).unwrap();
        assert_eq!(room.terms().count(), 2, "the one before is still needed");
        assert!((90 * DAY..93 * DAY).contains(&KEPT_SECONDS), "three months");
    }
}
