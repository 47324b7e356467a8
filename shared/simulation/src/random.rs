//! Chance that comes from a seed and from nothing else.
//!
//! Every part of a history draws from a stream of its own, so that leaving out one action does not change what the
//! others draw: that is what lets a failing history be made shorter.

use rand::{Rng as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};

/// A stream of random numbers. Its generator is a named algorithm, so that a seed keeps its meaning.
pub struct Dice(Xoshiro256PlusPlus);

/// What a stream is for.
#[derive(Clone, Copy)]
pub enum Stream {
    /// The history's settings and its list of actions.
    Plan,
    /// Settings beside the plan's.
    Settings,
    /// How many of its actions are played.
    Length,
    /// The choices of one action.
    Action(u64),
    /// Delays and faults of one run of an operation: which operation, and its how-manieth run.
    Run(u64, u64),
    /// Random bytes that one run of an operation asks for.
    Entropy(u64, u64),
}

impl Dice {
    /// The stream of this seed for this purpose.
    pub fn new(seed: u64, stream: Stream) -> Dice {
        let (purpose, a, b) = match stream {
            Stream::Plan => (1, 0, 0),
            Stream::Action(number) => (2, number, 0),
            Stream::Run(operation, number) => (3, operation, number),
            Stream::Entropy(operation, number) => (4, operation, number),
            Stream::Length => (5, 0, 0),
            Stream::Settings => (6, 0, 0),
        };
        let mixed = [purpose, a, b].into_iter().fold(mix(seed), |state, part| mix(state ^ mix(part)));
        Dice(Xoshiro256PlusPlus::seed_from_u64(mixed))
    }

    /// A number below `bound`, which is above 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: i64, last: i64) -> i64 {
        let width = u64::try_from(last - first).expect("first comes before last") + 1;
        first + i64::try_from(self.below(width)).expect("a width fits")
    }

    /// True so many times in ten thousand.
    pub fn chance(&mut self, in_ten_thousand: u64) -> bool {
        self.below(10_000) < in_ten_thousand
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let length = u64::try_from(all.len()).ok().filter(|length| *length > 0)?;
        all.get(usize::try_from(self.below(length)).ok()?)
    }

    /// Fills a buffer.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// SplitMix64's finaliser (Steele, Lea and Flood 2014): neighbouring seeds give unlike streams.
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
