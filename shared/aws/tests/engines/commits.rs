//! What the adapter answers is true, whatever happens to its calls: checked by reading the engine afterwards, without
//! faults, against the twin on the same items.

use crate::{
    faults::{Counts, Network},
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
const SHARES: [u64; 4] = [50, 200, 400, 600];
const PLACES: u64 = 4;

/// A table without faults, and the same table behind the network of a seed.
struct Both {
    network: Network,
    clear: DynamoDb,
    behind: DynamoDb,
    partition: String,
}

impl Both {
    fn new(seed: u64, engine: &Engine) -> Both {
        let (network, config) = Network::new(seed, &engine.config, SHARES);
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

/// Makes commits and reads of one seed, and holds every answer to what the engine has.
pub async fn run(seed: u64, engine: &Engine) -> Counts {
    let both = Both::new(seed, engine);
    let mut counts = Counts::new();
    let mut before = both.items().await;
    for by in 0..COMMITS {
        let writes = both.writes(by);
        let twin = twin_of(&before).await;
        let expected = twin.commit(&writes).await;
        let applied = twin.items();
        let answer = both.behind.commit(&writes).await;
        let after = both.items().await;
        let told = format!("SEED={seed}, commit {by}: {writes:?} on {before:?}: {answer:?}");
        let (is_unchanged, is_done) = (after == before, expected.is_ok() && after == applied);
        assert!(is_unchanged || is_done, "neither before nor after, {told}: {after:?}");
        let kind = match &answer {
            Ok(()) => {
                assert!(is_done, "not written, {told}");
                "done"
            }
            Err(CommitError::Refused(_)) if answer == expected => {
                assert!(is_unchanged, "refused and written, {told}");
                "refused"
            }
            Err(CommitError::Refused(_)) => {
                assert!(is_done && writes.len() == 1, "refused without a reason, {told}");
                assert_eq!(answer, twin.commit(&writes).await, "what stands there is its own doing, {told}");
                "refused by itself"
            }
            Err(CommitError::Contended) if is_unchanged => "contended",
            Err(CommitError::Contended) => "contended after it was done",
            Err(CommitError::Unavailable(_)) if is_unchanged => "unknown",
            Err(CommitError::Unavailable(_)) => "unknown and done",
        };
        *counts.entry(kind.to_owned()).or_default() += 1;
        before = after;
        reads_are_true(&both, &before, &mut counts, &told).await;
    }
    counts.extend(both.network.struck());
    counts
}

async fn reads_are_true(both: &Both, items: &[Item], counts: &mut Counts, told: &str) {
    let twin = twin_of(items).await;
    let key = Key::new(both.partition.as_str(), both.place());
    let mut count = |is_answered: bool| {
        let kind = if is_answered { "read" } else { "unread" };
        *counts.entry(kind.to_owned()).or_default() += 1;
    };
    let found = both.behind.get(&key, Read::Consistent).await;
    count(found.is_ok());
    if found.is_ok() {
        assert_eq!(found, twin.get(&key, Read::Consistent).await, "after {told}");
    }
    let order = if both.network.below(2) == 0 { Order::Ascending } else { Order::Descending };
    let query = Query { order, limit: Some(3), ..Query::partition(both.partition.as_str()) };
    let page = both.behind.query(&query).await;
    count(page.is_ok());
    if page.is_ok() {
        assert_eq!(page, twin.query(&query).await, "after {told}");
    }
}
