//! The Table port: get, query, commit.
//!
//! Its meaning is DynamoDB's, cut down to what moving money needs: whole items, and conditions on one item each.
//! Limits that DynamoDB sets (100 writes a transaction, 400 KB an item, 1 MB a page) hold here too.

use crate::record::{Record, read};
use async_trait::async_trait;
use serde_dynamo::{AttributeValue, Item};

/// Where an item is: partition and sort key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The `pk` attribute.
    pub partition: String,
    /// The `sk` attribute.
    pub sort: String,
}

impl Key {
    /// A key of these two parts.
    pub fn new(partition: impl Into<String>, sort: impl Into<String>) -> Key {
        Key { partition: partition.into(), sort: sort.into() }
    }
}

/// A secondary index of a service's table. Sparse: only items that carry both attributes are in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Index {
    /// The index's name in DynamoDB.
    pub name: &'static str,
    /// The attribute that is its partition key.
    pub partition: &'static str,
    /// The attribute that is its sort key.
    pub sort: &'static str,
}

/// Whether a read must see every commit that was answered before it. An index is never read consistently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Sees every earlier commit; costs twice.
    Consistent,
    /// May lag, and a page of it may have gaps.
    Eventual,
}

/// The direction of a query by sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest sort key first.
    Ascending,
    /// Largest sort key first.
    Descending,
}

/// Which items a query looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    /// One partition of the table.
    Partition(String),
    /// One partition of an index.
    Index(&'static Index, String),
    /// The whole table, in no order: a scan, for sweepers and republishing. Sort and order do not apply.
    Everything,
}

/// Which sort keys a query looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Sort {
    /// All.
    All,
    /// From the first to the second, both included.
    Between(String, String),
    /// Those that start with this text.
    StartsWith(String),
}

/// A question for several items.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Where to look.
    pub scope: Scope,
    /// Which sort keys.
    pub sort: Sort,
    /// In which direction.
    pub order: Order,
    /// How many items at most; none = as many as a page of 1 MB holds.
    pub limit: Option<u32>,
    /// Where the page before ended: the item's key attributes, with those of the index if one is read.
    pub after: Option<Item>,
    /// How fresh. An index is always read eventually.
    pub read: Read,
}

impl Query {
    /// Everything of a partition, oldest first, consistently.
    pub fn partition(partition: impl Into<String>) -> Query {
        Query {
            scope: Scope::Partition(partition.into()),
            sort: Sort::All,
            order: Order::Ascending,
            limit: None,
            after: None,
            read: Read::Consistent,
        }
    }

    /// Everything of an index's partition, newest first.
    pub fn index(index: &'static Index, partition: impl Into<String>) -> Query {
        Query {
            scope: Scope::Index(index, partition.into()),
            order: Order::Descending,
            read: Read::Eventual,
            ..Query::partition("")
        }
    }

    /// The whole table.
    pub fn everything() -> Query {
        Query { scope: Scope::Everything, read: Read::Eventual, ..Query::partition("") }
    }
}

/// A page of items, and where the next one starts if there may be more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The items found.
    pub items: Vec<Item>,
    /// What to put into [`Query::after`]; none at the end.
    pub next: Option<Item>,
}

/// What must be true of the item at a write's key for the write to happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Nothing. Only for writes that may be repeated and reordered freely.
    Always,
    /// There is no item.
    Absent,
    /// There is an item.
    Present,
    /// The item is there and has exactly this value in this attribute.
    Equals(&'static str, AttributeValue),
    /// There is no item, or its attribute is smaller than this value (numbers or texts).
    AbsentOrBelow(&'static str, AttributeValue),
    /// The item is there and does not have this attribute.
    Without(&'static str),
}

impl Condition {
    /// The item is there and its attribute is this text.
    pub fn text(attribute: &'static str, value: impl Into<String>) -> Condition {
        Condition::Equals(attribute, AttributeValue::S(value.into()))
    }

    /// The item is there and its attribute is this number. The usual guard of an update: its version as loaded.
    pub fn number(attribute: &'static str, value: u64) -> Condition {
        Condition::Equals(attribute, AttributeValue::N(value.to_string()))
    }
}

/// One write of a commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Puts a whole item in place of what is there.
    Put(Item, Condition),
    /// Removes the item.
    Delete(Key, Condition),
    /// Writes nothing, but holds the commit to the condition.
    Check(Key, Condition),
}

impl Write {
    /// Puts a record under its own key.
    pub fn put<R: Record>(record: &R, condition: Condition) -> Result<Write, crate::Unreadable> {
        Ok(Write::Put(record.to_item()?, condition))
    }
}

/// The table could not be asked, or did not answer. A commit may or may not have happened: read before repeating.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the table did not answer: {0}")]
pub struct Unavailable(pub String);

/// A write whose condition did not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Its place among the commit's writes.
    pub write: usize,
    /// The item that was there instead, if there was one.
    pub found: Option<Item>,
}

/// Why a commit was not made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CommitError {
    /// Conditions did not hold; nothing was written. A single write may be refused by its own item: its first answer
    /// was lost, and it was repeated.
    #[error("a condition did not hold")]
    Refused(Vec<Refused>),
    /// Another transaction held one of the items; nothing was written, unless an attempt whose answer was lost had
    /// gone through before. Load again and decide again.
    #[error("another transaction is writing the same items")]
    Contended,
    /// No answer: it may have been written.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl CommitError {
    /// The item that stood in the way of the write at this place, if that is why.
    pub fn found(&self, write: usize) -> Option<&Item> {
        let CommitError::Refused(refused) = self else { return None };
        refused.iter().find(|refused| refused.write == write)?.found.as_ref()
    }

    /// Whether what stood in the way of the write at this place is what it writes: the answer to this very write was
    /// lost, and its repetition by the SDK has found what it wrote.
    pub fn is_repetition<R: Record + PartialEq>(&self, write: usize, written: &R) -> bool {
        let found = self.found(write).and_then(|found| read::<R>(found.clone()).ok());
        found.as_ref() == Some(written)
    }

    /// Whether it is worth to load and decide again at once: someone else was first.
    pub fn is_collision(&self) -> bool {
        matches!(self, CommitError::Refused(_) | CommitError::Contended)
    }
}

/// One service's table.
#[async_trait]
pub trait Table: Send + Sync {
    /// The item at this key.
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable>;

    /// A page of items.
    async fn query(&self, query: &Query) -> Result<Page, Unavailable>;

    /// Makes all writes or none. One write costs what it is; several are a transaction and cost double. No two
    /// writes of a commit may have the same key, and there may be at most 100.
    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_in_the_way_is_known_by_its_place() {
        let item = |name: &str| {
            let mut item = Item::default();
            item.insert(name.to_owned(), AttributeValue::Bool(true));
            item
        };
        let second = Refused { write: 1, found: Some(item("second")) };
        let error = CommitError::Refused(vec![Refused { write: 0, found: None }, second]);
        assert_eq!([error.found(0), error.found(1), error.found(2)], [None, Some(&item("second")), None]);
        assert!(error.is_collision() && CommitError::Contended.is_collision());
        let outage = CommitError::from(Unavailable(String::new()));
        assert_eq!((outage.found(0), outage.is_collision()), (None, false));
    }

    /// DynamoDB reads no index consistently, and a scan costs half if it need not be.
    #[test]
    fn a_partition_is_read_as_of_now_and_all_else_eventually() {
        static INDEX: Index = Index { name: "by", partition: "p", sort: "s" };
        let reads =
            [Query::partition("p"), Query::index(&INDEX, "p"), Query::everything()].map(|query| query.read);
        assert_eq!(reads, [Read::Consistent, Read::Eventual, Read::Eventual]);
    }
}
