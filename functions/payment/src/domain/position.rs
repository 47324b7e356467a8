//! Where a payment or a cancellation stands in the one order in which a franchise's days are collected.
//!
//! Payments come first, then cancellations; each by business day, shard of the index, and place within the shard. A
//! position's text sorts as the position does, so that a table can look for the page of a manifest that covers one.

use contract::page::place;
use kernel::{
    Id, IdKind, SeoulDay, Timestamp,
    id::{CancellationId, FranchiseId, PaymentId},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, fmt, str::FromStr};

/// Over how many partitions of the index each of the lists of a franchise's business day is spread.
pub const SHARDS: u8 = 8;

/// What a list of a franchise's business day holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// The payments that were approved on it.
    Paid,
    /// The cancellations whose money came back on it.
    Canceled,
}

/// A position in the order. It need not be a payment's or a cancellation's own: a shard begins at one too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Which list.
    pub list: List,
    /// Of which business day.
    pub day: SeoulDay,
    /// In which of its shards.
    pub shard: u8,
    /// Where in that; empty where the shard begins.
    place: String,
}

/// A text that is not a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAPosition;

impl Position {
    /// Where a manifest begins whose first business day is this.
    pub const fn first(day: SeoulDay) -> Position {
        Position { list: List::Paid, day, shard: 0, place: String::new() }
    }

    /// A payment's.
    pub fn of_payment(approved_at: Timestamp, id: PaymentId) -> Position {
        Position::of(List::Paid, approved_at, id)
    }

    /// A cancellation's: it stands where its money came back, not where it was paid.
    pub fn of_cancellation(refunded_at: Timestamp, id: CancellationId) -> Position {
        Position::of(List::Canceled, refunded_at, id)
    }

    fn of<K: IdKind>(list: List, at: Timestamp, id: Id<K>) -> Position {
        Position { list, day: at.business_day(), shard: shard_of(id), place: place(at, id) }
    }

    /// Right behind this one: nothing stands between.
    pub fn after(&self) -> Position {
        // Places have one length, so that no other one begins with this one.
        Position { place: format!("{}+", self.place), ..self.clone() }
    }

    /// Where the next shard begins, in a manifest of these days; none behind the last.
    pub fn next_shard(&self, from: &SeoulDay, through: &SeoulDay) -> Option<Position> {
        let begin = |list, day, shard| Some(Position { list, day, shard, place: String::new() });
        let next = self.shard.saturating_add(1);
        if next < SHARDS {
            begin(self.list, self.day.clone(), next)
        } else if self.day < *through {
            begin(self.list, self.day.plus_days(1), 0)
        } else if self.list == List::Paid {
            begin(List::Canceled, from.clone(), 0)
        } else {
            None
        }
    }

    /// Another shard of the same list and day, from its beginning; this very position in its own shard.
    pub fn in_shard(&self, shard: u8) -> Position {
        let place = if shard == self.shard { self.place.clone() } else { String::new() };
        Position { shard, place, ..self.clone() }
    }

    /// The partition of the index that holds this franchise's part of the list.
    pub fn partition(&self, franchise: FranchiseId) -> String {
        let list = match self.list {
            List::Paid => "paid",
            List::Canceled => "canceled",
        };
        format!("{franchise}#{}#{list}#{}", self.day, self.shard)
    }

    /// The first and the last place that the index may have from here on, within the shard.
    pub fn places(&self) -> (String, String) {
        // Every place begins with a year, so one digit is before all of them and a colon behind.
        let first = if self.place.is_empty() { "0".to_owned() } else { self.place.clone() };
        (first, ":".to_owned())
    }
}

/// In which shard of its list something stands: an id is a hash, so any part of it spreads.
pub fn shard_of<K: IdKind>(id: Id<K>) -> u8 {
    u8::try_from(id.bits().checked_rem(u128::from(SHARDS)).unwrap_or_default()).unwrap_or_default()
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = match self.list {
            List::Paid => '1',
            List::Canceled => '2',
        };
        write!(formatter, "{list}#{}#{}#{}", self.day, self.shard, self.place)
    }
}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Position, NotAPosition> {
        let mut parts = text.splitn(4, '#');
        let mut part = || parts.next().ok_or(NotAPosition);
        let list = match part()? {
            "1" => List::Paid,
            "2" => List::Canceled,
            _ => return Err(NotAPosition),
        };
        let day = part()?.parse().map_err(|_| NotAPosition)?;
        let shard = part()?.parse().ok().filter(|shard| *shard < SHARDS).ok_or(NotAPosition)?;
        let position = Position { list, day, shard, place: part()?.to_owned() };
        if position.to_string() == text { Ok(position) } else { Err(NotAPosition) }
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|NotAPosition| D::Error::custom("not a position"))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test's own arithmetic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> SeoulDay {
        text.parse().unwrap()
    }

    fn positions() -> impl Strategy<Value = Position> {
        let moment = (0..20_i64)
            .prop_map(|turn| turn.saturating_mul(7_000))
            .prop_map(|seconds| Timestamp::from_millis(1_795_000_000_000).plus_seconds(seconds));
        (any::<bool>(), moment, any::<u128>(), 0..3_u8).prop_map(|(paid, at, bits, form)| {
            let own = if paid {
                Position::of_payment(at, Id::from_random(bits))
            } else {
                Position::of_cancellation(at, Id::from_random(bits))
            };
            match form {
                0 => own,
                1 => own.after(),
                _ => Position { place: String::new(), ..own },
            }
        })
    }

    proptest! {
        #[test]
        fn a_positions_text_sorts_as_it_does_and_is_read_again(one in positions(), other in positions()) {
            prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
            prop_assert_eq!(one.to_string().parse(), Ok(one.clone()));
            let text = serde_json::to_string(&one).unwrap();
            prop_assert_eq!(serde_json::from_str::<Position>(&text).unwrap(), one);
        }

        #[test]
        fn an_id_stands_in_one_shard_of_its_list(bits: u128) {
            let (paid, at) = (PaymentId::from_random(bits), Timestamp::from_millis(1_795_000_000_000));
            let own = Position::of_payment(at, paid);
            prop_assert_eq!(u128::from(own.shard), bits.checked_rem(u128::from(SHARDS)).unwrap());
            prop_assert_eq!(own.list, List::Paid);
            prop_assert_eq!(Position::of_cancellation(at, Id::from_random(bits)).list, List::Canceled);
            for shard in 0..SHARDS {
                let there = own.in_shard(shard);
                prop_assert_eq!(there.shard, shard);
                prop_assert_eq!(there.place.is_empty(), shard != own.shard);
            }
        }

        #[test]
        fn nothing_stands_between_a_position_and_the_one_right_behind(one in positions(), other in positions()) {
            prop_assume!(!one.place.is_empty() && !one.place.ends_with('+') && !other.place.ends_with('+'));
            prop_assert!(one < one.after());
            prop_assert!(other <= one || other > one.after());
        }

        /// The index is asked for all that stands from a position on.
        #[test]
        fn the_places_of_a_shard_hold_what_stands_in_it_from_there(from in positions(), own in positions()) {
            prop_assume!(!own.place.is_empty() && !own.place.ends_with('+'));
            let (first, last) = from.places();
            let same = (from.list, &from.day, from.shard) == (own.list, &own.day, own.shard);
            let held = same && (first..=last).contains(&own.place);
            prop_assert_eq!(held, same && own >= from);
        }
    }

    #[test]
    fn the_shards_of_all_days_follow_one_another_payments_first() {
        for (from, through, days) in [("2026-11-22", "2026-11-22", 1), ("2026-12-30", "2027-01-02", 4)] {
            let (from, through) = (day(from), day(through));
            let mut at = Some(Position::first(from.clone()));
            let mut seen = Vec::new();
            while let Some(position) = at {
                at = position.next_shard(&from, &through);
                seen.push(position);
            }
            assert_eq!(seen.len(), usize::from(SHARDS) * 2 * days);
            assert!(seen.windows(2).all(|two| two[0] < two[1] && two[0].to_string() < two[1].to_string()));
            assert_eq!(seen.iter().filter(|position| position.list == List::Paid).count(), seen.len() / 2);
        }
    }

    #[test]
    fn a_shard_begins_before_all_that_is_in_it() {
        let id = PaymentId::from_random(0);
        for (text, day) in [
            ("2026-11-21T14:29:59.999Z", "2026-11-21"),
            ("2026-11-21T14:30:00.000Z", "2026-11-22"),
            ("2026-11-22T14:29:59.999Z", "2026-11-22"),
        ] {
            let own = Position::of_payment(text.parse().unwrap(), id);
            assert_eq!(own.day.as_str(), day);
            assert!(own.in_shard(own.shard) == own && Position::first(own.day.clone()) < own);
            assert_eq!(own.to_string(), format!("1#{day}#0#{text}#{id}"));
        }
    }

    #[test]
    fn a_franchises_lists_have_a_partition_for_each_day_and_shard() {
        let shop = FranchiseId::from_random(1);
        let position = |text: &str| text.parse::<Position>().unwrap();
        for (at, list) in [
            ("1#2026-11-22#0#", "2026-11-22#paid#0"),
            ("1#2026-11-22#7#anything", "2026-11-22#paid#7"),
            ("2#2026-11-23#0#", "2026-11-23#canceled#0"),
        ] {
            assert_eq!(position(at).partition(shop), format!("{shop}#{list}"));
        }
    }

    #[test]
    fn only_the_one_spelling_of_a_position_is_read() {
        for bad in [
            "",
            "1",
            "1#2026-11-22#8#",
            "3#2026-11-22#0#",
            "1#2026-11-31#0#",
            "1#2026-11-22#00#",
            "1#2026-11-22#0",
        ] {
            assert_eq!(bad.parse::<Position>(), Err(NotAPosition), "{bad}");
        }
        assert!("2#2026-11-22#7#".parse::<Position>().is_ok());
    }
}
