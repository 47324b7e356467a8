//! Fees in basis points, and from when on they hold.
//!
//! A fee is a whole number of hundredths of a percent, so that no float comes near money. A schedule is a function of
//! time: whoever holds a copy of it, however old, answers alike for every moment that the copy knows of.

use crate::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::borrow::Cow;

/// Hundredths of a percent, from 0 to 10 000, which is all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct BasisPoints(u16);

/// A number that is not a share of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be from 0 to 10000 basis points")]
pub struct NotAShare;

impl BasisPoints {
    /// All of it: 100 %.
    pub const WHOLE: BasisPoints = BasisPoints(10_000);

    /// A share from outside, or known when the program is written: a wrong constant does not compile.
    pub const fn try_new(basis_points: u16) -> Result<BasisPoints, NotAShare> {
        if basis_points > BasisPoints::WHOLE.0 { Err(NotAShare) } else { Ok(BasisPoints(basis_points)) }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl<'de> Deserialize<'de> for BasisPoints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BasisPoints, D::Error> {
        BasisPoints::try_new(u16::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for BasisPoints {
    fn schema_name() -> Cow<'static, str> {
        "BasisPoints".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "description": "Hundredths of a percent",
            "minimum": 0,
            "maximum": BasisPoints::WHOLE.0,
            "examples": [250]
        })
    }
}

/// A fee, and the moment from which it holds until the next one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeeTerms {
    /// From this moment on.
    pub since: Timestamp,
    /// The fee.
    pub fee_bps: BasisPoints,
}

/// Fees one after another: never none, each later than the one before and another than that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<FeeTerms>", try_from = "Vec<FeeTerms>")]
pub struct FeeSchedule {
    first: FeeTerms,
    later: Vec<FeeTerms>,
}

/// A list of terms that is no schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("fee terms must be at least one, each later than the one before and with another fee")]
pub struct NotASchedule;

impl FeeSchedule {
    /// One fee from this moment on.
    pub const fn starting(since: Timestamp, fee_bps: BasisPoints) -> FeeSchedule {
        FeeSchedule { first: FeeTerms { since, fee_bps }, later: Vec::new() }
    }

    /// The terms, the first first.
    pub fn terms(&self) -> impl Iterator<Item = FeeTerms> {
        std::iter::once(self.first).chain(self.later.iter().copied())
    }

    /// The fee in force at a moment. Before the first terms it is theirs: the clocks of two functions differ.
    pub fn in_force(&self, at: Timestamp) -> BasisPoints {
        self.later.iter().rev().find(|terms| terms.since <= at).unwrap_or(&self.first).fee_bps
    }

    /// The same fees, but for this one from its moment on until the next one that was planned already.
    pub fn with(&self, change: FeeTerms) -> FeeSchedule {
        let mut terms: Vec<FeeTerms> = self.terms().filter(|terms| terms.since != change.since).collect();
        terms.push(change);
        terms.sort_by_key(|terms| terms.since);
        terms.dedup_by_key(|terms| terms.fee_bps);
        FeeSchedule::try_from(terms).unwrap_or_else(|NotASchedule| self.clone())
    }

    /// The same fees from this moment on; what no longer held then is forgotten.
    pub fn forgetting_before(&self, moment: Timestamp) -> FeeSchedule {
        let begun = self.terms().filter(|terms| terms.since <= moment).count();
        let terms: Vec<FeeTerms> = self.terms().skip(begun.saturating_sub(1)).collect();
        FeeSchedule::try_from(terms).unwrap_or_else(|NotASchedule| self.clone())
    }
}

impl From<FeeSchedule> for Vec<FeeTerms> {
    fn from(schedule: FeeSchedule) -> Vec<FeeTerms> {
        schedule.terms().collect()
    }
}

impl TryFrom<Vec<FeeTerms>> for FeeSchedule {
    type Error = NotASchedule;

    fn try_from(terms: Vec<FeeTerms>) -> Result<FeeSchedule, NotASchedule> {
        let follows =
            |(one, next): (&FeeTerms, &FeeTerms)| one.since < next.since && one.fee_bps != next.fee_bps;
        let (first, later) = terms.split_first().ok_or(NotASchedule)?;
        if terms.iter().zip(later).all(follows) {
            Ok(FeeSchedule { first: *first, later: later.to_vec() })
        } else {
            Err(NotASchedule)
        }
    }
}

impl JsonSchema for FeeSchedule {
    fn schema_name() -> Cow<'static, str> {
        "FeeSchedule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "description": "Fees and from when on they hold, the first first",
            "items": generator.subschema_for::<FeeTerms>(),
            "minItems": 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms() -> impl Strategy<Value = FeeTerms> {
        // Few moments and few fees, so that they meet.
        (0..40_i64, 0..4_u16).prop_map(|(seconds, fee)| FeeTerms {
            since: Timestamp::EPOCH.plus_seconds(seconds),
            fee_bps: BasisPoints::try_new(fee).unwrap(),
        })
    }

    fn schedule() -> impl Strategy<Value = FeeSchedule> {
        (terms(), prop::collection::vec(terms(), 0..12)).prop_map(|(first, changes)| {
            let start = FeeSchedule::starting(first.since, first.fee_bps);
            changes.into_iter().fold(start, |schedule, change| schedule.with(change))
        })
    }

    fn moment() -> impl Strategy<Value = Timestamp> {
        (0..45_i64).prop_map(|seconds| Timestamp::EPOCH.plus_seconds(seconds))
    }

    proptest! {
        #[test]
        fn the_fee_in_force_is_that_of_the_last_terms_that_have_begun(schedule in schedule(), at in moment()) {
            let all: Vec<FeeTerms> = schedule.terms().collect();
            let mut expected = all[0].fee_bps;
            for terms in &all {
                if terms.since <= at {
                    expected = terms.fee_bps;
                }
            }
            prop_assert_eq!(schedule.in_force(at), expected);
        }

        #[test]
        fn a_change_holds_from_its_moment_to_the_next_and_touches_nothing_else(
            schedule in schedule(), change in terms(), at in moment()
        ) {
            // Before the first terms there is nothing to touch: their fee stands in for it.
            prop_assume!(change.since.min(at) >= schedule.first.since);
            let next = schedule.terms().map(|terms| terms.since).find(|since| *since > change.since);
            let changed = schedule.with(change);
            let within = at >= change.since && next.is_none_or(|next| at < next);
            let expected = if within { change.fee_bps } else { schedule.in_force(at) };
            prop_assert_eq!(changed.in_force(at), expected);
            prop_assert_eq!(changed.with(change), changed);
        }

        #[test]
        fn forgetting_changes_no_moment_that_still_counts(schedule in schedule(), from in moment(), at in moment()) {
            let kept = schedule.forgetting_before(from);
            if at >= from {
                prop_assert_eq!(kept.in_force(at), schedule.in_force(at));
            }
            prop_assert!(kept.terms().skip(1).all(|terms| terms.since > from));
        }

        #[test]
        fn a_schedule_round_trips_and_nothing_else_is_one(list in prop::collection::vec(terms(), 0..5)) {
            let ordered = list.windows(2).all(|two| two[0].since < two[1].since && two[0].fee_bps != two[1].fee_bps);
            let read = serde_json::from_value::<FeeSchedule>(serde_json::json!(list));
            prop_assert_eq!(read.is_ok(), ordered && !list.is_empty());
            if let Ok(schedule) = read {
                prop_assert_eq!(serde_json::json!(schedule), serde_json::json!(list));
            }
        }
    }

    #[test]
    fn basis_points_are_whole_numbers_up_to_the_whole() {
        for (text, expected) in [("0", Some(0)), ("250", Some(250)), ("10000", Some(10_000))] {
            assert_eq!(
                serde_json::from_str::<BasisPoints>(text).ok().map(BasisPoints::get),
                expected,
                "{text}"
            );
        }
        for text in ["10001", "65536", "-1", "2.5", "\"250\"", "true", "null"] {
            assert!(serde_json::from_str::<BasisPoints>(text).is_err(), "{text}");
        }
    }
}
