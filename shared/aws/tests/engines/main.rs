//! The DynamoDB adapter in front of real engines: it keeps every promise of a table there, does as the twin does, and
//! says the truth when calls and answers are lost.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

mod commits;
mod faults;
mod sequences;
mod server;
mod town;

use faults::Counts;
use futures_util::future::join_all;
use server::{Engine, Kind};
use store::conformance::{ONE_KEY_TWICE, PROMISES};

/// How many seeds run at once.
const AT_ONCE: usize = 8;

impl Kind {
    /// The promises that an engine does not keep, for the reasons in docs/aws-differences.md.
    fn exceptions(self) -> &'static [&'static str] {
        match self {
            Kind::Dynoxide => &[],
            Kind::DynamoDbLocal => &[ONE_KEY_TWICE],
        }
    }
}

async fn keeps_every_promise(kind: Kind) {
    let engine = Engine::start(kind).await;
    for (name, promise) in PROMISES {
        if !kind.exceptions().contains(name) {
            println!("{kind:?}: {name}");
            promise(&engine.table).await;
        }
    }
}

#[tokio::test]
async fn dynoxide_keeps_every_promise() {
    keeps_every_promise(Kind::Dynoxide).await;
}

#[tokio::test]
async fn dynamodb_local_keeps_every_promise() {
    keeps_every_promise(Kind::DynamoDbLocal).await;
}

/// How many seeds a run has.
struct Seeds {
    /// If nobody says.
    usual: u64,
    /// From how many on every kind of fault must have struck: fewer may well miss a rare one.
    enough: usize,
}

/// Runs every seed, some at once, because most of their time is the SDK's waiting: `SEED` alone, or the first `SEEDS`.
/// Faults that never strike would show nothing.
async fn each_seed(Seeds { usual, enough }: Seeds, run: impl AsyncFn(u64) -> Counts) {
    let seeds: Vec<u64> = match count("SEED", u64::MAX) {
        u64::MAX => (0..count("SEEDS", usual)).collect(),
        seed => vec![seed],
    };
    let mut counts = Counts::new();
    for some in seeds.chunks(AT_ONCE) {
        for found in join_all(some.iter().map(|seed| run(*seed))).await {
            for (kind, times) in found {
                *counts.entry(kind).or_default() += times;
            }
        }
    }
    println!("{} seeds: {counts:?}", seeds.len());
    let never: Vec<_> = faults::kinds().into_iter().filter(|kind| !counts.contains_key(kind)).collect();
    assert!(seeds.len() < enough || never.is_empty(), "{never:?} strikes nowhere");
}

/// How many of something to run: what the environment asks for, or as many as `make test` can afford.
#[allow(clippy::disallowed_methods, reason = "make asks for long runs by an environment variable")]
fn count<N: std::str::FromStr>(variable: &str, usual: N) -> N {
    match std::env::var(variable) {
        Ok(asked) => asked.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {asked}")),
        Err(_) => usual,
    }
}

#[tokio::test]
async fn what_the_adapter_answers_under_faults_is_true() {
    let engine = Engine::start(Kind::Dynoxide).await;
    let seeds = Seeds { usual: 12, enough: 12 };
    each_seed(seeds, async |seed| commits::run(seed, &engine).await).await;
}

#[tokio::test]
async fn money_is_neither_made_nor_lost_under_faults() {
    let engine = Engine::start(Kind::Dynoxide).await;
    // Few of its writes are transactions, and how often the SDK repeats them is the machine's to say.
    let seeds = Seeds { usual: 6, enough: 200 };
    each_seed(seeds, async |seed| town::run(seed, &engine).await).await;
}
