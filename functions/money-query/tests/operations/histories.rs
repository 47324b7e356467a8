//! Random histories: the model is the simple fold of the facts, whatever their order and however often they come, and
//! a model that is built anew is the same to the last item.

use crate::{
    ago, ask, bench,
    fold::{Happening, PEOPLE, REGIONS, Sums, tell},
    hear, rebuilding,
};
use contract::testing::Bench;
use events::Envelope;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

fn happening() -> impl Strategy<Value = Happening> {
    let who = 0..PEOPLE.len();
    let amount = 1..50_u32;
    prop_oneof![
        1 => who.clone().prop_map(Happening::Registers),
        4 => (who.clone(), 0..REGIONS.len()).prop_map(|(who, region)| Happening::Moves(who, region)),
        1 => who.clone().prop_map(Happening::ChangesName),
        6 => (who.clone(), amount.clone()).prop_map(|(who, amount)| Happening::Recharges(who, amount)),
        3 => (who.clone(), amount.clone()).prop_map(|(who, amount)| Happening::Withdraws(who, amount)),
        3 => (who.clone(), who.clone(), amount.clone())
            .prop_map(|(from, to, amount)| Happening::Transfers(from, to, amount)),
        1 => (who, amount).prop_map(|(who, amount)| Happening::Pays(who, amount)),
    ]
}

/// Happenings, each so many seconds after the one before: often at the same moment, often some hours later.
fn history() -> impl Strategy<Value = Vec<(i64, Happening)>> {
    let wait = prop_oneof![Just(0_i64), 1..60_i64, 1..40_000_i64];
    proptest::collection::vec((wait, happening()), 1..25)
}

/// In some order, some of them more than once.
fn mixed(facts: Vec<Envelope>) -> impl Strategy<Value = Vec<Envelope>> {
    let again = proptest::sample::subsequence(facts.clone(), 0..=facts.len());
    again.prop_flat_map(move |again| Just([facts.clone(), again].concat()).prop_shuffle())
}

/// Every item of a generation by what it says, versions and empty cells apart: those tell how it came to be.
pub fn content(bench: &Bench, generation: u32) -> BTreeMap<String, Value> {
    let items = bench.twin.items().into_iter();
    let json = items.map(|item| serde_json::from_value(serde_json::to_value(plain(item)).unwrap()).unwrap());
    let own = json.filter(|item: &Value| item["generation"] == generation);
    let told = own.filter_map(|mut item| {
        let fields = item.as_object_mut().unwrap();
        let key = format!("{}/{}", fields["pk"].as_str()?.split_once('#')?.1, fields["sk"].as_str()?);
        for name in ["version", "generation", "pk"] {
            fields.remove(name);
        }
        let counters = ["incoming", "outgoing", "recharged", "recharges", "wallets"];
        let is_empty = fields["kind"] == "cell" && counters.iter().all(|name| fields[*name] == 0);
        (!is_empty).then_some((key, item))
    });
    told.collect()
}

fn plain(item: store::Item) -> serde_json::Map<String, Value> {
    item.iter().map(|(name, value)| (name.clone(), value_of(value))).collect()
}

fn value_of(value: &store::AttributeValue) -> Value {
    match value {
        store::AttributeValue::N(number) => number.parse::<i64>().unwrap().into(),
        store::AttributeValue::S(text) => text.clone().into(),
        store::AttributeValue::M(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), value_of(value))).collect::<Value>()
        }
        store::AttributeValue::L(values) => values.iter().map(value_of).collect(),
        other => panic!("{other:?}"),
    }
}

/// What a region's answer says is what the fold says.
async fn answers(bench: &Bench, sums: &Sums) {
    for (region, (balance, wallets, days)) in sums {
        let path = format!("/v1/money/regions/{region}/sum?from=2026-11-22&to=2026-12-20");
        let answer = ask(bench, &path).await.body;
        assert_eq!(answer["balance"]["amount"].as_i64(), Some(*balance), "{region} {answer}");
        assert_eq!(answer["wallets"].as_u64(), Some(*wallets), "{region}");
        let mut end = 0;
        for told in answer["days"].as_array().unwrap() {
            let day = told["day"].as_str().unwrap().parse().unwrap();
            let expected = days.get(&day).copied();
            let (recharged, recharges, balance) = expected.unwrap_or((0, 0, end));
            end = balance;
            assert_eq!(told["recharged"]["amount"].as_u64(), Some(recharged), "{region} on {day}");
            assert_eq!(told["recharges"].as_u64(), Some(recharges), "{region} on {day}");
            assert_eq!(told["balance"]["amount"].as_i64(), Some(balance), "{region} at the end of {day}");
        }
    }
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn told_and_mixed() -> impl Strategy<Value = (Vec<Envelope>, Sums, Vec<Envelope>)> {
    history().prop_flat_map(|history| {
        let (facts, sums) = tell(&history, ago(0));
        (Just(facts.clone()), Just(sums), mixed(facts))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 96 } else { 1_000 }))]

    #[test]
    fn neither_order_nor_repetition_changes_the_model((facts, sums, mixed) in told_and_mixed()) {
        wait(async {
            let (ordered, shuffled) = (bench(), bench());
            hear(&ordered, &facts).await;
            hear(&shuffled, &mixed).await;
            assert_eq!(content(&ordered, 1), content(&shuffled, 1));
            answers(&shuffled, &sums).await;
        });
    }

    #[test]
    fn a_rebuilt_model_is_the_live_one((facts, sums, mixed) in told_and_mixed(), known in 0..100_usize) {
        wait(async {
            let bench = bench();
            // What comes after the beginning is counted live in both, and may be read all the same.
            let before = mixed.len() * known / 100;
            hear(&bench, &mixed[..before]).await;
            rebuilding::services_tell(&bench, facts);
            rebuilding::begin(&bench).await;
            hear(&bench, &mixed[before..]).await;
            rebuilding::to_the_read_end(&bench).await;
            assert_eq!(content(&bench, 1), content(&bench, 2));
            answers(&bench, &sums).await;
            rebuilding::to_the_end(&bench).await;
            assert!(content(&bench, 1).is_empty());
            answers(&bench, &sums).await;
        });
    }
}
