//! What the adapter answers is true, whatever happens to its calls: checked by reading the engine afterwards, without
//! faults, against the twin on the same items.

use crate::{
    faults::Network,
    server::{Engine, TABLE},
};
use aws::table::DynamoDb;
use std::collections::BTreeMap;
use store::{
    AttributeValue, CommitError, Condition, Item, Key, Order, Query, Read, Table, Write, conformance::walk,
    twin::Twin,
};

const PARTITION: &str = "commits";
const COMMITS: u64 = 40;
const PLACES: u64 = 4;

/// A table without faults, and the same table behind the network of a seed.
pub struct Both {
    pub network: Network,
    clear: DynamoDb,
    behind: DynamoDb,
    partition: String,
}

impl Both {
    pub fn new(seed: u64, engine: &Engine) -> Both {
        let (network, config) = Network::new(seed, &engine.config);
        Both {
            network,
            clear: DynamoDb::new(engine.config.clone(), TABLE),
            behind: DynamoDb::new(config, TABLE),
            partition: format!("{PARTITION} {seed}"),
        }
    }

    /// What the engine has, once all that was under way has arrived.
    async fn items(&self) -> Vec<Item> {
        self.network.settle().await;
        walk(&self.clear, &Query::partition(self.partition.as_str())).await.unwrap()
    }

    fn place(&self) -> String {
        self.network.below(PLACES).to_string()
    }

    fn condition(&self) -> Condition {
        match self.network.below(6) {
            0 => Condition::Always,
            1 => Condition::Absent,
            2 => Condition::Present,
            3 => Condition::Without("closed"),
            4 => Condition::AbsentOrBelow("version", number(self.network.below(4))),
            _ => Condition::number("version", self.network.below(4)),
        }
    }

    fn write(&self, by: u64, sort: &str) -> Write {
        let key = Key::new(self.partition.as_str(), sort);
        match self.network.below(10) {
            0..6 => {
                let mut item = Item::default();
                item.insert("pk".to_owned(), AttributeValue::S(key.partition));
                item.insert("sk".to_owned(), AttributeValue::S(key.sort));
                item.insert("version".to_owned(), number(self.network.below(4)));
                item.insert("by".to_owned(), number(by));
                if self.network.below(8) == 0 {
                    item.insert("closed".to_owned(), AttributeValue::Bool(true));
                }
                Write::Put(item, self.condition())
            }
            6..9 => Write::Delete(key, self.condition()),
            _ => Write::Check(key, self.condition()),
        }
    }

    fn writes(&self, by: u64) -> Vec<Write> {
        let mut wanted = BTreeMap::new();
        for _ in 0..=self.network.below(3) {
            let sort = self.place();
            wanted.insert(sort.clone(), self.write(by, &sort));
        }
        wanted.into_values().collect()
    }
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A twin that has these items.
async fn twin_of(items: &[Item]) -> Twin {
    let twin = Twin::new();
    for item in items {
        twin.commit(&[Write::Put(item.clone(), Condition::Always)]).await.unwrap();
    }
    twin
}

/// How many commits were answered in each way.
#[derive(Debug, Default)]
pub struct Answers {
    pub done: u64,
    pub refused: u64,
    /// A single write was repeated by the SDK, and met its own item.
    pub refused_by_itself: u64,
    pub contended: u64,
    pub unknown: u64,
    /// No answer, and yet it was done.
    pub unknown_and_done: u64,
    pub reads: u64,
    pub reads_unanswered: u64,
}

/// Makes commits and reads of one seed, and holds every answer to what the engine has.
pub async fn run(seed: u64, both: &Both, answers: &mut Answers) {
    let mut before = both.items().await;
    for by in 0..COMMITS {
        let writes = both.writes(by);
        let twin = twin_of(&before).await;
        let expected = twin.commit(&writes).await;
        let applied = twin.items();
        let answer = both.behind.commit(&writes).await;
        let after = both.items().await;
        let told = format!("seed {seed}, commit {by}: {writes:?} on {before:?}: {answer:?}");
        let (is_unchanged, is_done) = (after == before, expected.is_ok() && after == applied);
        assert!(is_unchanged || is_done, "neither before nor after, {told}: {after:?}");
        match &answer {
            Ok(()) => {
                answers.done += 1;
                assert!(is_done, "not written, {told}");
            }
            Err(CommitError::Refused(_)) if answer == expected => {
                answers.refused += 1;
                assert!(is_unchanged, "refused and written, {told}");
            }
            Err(CommitError::Refused(_)) => {
                answers.refused_by_itself += 1;
                assert!(is_done && writes.len() == 1, "refused without a reason, {told}");
                assert_eq!(answer, twin.commit(&writes).await, "what stands there is its own doing, {told}");
            }
            Err(CommitError::Contended) => answers.contended += 1,
            Err(CommitError::Unavailable(_)) => {
                answers.unknown += 1;
                answers.unknown_and_done += u64::from(is_done && !is_unchanged);
            }
        }
        before = after;
        reads_are_true(both, &before, answers, &told).await;
    }
}

async fn reads_are_true(both: &Both, items: &[Item], answers: &mut Answers, told: &str) {
    let twin = twin_of(items).await;
    let key = Key::new(both.partition.as_str(), both.place());
    answers.reads += 2;
    match both.behind.get(&key, Read::Consistent).await {
        Ok(found) => assert_eq!(Ok(found), twin.get(&key, Read::Consistent).await, "after {told}"),
        Err(_) => answers.reads_unanswered += 1,
    }
    let order = if both.network.below(2) == 0 { Order::Ascending } else { Order::Descending };
    let query = Query { order, limit: Some(3), ..Query::partition(both.partition.as_str()) };
    match both.behind.query(&query).await {
        Ok(page) => assert_eq!(Ok(page), twin.query(&query).await, "after {told}"),
        Err(_) => answers.reads_unanswered += 1,
    }
}
