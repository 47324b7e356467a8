//! What every table promises, as tests that run on any of them.
//!
//! Services are tested on the twin and run on DynamoDB: both must keep the same promises, or those tests prove
//! nothing. Each promise uses partitions of its own, so that all may run on one table, at once and again.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    reason = "these are tests, compiled as a library so that they run in several places"
)]

use crate::table::{
    CommitError, Condition, Index, Key, Order, Page, Query, Read, Sort, Table, Unavailable, Write,
};
use serde_dynamo::{AttributeValue, Item};
use std::{collections::BTreeSet, future::Future, pin::Pin};

/// The index that the table under test must have, with all attributes.
pub static BY_OWNER: Index = Index { name: "byOwner", partition: "ownerPartition", sort: "ownerSort" };

/// One promise: it panics if the table breaks it.
pub type Promise = for<'a> fn(&'a dyn Table) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The promise that DynamoDB Local does not keep (docs/aws-differences.md).
pub const ONE_KEY_TWICE: &str = "a commit with one key twice is not taken, whatever its conditions";

/// Every promise, by name.
pub const PROMISES: &[(&str, Promise)] = &[
    ("an item is read as it was put", |table| Box::pin(put_and_get(table))),
    ("an absent item is guarded", |table| Box::pin(absent(table))),
    ("a present item is guarded", |table| Box::pin(present(table))),
    ("a value is guarded", |table| Box::pin(equals(table))),
    ("a bound is guarded, and numbers are compared as numbers", |table| Box::pin(below(table))),
    ("an attribute that is not there is guarded", |table| Box::pin(without(table))),
    ("an unguarded write goes over everything", |table| Box::pin(always(table))),
    ("a delete removes, and is guarded", |table| Box::pin(delete(table))),
    ("a check writes nothing and holds the others back", |table| Box::pin(check(table))),
    ("a transaction is made as a whole or not at all", |table| Box::pin(transaction(table))),
    ("a commit that no table takes is not made", |table| Box::pin(malformed(table))),
    (ONE_KEY_TWICE, |table| Box::pin(one_key_twice(table))),
    ("a commit of a hundred writes is taken", |table| Box::pin(hundred(table))),
    ("an item of 400 KB is the largest", |table| Box::pin(item_size(table))),
    ("a query is in order, in both directions", |table| Box::pin(order(table))),
    ("a query finds ranges and beginnings", |table| Box::pin(ranges(table))),
    ("pages follow one another without loss", |table| Box::pin(paging(table))),
    ("a page holds 1 MB", |table| Box::pin(page_size(table))),
    ("an index holds the items that have its keys", |table| Box::pin(index(table))),
    ("a scan finds everything", |table| Box::pin(scan(table))),
    ("of two commits on one version one wins", |table| Box::pin(race(table))),
];

/// Texts as attributes; the partition is different for every promise.
fn item(partition: &str, sort: &str, attributes: &[(&str, AttributeValue)]) -> Item {
    let mut item = Item::default();
    item.insert("pk".to_owned(), text(partition));
    item.insert("sk".to_owned(), text(sort));
    for (name, value) in attributes {
        item.insert((*name).to_owned(), value.clone());
    }
    item
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

async fn commit(table: &dyn Table, writes: &[Write]) {
    assert_eq!(table.commit(writes).await, Ok(()), "{writes:?}");
}

async fn put(table: &dyn Table, item: &Item) {
    commit(table, &[Write::Put(item.clone(), Condition::Always)]).await;
}

async fn get(table: &dyn Table, partition: &str, sort: &str) -> Option<Item> {
    table.get(&Key::new(partition, sort), Read::Consistent).await.unwrap()
}

async fn sorts(table: &dyn Table, query: &Query) -> Vec<String> {
    let page = table.query(query).await.unwrap();
    page.items.iter().map(sort_of).collect()
}

fn sort_of(item: &Item) -> String {
    match item.get("sk") {
        Some(AttributeValue::S(sort)) => sort.clone(),
        other => panic!("an item without a sort key: {other:?}"),
    }
}

/// Asserts which writes were refused, and what was found in their places.
async fn refuses(table: &dyn Table, writes: &[Write], expected: &[(usize, Option<&Item>)]) {
    match table.commit(writes).await {
        Err(CommitError::Refused(refused)) => {
            let told: Vec<(usize, Option<&Item>)> =
                refused.iter().map(|refused| (refused.write, refused.found.as_ref())).collect();
            assert_eq!(told, expected, "{writes:?}");
        }
        other => panic!("{writes:?} was not refused: {other:?}"),
    }
}

async fn put_and_get(table: &dyn Table) {
    assert_eq!(get(table, "put", "a").await, None);
    let nested = AttributeValue::M(
        [("이름".to_owned(), text("김하나")), ("n".to_owned(), number(-7))].into_iter().collect(),
    );
    let all = item(
        "put",
        "a",
        &[
            ("text", text("héllo \u{1F600}")),
            ("empty", text("")),
            ("number", number(9_007_199_254_740_993)),
            ("flag", AttributeValue::Bool(true)),
            ("nothing", AttributeValue::Null(true)),
            ("list", AttributeValue::L(vec![text("x"), number(1), AttributeValue::L(Vec::new())])),
            ("map", nested),
            ("size", text("a reserved word of DynamoDB")),
        ],
    );
    put(table, &all).await;
    assert_eq!(get(table, "put", "a").await.as_ref(), Some(&all));
    assert_eq!(table.get(&Key::new("put", "a"), Read::Eventual).await, Ok(Some(all)));

    let fewer = item("put", "a", &[("number", number(0))]);
    put(table, &fewer).await;
    assert_eq!(get(table, "put", "a").await, Some(fewer), "a put replaces the whole item");
    assert_eq!(get(table, "put", "b").await, None);
}

async fn absent(table: &dyn Table) {
    let first = item("absent", "a", &[("by", text("first"))]);
    let second = item("absent", "a", &[("by", text("second"))]);
    commit(table, &[Write::Delete(Key::new("absent", "a"), Condition::Always)]).await;
    commit(table, &[Write::Put(first.clone(), Condition::Absent)]).await;
    refuses(table, &[Write::Put(second, Condition::Absent)], &[(0, Some(&first))]).await;
    assert_eq!(get(table, "absent", "a").await, Some(first));
}

async fn present(table: &dyn Table) {
    let first = item("present", "a", &[("by", text("first"))]);
    let second = item("present", "a", &[("by", text("second"))]);
    commit(table, &[Write::Delete(Key::new("present", "a"), Condition::Always)]).await;
    refuses(table, &[Write::Put(first.clone(), Condition::Present)], &[(0, None)]).await;
    put(table, &first).await;
    commit(table, &[Write::Put(second.clone(), Condition::Present)]).await;
    assert_eq!(get(table, "present", "a").await, Some(second));
}

async fn equals(table: &dyn Table) {
    let stored = item("equals", "a", &[("name", text("one")), ("version", number(10))]);
    let next = item("equals", "a", &[("version", number(11))]);
    let guarded = |condition| [Write::Put(next.clone(), condition)];
    commit(table, &[Write::Delete(Key::new("equals", "a"), Condition::Always)]).await;
    refuses(table, &guarded(Condition::number("version", 10)), &[(0, None)]).await;
    put(table, &stored).await;
    for wrong in [
        Condition::number("version", 1),
        Condition::number("version", 100),
        Condition::text("version", "10"),
        Condition::text("name", "One"),
        Condition::text("nothing", "one"),
    ] {
        refuses(table, &guarded(wrong), &[(0, Some(&stored))]).await;
    }
    commit(table, &[Write::Put(stored, Condition::text("name", "one"))]).await;
    commit(table, &guarded(Condition::number("version", 10))).await;
    assert_eq!(get(table, "equals", "a").await, Some(next));
}

async fn below(table: &dyn Table) {
    let of = |attribute: AttributeValue| item("below", "a", &[("at", attribute)]);
    let bound = |value: AttributeValue| Condition::AbsentOrBelow("at", value);
    commit(table, &[Write::Delete(Key::new("below", "a"), Condition::Always)]).await;
    commit(table, &[Write::Put(of(number(9)), bound(number(0)))]).await;
    for wrong in [bound(number(9)), bound(number(-10)), bound(text("9")), bound(text("10"))] {
        refuses(table, &[Write::Put(of(number(0)), wrong)], &[(0, Some(&of(number(9))))]).await;
    }
    commit(table, &[Write::Put(of(text("b")), bound(number(10)))]).await;
    for wrong in [bound(text("b")), bound(text("a")), bound(text("B")), bound(number(99))] {
        refuses(table, &[Write::Put(of(number(0)), wrong)], &[(0, Some(&of(text("b"))))]).await;
    }
    let bare = item("below", "a", &[]);
    commit(table, &[Write::Put(bare.clone(), bound(text("ba")))]).await;
    refuses(table, &[Write::Put(of(number(0)), bound(number(5)))], &[(0, Some(&bare))]).await;
}

async fn without(table: &dyn Table) {
    let bare = item("without", "a", &[("version", number(1))]);
    let closed = item("without", "a", &[("closed", AttributeValue::Bool(false))]);
    commit(table, &[Write::Delete(Key::new("without", "a"), Condition::Always)]).await;
    refuses(table, &[Write::Put(bare.clone(), Condition::Without("closed"))], &[(0, None)]).await;
    put(table, &bare).await;
    commit(table, &[Write::Put(closed.clone(), Condition::Without("closed"))]).await;
    refuses(table, &[Write::Put(bare, Condition::Without("closed"))], &[(0, Some(&closed))]).await;
}

async fn always(table: &dyn Table) {
    let other = item("always", "b", &[]);
    for version in 0..3 {
        let now = item("always", "a", &[("version", number(version))]);
        commit(table, &[Write::Put(now.clone(), Condition::Always)]).await;
        assert_eq!(get(table, "always", "a").await.as_ref(), Some(&now));
        let writes = [Write::Put(now, Condition::Always), Write::Put(other.clone(), Condition::Always)];
        commit(table, &writes).await;
    }
}

async fn delete(table: &dyn Table) {
    let key = Key::new("delete", "a");
    let stored = item("delete", "a", &[("version", number(2))]);
    commit(table, &[Write::Delete(key.clone(), Condition::Always)]).await;
    refuses(table, &[Write::Delete(key.clone(), Condition::Present)], &[(0, None)]).await;
    put(table, &stored).await;
    let wrong = Write::Delete(key.clone(), Condition::number("version", 1));
    refuses(table, &[wrong], &[(0, Some(&stored))]).await;
    assert_eq!(get(table, "delete", "a").await, Some(stored));
    commit(table, &[Write::Delete(key.clone(), Condition::number("version", 2))]).await;
    assert_eq!(get(table, "delete", "a").await, None);
    commit(table, &[Write::Delete(key, Condition::Absent)]).await;
}

async fn check(table: &dyn Table) {
    let (key, other) = (Key::new("check", "a"), Key::new("check", "b"));
    let stored = item("check", "a", &[("version", number(1))]);
    let wanted = item("check", "b", &[]);
    commit(table, &[Write::Delete(other.clone(), Condition::Always)]).await;
    put(table, &stored).await;
    commit(table, &[Write::Check(key.clone(), Condition::number("version", 1))]).await;
    let both =
        |condition| [Write::Put(wanted.clone(), Condition::Absent), Write::Check(key.clone(), condition)];
    refuses(table, &both(Condition::number("version", 2)), &[(1, Some(&stored))]).await;
    refuses(table, &both(Condition::Absent), &[(1, Some(&stored))]).await;
    assert_eq!(get(table, "check", "b").await, None);
    commit(table, &both(Condition::number("version", 1))).await;
    commit(table, &[Write::Check(key, Condition::Always), Write::Check(other, Condition::Present)]).await;
    assert_eq!(get(table, "check", "a").await, Some(stored));
}

async fn transaction(table: &dyn Table) {
    let partition = "transaction";
    let [a, b, c] = ["a", "b", "c"].map(|sort| item(partition, sort, &[("version", number(1))]));
    let b2 = item(partition, "b", &[("version", number(2))]);
    for sort in ["a", "b", "c"] {
        commit(table, &[Write::Delete(Key::new(partition, sort), Condition::Always)]).await;
    }
    put(table, &b).await;
    let writes = [
        Write::Put(a.clone(), Condition::Absent),
        Write::Put(b2.clone(), Condition::number("version", 7)),
        Write::Put(c.clone(), Condition::Present),
    ];
    refuses(table, &writes, &[(1, Some(&b)), (2, None)]).await;
    assert_eq!(get(table, partition, "a").await, None);
    assert_eq!(get(table, partition, "b").await.as_ref(), Some(&b));
    let writes = [
        Write::Put(a.clone(), Condition::Absent),
        Write::Delete(Key::new(partition, "b"), Condition::number("version", 1)),
        Write::Put(c.clone(), Condition::Absent),
    ];
    commit(table, &writes).await;
    assert_eq!(get(table, partition, "a").await, Some(a));
    assert_eq!(get(table, partition, "b").await, None);
    assert_eq!(get(table, partition, "c").await, Some(c));
    commit(table, &[Write::Put(b2, Condition::Absent)]).await;
}

async fn malformed(table: &dyn Table) {
    let a = item("malformed", "a", &[]);
    let put = |sort: &str| Write::Put(item("malformed", sort, &[]), Condition::Always);
    let mut without_sort = Item::default();
    without_sort.insert("pk".to_owned(), text("malformed"));
    let cases: Vec<(&str, Vec<Write>)> = vec![
        ("no writes", Vec::new()),
        ("101 writes", (0..101).map(|place| put(&format!("{place:03}"))).collect()),
        ("one key twice", vec![put("a"), put("a")]),
        ("an empty partition", vec![Write::Put(item("", "a", &[]), Condition::Always)]),
        ("an empty sort key", vec![Write::Delete(Key::new("malformed", ""), Condition::Always), put("a")]),
        ("no sort key", vec![Write::Put(without_sort, Condition::Always)]),
    ];
    for (what, writes) in cases {
        let answer = table.commit(&writes).await;
        assert!(matches!(answer, Err(CommitError::Unavailable(_))), "{what}: {answer:?}");
    }
    assert!(table.get(&Key::new("", "a"), Read::Consistent).await.is_err(), "an empty key is not asked for");
    let none = Query { limit: Some(0), ..Query::partition("malformed") };
    assert!(table.query(&none).await.is_err(), "a page of no items is not asked for");
    assert_eq!(sorts(table, &Query::partition("malformed")).await, Vec::<String>::new());
    commit(table, &[Write::Put(a, Condition::Absent)]).await;
    commit(table, &[Write::Delete(Key::new("malformed", "a"), Condition::Present)]).await;
}

async fn one_key_twice(table: &dyn Table) {
    let (partition, key) = ("twice", Key::new("twice", "a"));
    for condition in [Condition::Absent, Condition::Present] {
        let put = Write::Put(item(partition, "a", &[]), Condition::Always);
        let answer = table.commit(&[put, Write::Check(key.clone(), condition)]).await;
        assert!(matches!(answer, Err(CommitError::Unavailable(_))), "{answer:?}");
        assert_eq!(get(table, partition, "a").await, None);
    }
}

async fn hundred(table: &dyn Table) {
    let writes: Vec<Write> = (0..100)
        .map(|place| Write::Put(item("hundred", &format!("{place:03}"), &[]), Condition::Always))
        .collect();
    commit(table, &writes).await;
    assert_eq!(sorts(table, &Query::partition("hundred")).await.len(), 100);
}

async fn item_size(table: &dyn Table) {
    // Names and values count: pk + size + sk + a + bulk + text.
    let fitting = 400 * 1024 - "pksizeskabulk".len();
    let of = |bytes: usize| item("size", "a", &[("bulk", text(&"x".repeat(bytes)))]);
    put(table, &of(fitting)).await;
    assert_eq!(get(table, "size", "a").await, Some(of(fitting)));
    let answer = table.commit(&[Write::Put(of(fitting + 1), Condition::Always)]).await;
    assert!(matches!(answer, Err(CommitError::Unavailable(_))), "{answer:?}");
    assert_eq!(get(table, "size", "a").await, Some(of(fitting)));
}

async fn order(table: &dyn Table) {
    for sort in ["b", "a", "é", "B", "10", "9", "a\u{0}", "\u{10FFFF}", "\u{FFFD}"] {
        put(table, &item("order", sort, &[])).await;
    }
    let ascending = ["10", "9", "B", "a", "a\u{0}", "b", "é", "\u{FFFD}", "\u{10FFFF}"];
    assert_eq!(sorts(table, &Query::partition("order")).await, ascending, "by UTF-8 bytes");
    let descending: Vec<&str> = ascending.into_iter().rev().collect();
    let query = Query { order: Order::Descending, ..Query::partition("order") };
    assert_eq!(sorts(table, &query).await, descending);
    assert_eq!(sorts(table, &Query::partition("orde")).await, Vec::<String>::new());
    assert_eq!(sorts(table, &Query::partition("")).await, Vec::<String>::new());
}

async fn ranges(table: &dyn Table) {
    for sort in ["a#1", "a#2", "a#3", "b#1", "b#2"] {
        put(table, &item("ranges", sort, &[])).await;
    }
    let between = |first: &str, last: &str| Sort::Between(first.to_owned(), last.to_owned());
    let starting = |start: &str| Sort::StartsWith(start.to_owned());
    let cases: [(Sort, &[&str]); 10] = [
        (Sort::All, &["a#1", "a#2", "a#3", "b#1", "b#2"]),
        (between("a#2", "b#1"), &["a#2", "a#3", "b#1"]),
        (between("a#2", "a#2"), &["a#2"]),
        (between("", "a#1"), &["a#1"]),
        (between("b", "a"), &[]),
        (between("", ""), &[]),
        (starting("a#"), &["a#1", "a#2", "a#3"]),
        (starting(""), &["a#1", "a#2", "a#3", "b#1", "b#2"]),
        (starting("c"), &[]),
        (starting("#1"), &[]),
    ];
    for (sort, expected) in cases {
        let query = Query { sort: sort.clone(), ..Query::partition("ranges") };
        assert_eq!(sorts(table, &query).await, expected, "{sort:?}");
        let query = Query { order: Order::Descending, limit: Some(1), ..query };
        assert_eq!(sorts(table, &query).await.first().map(String::as_str), expected.last().copied());
    }
}

/// All items of a query, page by page.
pub async fn walk(table: &dyn Table, query: &Query) -> Result<Vec<Item>, Unavailable> {
    let (mut query, mut items) = (query.clone(), Vec::new());
    loop {
        let Page { items: found, next } = table.query(&query).await?;
        items.extend(found);
        if next.is_none() {
            return Ok(items);
        }
        assert!(items.len() < 10_000, "pages that never end");
        query.after = next;
    }
}

async fn paging(table: &dyn Table) {
    let names: Vec<String> = (0..7).map(|place| format!("{place}")).collect();
    for sort in &names {
        put(table, &item("paging", sort, &[])).await;
    }
    for limit in [1, 2, 3, 7, 8] {
        for order in [Order::Ascending, Order::Descending] {
            let query = Query { limit: Some(limit), order, ..Query::partition("paging") };
            let first = table.query(&query).await.unwrap();
            assert_eq!(first.items.len(), 7.min(usize::try_from(limit).unwrap()));
            assert_eq!(first.next.is_some(), limit <= 7, "a full page says that there may be more");
            let mut found: Vec<String> = walk(table, &query).await.unwrap().iter().map(sort_of).collect();
            if order == Order::Descending {
                found.reverse();
            }
            assert_eq!(found, names, "limit {limit}");
        }
    }
    // A page may begin after an item that is no longer there.
    let query = Query { limit: Some(3), ..Query::partition("paging") };
    let after = table.query(&query).await.unwrap().next;
    commit(table, &[Write::Delete(Key::new("paging", "2"), Condition::Present)]).await;
    let rest = Query { after, limit: None, ..query };
    assert_eq!(sorts(table, &rest).await, ["3", "4", "5", "6"]);
}

async fn page_size(table: &dyn Table) {
    let bulk = text(&"x".repeat(300 * 1024));
    for sort in ["a", "b", "c", "d", "e"] {
        put(table, &item("page", sort, &[("bulk", bulk.clone())])).await;
    }
    let query = Query::partition("page");
    let first = table.query(&query).await.unwrap();
    assert!((1..=4).contains(&first.items.len()), "{} items of 300 KB", first.items.len());
    assert!(first.next.is_some());
    let all: Vec<String> = walk(table, &query).await.unwrap().iter().map(sort_of).collect();
    assert_eq!(all, ["a", "b", "c", "d", "e"]);
}

async fn index(table: &dyn Table) {
    let owned = |sort: &str, owner: &str, rank: &str| {
        item("index", sort, &[("ownerPartition", text(owner)), ("ownerSort", text(rank)), ("n", number(1))])
    };
    let partly = item("index", "d", &[("ownerPartition", text("owner 1"))]);
    for stored in [owned("a", "owner 1", "3"), owned("b", "owner 1", "1"), owned("c", "owner 2", "2"), partly]
    {
        put(table, &stored).await;
    }
    let query = Query::index(&BY_OWNER, "owner 1");
    assert_eq!(sorts(table, &query).await, ["a", "b"], "newest first");
    let up = Query { order: Order::Ascending, ..query.clone() };
    assert_eq!(
        table.query(&up).await.unwrap().items,
        [owned("b", "owner 1", "1"), owned("a", "owner 1", "3")]
    );
    let pages = Query { limit: Some(1), ..query.clone() };
    let walked: Vec<String> = walk(table, &pages).await.unwrap().iter().map(sort_of).collect();
    assert_eq!(walked, ["a", "b"]);
    let some = Query { sort: Sort::Between("0".to_owned(), "2".to_owned()), ..query.clone() };
    assert_eq!(sorts(table, &some).await, ["b"]);

    put(table, &owned("a", "owner 2", "4")).await;
    put(table, &item("index", "b", &[])).await;
    assert_eq!(sorts(table, &query).await, Vec::<String>::new(), "items leave with their keys");
    assert_eq!(sorts(table, &Query::index(&BY_OWNER, "owner 2")).await, ["a", "c"]);
    // Items of one sort key stand beside each other.
    put(table, &owned("b", "owner 2", "4")).await;
    let pages = Query { limit: Some(1), ..Query::index(&BY_OWNER, "owner 2") };
    let walked = walk(table, &pages).await.unwrap();
    assert_eq!(walked.iter().map(sort_of).collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(walked.len(), 3);
}

/// Whoever walks a whole table may count on a partition's items standing together, in order.
async fn scan(table: &dyn Table) {
    let partitions: BTreeSet<String> = (0..9).map(|place| format!("scan {place}")).collect();
    for partition in &partitions {
        for sort in ["b", "a", "c"] {
            put(table, &item(partition, sort, &[])).await;
        }
    }
    for limit in [None, Some(4), Some(1)] {
        let query = Query { limit, ..Query::everything() };
        let found = walk(table, &query).await.unwrap();
        let partition_of = |item: &Item| match item.get("pk") {
            Some(AttributeValue::S(partition)) => partition.clone(),
            other => panic!("an item without a partition: {other:?}"),
        };
        let ours: Vec<&Item> = found.iter().filter(|item| partitions.contains(&partition_of(item))).collect();
        let mut seen = BTreeSet::new();
        for partition in ours.chunks(3) {
            let sorts: Vec<String> = partition.iter().map(|item| sort_of(item)).collect();
            assert_eq!(sorts, ["a", "b", "c"], "a partition's items stand together");
            let names: BTreeSet<String> = partition.iter().map(|item| partition_of(item)).collect();
            assert_eq!(names.len(), 1, "{names:?}");
            seen.extend(names);
        }
        assert_eq!(ours.len(), 3 * partitions.len(), "each once");
        assert_eq!(seen, partitions);
    }
}

async fn race(table: &dyn Table) {
    let of = |version: i64, by: i64| item("race", "a", &[("version", number(version)), ("by", number(by))]);
    put(table, &of(0, 0)).await;
    for version in 0..10_u64 {
        let next = i64::try_from(version).unwrap() + 1;
        let attempts = [1, 2, 3, 4].map(|by| {
            let put = Write::Put(of(next, by), Condition::number("version", version));
            let beside = Write::Put(item("race", &format!("{by}"), &[]), Condition::Always);
            // Half of them are transactions.
            let writes = if by % 2 == 0 { vec![put, beside] } else { vec![put] };
            async move { table.commit(&writes).await }
        });
        let [one, two, three, four] = attempts;
        let outcomes: [_; 4] = tokio::join!(one, two, three, four).into();
        let winners = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(winners, 1, "{outcomes:?}");
        assert!(
            outcomes.iter().flat_map(|outcome| outcome.as_ref().err()).all(CommitError::is_collision),
            "{outcomes:?}"
        );
    }
}
