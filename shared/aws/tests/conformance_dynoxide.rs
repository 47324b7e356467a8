//! The DynamoDB adapter, in front of a real engine, keeps every promise of a table, and does as the twin does.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

mod engine;

use engine::Engine;
use proptest::{collection::vec, prelude::*, sample::select, test_runner::TestRunner};
use store::{
    AttributeValue, CommitError, Condition, Item, Key, Order, Query, Read, Sort, Table, Write,
    conformance::{BY_OWNER, PROMISES, walk},
    twin::Twin,
};

#[tokio::test]
async fn dynamodb_keeps_every_promise() {
    let engine = Engine::start().await;
    for (name, promise) in PROMISES {
        println!("{name}");
        promise(&engine.table).await;
    }
}

/// One thing to do to both tables. Keys stand for places in the case's own partitions.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Wanted>),
    Walk { partition: u8, sort: Sort, order: Order, limit: Option<u32> },
    WalkIndex { owner: u8, order: Order, limit: Option<u32> },
    Get(u8, u8),
}

#[derive(Clone, Debug)]
enum Wanted {
    Put { at: (u8, u8), value: Option<AttributeValue>, owner: Option<u8>, condition: Condition },
    Delete((u8, u8), Condition),
    Check((u8, u8), Condition),
}

fn value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        (-1..12_i32).prop_map(|number| AttributeValue::N(number.to_string())),
        select(vec!["", "1", "10", "9", "a"]).prop_map(|text| AttributeValue::S(text.to_owned())),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        3 => Just(Condition::Always),
        3 => Just(Condition::Absent),
        2 => Just(Condition::Present),
        3 => value().prop_map(|value| Condition::Equals("value", value)),
        3 => value().prop_map(|value| Condition::AbsentOrBelow("value", value)),
        1 => Just(Condition::Without("value")),
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let at = || (0..2_u8, 0..4_u8);
    let put = (at(), proptest::option::of(value()), proptest::option::of(0..2_u8), condition())
        .prop_map(|(at, value, owner, condition)| Wanted::Put { at, value, owner, condition });
    prop_oneof![
        5 => put,
        2 => (at(), condition()).prop_map(|(at, condition)| Wanted::Delete(at, condition)),
        1 => (at(), condition()).prop_map(|(at, condition)| Wanted::Check(at, condition)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let bound = || select(vec!["", "0", "1", "2", "3", "4"]).prop_map(str::to_owned);
    let sort = prop_oneof![
        Just(Sort::All),
        (bound(), bound()).prop_map(|(first, last)| Sort::Between(first, last)),
        bound().prop_map(Sort::StartsWith),
    ];
    let order = || prop_oneof![Just(Order::Ascending), Just(Order::Descending)];
    let limit = || proptest::option::of(1..6_u32);
    let walk = (0..2_u8, sort, order(), limit()).prop_map(|(partition, sort, order, limit)| Step::Walk {
        partition,
        sort,
        order,
        limit,
    });
    let walk_index =
        (0..2_u8, order(), limit()).prop_map(|(owner, order, limit)| Step::WalkIndex { owner, order, limit });
    prop_oneof![
        6 => vec(wanted(), 1..4).prop_map(Step::Commit),
        2 => walk,
        1 => walk_index,
        1 => (0..2_u8, 0..4_u8).prop_map(|(partition, sort)| Step::Get(partition, sort)),
    ]
}

/// Names of one case, so that cases do not meet in the engine's table.
struct Case(usize);

impl Case {
    fn key(&self, (partition, sort): (u8, u8)) -> Key {
        Key::new(format!("case {} {partition}", self.0), sort.to_string())
    }

    fn owner(&self, owner: u8) -> String {
        format!("owner {} {owner}", self.0)
    }

    fn write(&self, wanted: &Wanted) -> Write {
        match wanted {
            Wanted::Put { at, value, owner, condition } => {
                let Key { partition, sort } = self.key(*at);
                let mut item = Item::default();
                // The index's sort key is the item's own, so that its order is told.
                let owner = owner.map(|owner| {
                    [(BY_OWNER.partition, self.owner(owner)), (BY_OWNER.sort, format!("{} {sort}", at.0))]
                });
                let texts = [("pk", partition), ("sk", sort)].into_iter().chain(owner.into_iter().flatten());
                for (name, text) in texts {
                    item.insert(name.to_owned(), AttributeValue::S(text));
                }
                if let Some(value) = value {
                    item.insert("value".to_owned(), value.clone());
                }
                Write::Put(item, condition.clone())
            }
            Wanted::Delete(at, condition) => Write::Delete(self.key(*at), condition.clone()),
            Wanted::Check(at, condition) => Write::Check(self.key(*at), condition.clone()),
        }
    }

    /// What a step did, in words that must be the same for both tables.
    async fn outcome(&self, table: &dyn Table, step: &Step) -> String {
        match step {
            Step::Commit(wanted) => {
                let writes: Vec<Write> = wanted.iter().map(|wanted| self.write(wanted)).collect();
                match table.commit(&writes).await {
                    Err(CommitError::Unavailable(_)) => "not taken".to_owned(),
                    Err(CommitError::Refused(refused)) => {
                        let told: Vec<_> =
                            refused.iter().map(|one| (one.write, one.found.as_ref().map(told))).collect();
                        format!("refused {told:?}")
                    }
                    other => format!("{other:?}"),
                }
            }
            Step::Walk { partition, sort, order, limit } => {
                let query = Query {
                    sort: sort.clone(),
                    order: *order,
                    limit: *limit,
                    ..Query::partition(self.key((*partition, 0)).partition)
                };
                items_told(&walk(table, &query).await.unwrap())
            }
            Step::WalkIndex { owner, order, limit } => {
                let query =
                    Query { order: *order, limit: *limit, ..Query::index(&BY_OWNER, self.owner(*owner)) };
                items_told(&walk(table, &query).await.unwrap())
            }
            Step::Get(partition, sort) => {
                let found = table.get(&self.key((*partition, *sort)), Read::Consistent).await.unwrap();
                format!("{:?}", found.as_ref().map(told))
            }
        }
    }
}

/// An item in words, its attributes in order.
fn told(item: &Item) -> String {
    let sorted: std::collections::BTreeMap<_, _> = item.iter().collect();
    format!("{sorted:?}")
}

fn items_told(items: &[Item]) -> String {
    items.iter().map(told).collect::<Vec<_>>().join("\n")
}

#[test]
fn dynamodb_and_the_twin_do_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let engine = runtime.block_on(Engine::start());
    let cases = std::cell::Cell::new(0);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) };
    let outcome = TestRunner::new(config).run(&vec(step(), 1..40), |steps| {
        cases.set(cases.get() + 1);
        let (case, twin) = (Case(cases.get()), Twin::new());
        runtime.block_on(async {
            for (place, step) in steps.iter().enumerate() {
                let expected = case.outcome(&twin, step).await;
                let seen = case.outcome(&engine.table, step).await;
                prop_assert_eq!(seen, expected, "engine and twin differ at step {}: {:?}", place, step);
            }
            Ok(())
        })
    });
    outcome.unwrap();
}
