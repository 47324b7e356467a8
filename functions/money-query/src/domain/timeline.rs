//! Where a member lived when, as far as it is known.
//!
//! Each fact of membership says where the member lives from its version on. They come in any order and may be missing
//! for a while, so what is kept are stays: runs of versions without a gap in one region. Runs that touch become one,
//! so that a hundred changes of a name take no more place than one.

use super::UNKNOWN;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// From a member's five hundredth change on, the model no longer follows: nobody moves house so often, and an item
/// has an end. The version is the fact's own, so that this too holds in any order.
pub const LAST_VERSION: u64 = 500;

/// What one fact of membership says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residence {
    /// The member's version; a registration is the first.
    pub version: u64,
    /// From when on.
    pub since: Timestamp,
    /// Where.
    pub region: String,
}

/// Stays, in order of version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeline(Vec<Stay>);

/// A run of versions in one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stay {
    first: u64,
    last: u64,
    since: Timestamp,
    region: String,
}

/// A change of region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// When. It belongs to the new region.
    pub at: Timestamp,
    /// Away from here.
    pub from: String,
    /// To here.
    pub to: String,
}

impl Timeline {
    /// The timeline with one more fact; none if it says nothing new.
    pub fn with(&self, residence: &Residence) -> Option<Timeline> {
        let Residence { version, since, region } = residence;
        let known = self.0.iter().any(|stay| (stay.first..=stay.last).contains(version));
        if known || *version > LAST_VERSION {
            return None;
        }
        let stay = Stay { first: *version, last: *version, since: *since, region: region.clone() };
        let (mut before, after): (Vec<Stay>, Vec<Stay>) =
            self.0.iter().cloned().partition(|stay| stay.first < *version);
        for stay in [stay].into_iter().chain(after) {
            match before.last_mut() {
                Some(last) if last.region == stay.region && last.last.checked_add(1) == Some(stay.first) => {
                    last.last = stay.last;
                }
                _ => before.push(stay),
            }
        }
        Some(Timeline(before))
    }

    /// Where the member lives now.
    pub fn now(&self) -> &str {
        self.0.last().map_or(UNKNOWN, |stay| &stay.region)
    }

    /// Where the member lived at a moment. A wallet's first entry may bear an earlier time than the registration,
    /// because clocks differ: before all stays is in the first one.
    pub fn at(&self, moment: Timestamp) -> String {
        let last = self.moves().into_iter().rfind(|change| change.at <= moment);
        last.map_or_else(|| self.first().to_owned(), |change| change.to)
    }

    /// Every change of region, in order. Times never go back from version to version; should one do so all the same,
    /// the member moved no earlier than before.
    pub fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        let mut latest = Timestamp::EPOCH;
        for (before, after) in self.0.iter().zip(self.0.iter().skip(1)) {
            if before.region != after.region {
                latest = latest.max(after.since);
                let (from, to) = (before.region.clone(), after.region.clone());
                moves.push(Move { at: latest, from, to });
            }
        }
        moves
    }

    /// The moment from which on this timeline says something else than another one.
    pub fn differs_from(&self, other: &Timeline) -> Option<Timestamp> {
        if self.first() != other.first() {
            return Some(Timestamp::EPOCH);
        }
        let (own, others) = (self.moves(), other.moves());
        let alike = own.iter().zip(&others).take_while(|(one, other)| one == other).count();
        let next = [own.get(alike), others.get(alike)];
        next.into_iter().flatten().map(|change| change.at).min()
    }

    fn first(&self) -> &str {
        self.0.first().map_or(UNKNOWN, |stay| &stay.region)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn residence(version: u64, second: i64, region: &str) -> Residence {
        let since = Timestamp::EPOCH.plus_seconds(second);
        Residence { version, since, region: region.to_owned() }
    }

    fn of(residences: &[Residence]) -> Timeline {
        let learn = |timeline: Timeline, fact| timeline.with(fact).unwrap_or(timeline);
        residences.iter().fold(Timeline::default(), learn)
    }

    fn lives(version: u64) -> &'static str {
        ["seoul", "busan", "seoul", "jeju"][usize::try_from(version / 2).unwrap() % 4]
    }

    proptest! {
        #[test]
        fn the_order_of_facts_does_not_matter(
            versions in Just((1..12_u64).collect::<Vec<_>>()).prop_shuffle(),
            repeated in proptest::collection::vec(1..12_u64, 0..6),
        ) {
            let fact = |version: u64| residence(version, i64::try_from(version).unwrap() * 10, lives(version));
            let mixed: Vec<_> = versions.iter().chain(&repeated).map(|version| fact(*version)).collect();
            let ordered: Vec<_> = (1..12).map(fact).collect();
            prop_assert_eq!(of(&mixed), of(&ordered));
        }
    }

    #[test]
    fn a_stay_begins_with_its_first_version_and_gaps_close() {
        let timeline = of(&[residence(1, 0, "seoul"), residence(4, 40, "busan"), residence(3, 30, "busan")]);
        assert_eq!((timeline.now(), timeline.0.len()), ("busan", 2));
        let moment = |second| Timestamp::EPOCH.plus_seconds(second);
        assert_eq!((timeline.at(moment(29)), timeline.at(moment(30))), ("seoul".into(), "busan".into()));
        let earlier = timeline.with(&residence(2, 20, "busan")).unwrap();
        assert_eq!(earlier.differs_from(&timeline), Some(moment(20)));
        assert_eq!((earlier.at(moment(20)), earlier.0.len()), ("busan".into(), 2));
        assert_eq!(earlier.with(&residence(4, 40, "busan")), None);
    }

    #[test]
    fn what_comes_before_everything_known_is_where_the_member_is_first_known() {
        assert_eq!(Timeline::default().at(Timestamp::EPOCH), UNKNOWN);
        let late = of(&[residence(3, 30, "busan")]);
        assert_eq!(late.at(Timestamp::EPOCH), "busan");
        assert_eq!(late.differs_from(&Timeline::default()), Some(Timestamp::EPOCH));
        let whole = late.with(&residence(1, 10, "seoul")).unwrap();
        assert_eq!(whole.differs_from(&late), Some(Timestamp::EPOCH));
        assert_eq!(whole.at(Timestamp::EPOCH.plus_seconds(29)), "seoul");
    }

    #[test]
    fn a_member_who_never_stops_moving_is_followed_up_to_an_end() {
        let timeline = of(&[residence(1, 0, "seoul")]);
        assert_eq!(timeline.with(&residence(LAST_VERSION + 1, 9, "busan")), None);
        assert!(timeline.with(&residence(LAST_VERSION, 9, "busan")).is_some());
    }

    #[test]
    fn a_time_that_goes_back_does_not_put_moves_out_of_order() {
        let timeline = of(&[residence(1, 0, "seoul"), residence(2, 50, "busan"), residence(3, 40, "jeju")]);
        let moves: Vec<_> =
            timeline.moves().into_iter().map(|change| (change.at.seconds(), change.to)).collect();
        assert_eq!(moves, [(50, "busan".to_owned()), (50, "jeju".to_owned())]);
        assert_eq!(timeline.at(Timestamp::EPOCH.plus_seconds(50)), "jeju");
    }
}
