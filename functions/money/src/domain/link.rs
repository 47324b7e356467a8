//! What every chain of the ledger has in common, a wallet's and a franchise's journal alike.
//!
//! A chain's entries are numbered without gap, each carries the hash of the one before it, time never goes back, and
//! a reference has one effect. What an entry is about is its own type's business.

use kernel::{OutOfRange, Timestamp};
use store::{Record, seal};

/// An entry of a chain.
pub trait Link: Record + Clone + Send + Sync {
    /// Where it stands.
    fn place(&self) -> Place<'_>;

    /// Whether another entry is of the same chain.
    fn is_beside(&self, other: &Self) -> bool;

    /// Where the entry keeps its own hash; unset before it is stored.
    fn own_hash(&mut self) -> &mut Option<String>;

    /// The hash of all that the entry says. Optional fields are left out while they are unset, so that a later
    /// version of an entry's type gives old entries the same hash.
    fn computed_hash(&self) -> String {
        let mut without = self.clone();
        *without.own_hash() = None;
        let text = serde_json::to_string(&without).unwrap_or_default();
        seal::digest(&[Self::KIND, &text])
    }

    /// The hash that the next entry carries: the one that the entry was stored with.
    ///
    /// During a deployment an older function reads entries that say more than it knows. It could not compute their
    /// hash, and what it appended would break the chain for ever.
    fn hash(&self) -> String {
        self.place().hash.map_or_else(|| self.computed_hash(), str::to_owned)
    }

    /// The entry as it is stored: with its own hash.
    fn with_hash(&self) -> Self {
        let hash = self.computed_hash();
        let mut stored = self.clone();
        *stored.own_hash() = Some(hash);
        stored
    }

    /// Whether the entry says what it said when it was stored. For the audit: appending does not ask.
    fn is_unchanged(&self) -> bool {
        self.place().hash.is_none_or(|hash| hash == self.computed_hash())
    }

    /// Whether `next` follows directly on this entry.
    fn is_followed_by(&self, next: &Self) -> bool {
        let (own, next_one) = (self.place(), next.place());
        own.sequence.checked_add(1) == Some(next_one.sequence)
            && self.is_beside(next)
            && own.time <= next_one.time
            && next_one.previous == self.hash()
    }
}

/// Where an entry stands, and who has put it there.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its place in the chain: 1, 2, 3 …
    pub sequence: u64,
    /// When: never before the entry before it, nor before the step's birth.
    pub time: Timestamp,
    /// Since when the step may have been asked for.
    pub birth: Timestamp,
    /// Which step asked for it.
    pub reference: &'a str,
    /// The hash of the entry before it; empty for the first.
    pub previous: &'a str,
    /// Its own hash; none before it is stored.
    pub hash: Option<&'a str>,
}

/// Whether entries, newest first, follow on each other.
pub fn is_contiguous<L: Link>(entries: &[L]) -> bool {
    entries.windows(2).all(|pair| match pair {
        [newer, older] => older.is_followed_by(newer),
        _ => true,
    })
}

/// The effect of a reference, if it has one among these.
pub fn find<'a, L: Link>(entries: &'a [L], reference: &str) -> Option<&'a L> {
    entries.iter().find(|entry| entry.place().reference == reference)
}

/// What an entry after this one carries: its place, and the hash of the one before it.
pub fn after<L: Link>(tip: Option<&L>) -> Result<(u64, String), OutOfRange> {
    let last = tip.map_or(0, |tip| tip.place().sequence);
    Ok((last.checked_add(1).ok_or(OutOfRange)?, tip.map(L::hash).unwrap_or_default()))
}

/// Clocks decide nothing: time never goes back in a chain, nor before the birth of what asked.
pub fn time_after<L: Link>(tip: Option<&L>, birth: Timestamp, now: Timestamp) -> Timestamp {
    let floor = tip.map_or(birth, |tip| tip.place().time.max(birth));
    now.max(floor)
}
