//! What a firmbanking's id carries: 48 bits of the time when it was asked for, then 80 bits of its reference's hash.
//!
//! Ids sort by time, so that one index lists firmbankings newest first and finds one by its id. The hash spreads
//! them over the index's shards, and leads to the request that an HTTP client made under a key.

use kernel::{Id, Timestamp, id::FirmbankingId};

const HASH_BITS: u32 = 80;
const HASH: u128 = (1 << HASH_BITS) - 1;

/// How many partitions of the index firmbankings are spread over: a partition takes 1 000 writes a second.
pub const SHARDS: u128 = 8;

/// The id of the firmbanking that this reference asked for at this time.
pub fn of(reference: &str, requested_at: Timestamp) -> FirmbankingId {
    Id::from_random(time_bits(requested_at) | hash(reference))
}

/// The hash of a reference, as ids carry it.
pub fn hash(reference: &str) -> u128 {
    FirmbankingId::derive(&["reference", reference]).bits() & HASH
}

/// The hash in an id.
pub fn hash_of(id: FirmbankingId) -> u128 {
    id.bits() & HASH
}

/// The index's partition in which an id is.
pub fn shard_of(id: FirmbankingId) -> u128 {
    id.bits() % SHARDS
}

/// The smallest id of a moment: ids of this moment and later are not below it.
pub fn first_at(moment: Timestamp) -> FirmbankingId {
    Id::from_random(time_bits(moment))
}

/// The id right before this one.
pub fn before(id: FirmbankingId) -> FirmbankingId {
    Id::from_random(id.bits().saturating_sub(1))
}

/// The largest id of all.
pub fn last() -> FirmbankingId {
    Id::from_random(u128::MAX)
}

fn time_bits(moment: Timestamp) -> u128 {
    // Moments are never before 1970.
    u128::try_from(moment.millis()).unwrap_or(0) << HASH_BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ids_sort_by_time_and_keep_their_hash(a in 0..=Timestamp::END.millis(), b in 0..=Timestamp::END.millis(), reference in "[a-z/]{0,12}", other in "[a-z/]{0,12}") {
            let (early, late) = (Timestamp::from_millis(a.min(b)), Timestamp::from_millis(a.max(b)));
            let (first, second) = (of(&reference, early), of(&other, late));
            prop_assert_eq!(hash_of(first), hash(&reference));
            prop_assert!(first >= first_at(early));
            if early < late {
                prop_assert!(first.to_string() < second.to_string());
                prop_assert!(first <= before(first_at(late)));
            }
            prop_assert_eq!(of(&reference, early) == of(&other, early), reference == other);
        }
    }

    #[test]
    fn ids_of_one_moment_are_spread_over_all_partitions() {
        let ids = (0..200).map(|number| of(&format!("mcr_{number}/bank"), Timestamp::EPOCH));
        let shards: BTreeSet<u128> = ids.map(shard_of).collect();
        assert_eq!(shards, (0..SHARDS).collect());
    }
}
