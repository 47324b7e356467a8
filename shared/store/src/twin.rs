//! The table in memory, for tests: DynamoDB's meaning without DynamoDB.
//!
//! The conformance suite runs the same calls on it and on real engines. It reads consistently always; the
//! simulation adds staleness, conflicts and lost answers around it.

use crate::table::{
    CommitError, Condition, Index, Key, Order, Page, Query, Refused, Scope, Sort, Table, Unavailable, Write,
};
use async_trait::async_trait;
use serde_dynamo::{AttributeValue, Item};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// DynamoDB's limit on the writes of one transaction.
const MOST_WRITES: usize = 100;
/// DynamoDB's limit on one item: names and values, in bytes.
const MOST_ITEM_BYTES: usize = 400 * 1024;
/// DynamoDB's limit on all items of one transaction, in bytes.
const MOST_TRANSACTION_BYTES: usize = 4 * 1024 * 1024;
/// DynamoDB's limit on a page.
const MOST_PAGE_BYTES: usize = 1024 * 1024;

/// One committed change, as a stream would tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which item.
    pub key: Key,
    /// The item before, if there was one.
    pub old: Option<Item>,
    /// The item after, if there is one.
    pub new: Option<Item>,
}

/// What is wrong with an attribute that is an index's key.
#[derive(Clone, Copy, PartialEq)]
enum Misfit {
    /// It is empty: the whole commit is refused at once.
    Empty,
    /// It is no text: a transaction is still told of the conditions that did not hold.
    NoText,
}

/// A table in memory.
#[derive(Default)]
pub struct Twin {
    indexes: Vec<&'static Index>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    items: BTreeMap<Key, Item>,
    changes: Vec<Change>,
}

impl State {
    /// The items that may be in a scope: a partition's stand together, so that the others are not even looked at.
    fn in_scope<'a>(&'a self, scope: &'a Scope) -> Box<dyn Iterator<Item = &'a Item> + 'a> {
        match scope {
            Scope::Partition(wanted) => {
                let from = self.items.range(Key::new(wanted.clone(), String::new())..);
                Box::new(from.take_while(move |(key, _)| key.partition == *wanted).map(|(_, item)| item))
            }
            Scope::Index(_, _) | Scope::Everything => Box::new(self.items.values()),
        }
    }
}

impl Twin {
    /// An empty table that takes a query of any index, and any item.
    pub fn new() -> Twin {
        Twin::default()
    }

    /// An empty table that has these indexes, and takes no item that does not fit them.
    pub fn indexed(indexes: &[&'static Index]) -> Twin {
        Twin { indexes: indexes.to_vec(), ..Twin::default() }
    }

    /// Takes the changes since the last time, oldest first: the table's stream.
    pub fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut self.state().changes)
    }

    /// Every item, by key.
    pub fn items(&self) -> Vec<Item> {
        self.state().items.values().cloned().collect()
    }

    /// Why no index could have the item, if one must: attributes that are an index's keys are texts, and not empty.
    fn misfit(&self, write: &Write) -> Option<Misfit> {
        let Write::Put(item, _) = write else { return None };
        let names = self.indexes.iter().flat_map(|index| [index.partition, index.sort]);
        names.filter_map(|name| item.get(name)).find_map(|key| match key {
            AttributeValue::S(text) => text.is_empty().then_some(Misfit::Empty),
            _ => Some(Misfit::NoText),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Table for Twin {
    async fn get(&self, key: &Key, _: crate::Read) -> Result<Option<Item>, Unavailable> {
        if !is_whole(&key.partition, &key.sort) {
            return Err(Unavailable("a key has no empty part".to_owned()));
        }
        Ok(self.state().items.get(key).cloned())
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        if is_void(query) {
            return Ok(Page::default());
        }
        if query.limit == Some(0) {
            return Err(Unavailable("a page has at least one item".to_owned()));
        }
        let state = self.state();
        let mut found: Vec<(Position<'_>, &Item)> = state
            .in_scope(&query.scope)
            .filter_map(|item| Some((Position::of(item, &query.scope)?, item)))
            .filter(|(position, _)| position.is_in(query))
            .collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        if query.order == Order::Descending {
            found.reverse();
        }
        if let Some(after) = &query.after {
            // A page that begins outside of what is asked for is a cursor of another question.
            let after = Position::of(after, &query.scope);
            let after = after.filter(|after| after.is_whole() && after.is_in(query));
            let after = after.ok_or_else(|| Unavailable("a page begins where it is asked for".to_owned()))?;
            found.retain(|(position, _)| match query.order {
                Order::Ascending => *position > after,
                Order::Descending => *position < after,
            });
        }
        let limit = query.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let (mut items, mut bytes, mut is_full) = (Vec::new(), 0_usize, false);
        for (_, item) in found {
            bytes = bytes.saturating_add(size_of(item));
            if bytes > MOST_PAGE_BYTES && !items.is_empty() {
                is_full = true;
                break;
            }
            items.push(item.clone());
            // As DynamoDB does, a full page says that there may be more even if there is not.
            if items.len() >= limit {
                is_full = true;
                break;
            }
        }
        let next = items.last().filter(|_| is_full).map(|last| key_attributes(last, &query.scope));
        Ok(Page { items, next })
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        let keys: BTreeSet<Key> = writes.iter().map(key_of).collect();
        if writes.is_empty() || writes.len() > MOST_WRITES || keys.len() != writes.len() {
            return Err(Unavailable("a commit needs 1 to 100 writes with different keys".to_owned()).into());
        }
        if !keys.iter().all(|key| is_whole(&key.partition, &key.sort)) {
            return Err(Unavailable("a key has no empty part".to_owned()).into());
        }
        if writes.iter().any(is_too_large) {
            return Err(Unavailable("an item is larger than 400 KB".to_owned()).into());
        }
        let bytes: usize = writes.iter().map(bytes_of).sum();
        if bytes > MOST_TRANSACTION_BYTES {
            return Err(Unavailable("a transaction is larger than 4 MB".to_owned()).into());
        }
        let misfits: Vec<Option<Misfit>> = writes.iter().map(|write| self.misfit(write)).collect();
        let is_alone = writes.len() == 1;
        if misfits.iter().flatten().any(|misfit| is_alone || *misfit == Misfit::Empty) {
            return Err(Unavailable("an item does not fit an index".to_owned()).into());
        }
        let mut state = self.state();
        // A transaction tells of the conditions that did not hold, even if another of its writes does not fit.
        let refused: Vec<Refused> = writes
            .iter()
            .enumerate()
            .zip(&misfits)
            .filter(|(_, misfit)| misfit.is_none())
            .filter_map(|((write, wanted), _)| {
                let found = state.items.get(&key_of(wanted));
                (!holds(condition_of(wanted), found)).then(|| Refused { write, found: found.cloned() })
            })
            .collect();
        if !refused.is_empty() {
            return Err(CommitError::Refused(refused));
        }
        if misfits.iter().flatten().next().is_some() {
            return Err(Unavailable("an item does not fit an index".to_owned()).into());
        }
        for write in writes {
            let key = key_of(write);
            let (old, new) = match write {
                Write::Put(item, _) => (state.items.insert(key.clone(), item.clone()), Some(item.clone())),
                Write::Delete(_, _) => (state.items.remove(&key), None),
                Write::Check(_, _) => continue,
            };
            // A write that changes nothing is not in the stream.
            if old != new {
                state.changes.push(Change { key, old, new });
            }
        }
        Ok(())
    }
}

/// Where an item stands in a scope's order: sort key first, then the table's own key.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Position<'a> {
    sort: &'a str,
    partition_of_key: &'a str,
    sort_of_key: &'a str,
}

impl<'a> Position<'a> {
    fn of(item: &'a Item, scope: &Scope) -> Option<Position<'a>> {
        let is_in = |name: &str, wanted: &str| text(item, name) == Some(wanted);
        let sort = match scope {
            Scope::Everything => "",
            Scope::Partition(wanted) if is_in("pk", wanted) => text(item, "sk")?,
            Scope::Index(index, wanted) if is_in(index.partition, wanted) => text(item, index.sort)?,
            Scope::Partition(_) | Scope::Index(_, _) => return None,
        };
        Some(Position { sort, partition_of_key: text(item, "pk")?, sort_of_key: text(item, "sk")? })
    }

    fn is_whole(&self) -> bool {
        is_whole(self.partition_of_key, self.sort_of_key)
    }

    fn is_in(&self, query: &Query) -> bool {
        match &query.sort {
            _ if query.scope == Scope::Everything => true,
            Sort::All => true,
            Sort::Between(first, last) => (first.as_str()..=last.as_str()).contains(&self.sort),
            Sort::StartsWith(start) => self.sort.starts_with(start.as_str()),
        }
    }
}

/// Whether no key could fit. Such a question is not put to DynamoDB, which would refuse it.
fn is_void(query: &Query) -> bool {
    let is_nowhere = match &query.scope {
        Scope::Everything => return false,
        Scope::Partition(wanted) | Scope::Index(_, wanted) => wanted.is_empty(),
    };
    is_nowhere || matches!(&query.sort, Sort::Between(first, last) if first > last || last.is_empty())
}

fn key_attributes(item: &Item, scope: &Scope) -> Item {
    let mut names = vec!["pk", "sk"];
    if let Scope::Index(index, _) = scope {
        names.extend([index.partition, index.sort]);
    }
    let mut key = Item::default();
    for name in names {
        if let Some(value) = item.get(name) {
            key.insert(name.to_owned(), value.clone());
        }
    }
    key
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name) {
        Some(AttributeValue::S(text)) => Some(text),
        _ => None,
    }
}

fn key_of(write: &Write) -> Key {
    match write {
        Write::Put(item, _) => {
            Key::new(text(item, "pk").unwrap_or_default(), text(item, "sk").unwrap_or_default())
        }
        Write::Delete(key, _) | Write::Check(key, _) => key.clone(),
    }
}

fn is_whole(partition: &str, sort: &str) -> bool {
    !partition.is_empty() && !sort.is_empty()
}

fn is_too_large(write: &Write) -> bool {
    bytes_of(write) > MOST_ITEM_BYTES
}

fn bytes_of(write: &Write) -> usize {
    match write {
        Write::Put(item, _) => size_of(item),
        Write::Delete(_, _) | Write::Check(_, _) => 0,
    }
}

/// An item's size as DynamoDB counts it: names and values. Numbers count about half a byte a digit.
fn size_of(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len().saturating_add(value_size(value))).sum()
}

fn value_size(value: &AttributeValue) -> usize {
    let elements = |sizes: usize, count: usize| sizes.saturating_add(count).saturating_add(3);
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2).saturating_add(1),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::M(map) => elements(
            map.iter().map(|(name, value)| name.len().saturating_add(value_size(value))).sum(),
            map.len(),
        ),
        AttributeValue::L(list) => elements(list.iter().map(value_size).sum(), list.len()),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Bs(all) => all.iter().map(Vec::len).sum(),
        _ => 1,
    }
}

fn condition_of(write: &Write) -> &Condition {
    match write {
        Write::Put(_, condition) | Write::Delete(_, condition) | Write::Check(_, condition) => condition,
    }
}

fn holds(condition: &Condition, found: Option<&Item>) -> bool {
    match (condition, found) {
        (Condition::Always, _) => true,
        (Condition::Absent, found) => found.is_none(),
        (Condition::Present, found) => found.is_some(),
        (Condition::AbsentOrBelow(_, _), None) => true,
        (Condition::AbsentOrBelow(name, bound), Some(item)) => {
            item.get(*name).is_some_and(|value| is_below(value, bound))
        }
        (_, None) => false,
        (Condition::Equals(name, wanted), Some(item)) => {
            item.get(*name).is_some_and(|value| equal(value, wanted))
        }
        (Condition::Without(name), Some(item)) => item.get(*name).is_none(),
    }
}

fn equal(value: &AttributeValue, wanted: &AttributeValue) -> bool {
    match (value, wanted) {
        (AttributeValue::N(value), AttributeValue::N(wanted)) => number(value) == number(wanted),
        _ => value == wanted,
    }
}

fn is_below(value: &AttributeValue, bound: &AttributeValue) -> bool {
    match (value, bound) {
        (AttributeValue::N(value), AttributeValue::N(bound)) => number(value) < number(bound),
        (AttributeValue::S(value), AttributeValue::S(bound)) => value < bound,
        _ => false,
    }
}

/// Pay stores whole numbers only.
fn number(text: &str) -> Option<i128> {
    text.parse().ok()
}
