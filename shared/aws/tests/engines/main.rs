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

use faults::Fault;
use server::{Engine, Kind};
use std::collections::BTreeMap;
use store::conformance::{ONE_KEY_TWICE, PROMISES};

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

/// The seeds to run: `SEED` alone, or the first `SEEDS`.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    match count("SEED", u64::MAX) {
        u64::MAX => 0..count("SEEDS", usual),
        seed => seed..seed + 1,
    }
}

fn add(all: &mut BTreeMap<Fault, u64>, struck: BTreeMap<Fault, u64>) {
    for (fault, times) in struck {
        *all.entry(fault).or_default() += times;
    }
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
    let (seeds, mut answers, mut struck) = (seeds(30), commits::Answers::default(), BTreeMap::new());
    for seed in seeds.clone() {
        let both = commits::Both::new(seed, &engine);
        commits::run(seed, &both, &mut answers).await;
        add(&mut struck, both.network.struck());
    }
    println!("commits of seeds {seeds:?}: {answers:?}\nfaults: {struck:?}");
}

#[tokio::test]
async fn money_is_neither_made_nor_lost_under_faults() {
    let engine = Engine::start(Kind::Dynoxide).await;
    let (seeds, mut asked, mut struck) = (seeds(10), town::Asked::default(), BTreeMap::new());
    for seed in seeds.clone() {
        let mut town = town::Town::new(seed, &engine).await;
        town::run(seed, &mut town, &mut asked).await;
        add(&mut struck, town.network.struck());
    }
    println!("towns of seeds {seeds:?}: {asked:?}\nfaults: {struck:?}");
}
