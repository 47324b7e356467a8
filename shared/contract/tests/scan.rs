//! A scan over more than one run can read: every item once, each run where the one before ended.

#![allow(clippy::unwrap_used, reason = "a test that fails should fail loudly")]

use contract::{
    Api, Service,
    outbox::{KeyName, Scan},
    testing::Bench,
};
use store::{AttributeValue, Condition, Item, Write};

static SERVICE: Service =
    Service { name: "large", summary: "", api: Api::Pay, indexes: &[], records: &[], operations: &[] };

/// Three of these make a page of 1 MB.
const ITEM_BYTES: usize = 390_000;

async fn put(bench: &Bench, number: usize) {
    let mut item = Item::default();
    item.insert("pk".to_owned(), AttributeValue::S(format!("item {number}")));
    item.insert("sk".to_owned(), AttributeValue::S("large".to_owned()));
    item.insert("text".to_owned(), AttributeValue::S("x".repeat(ITEM_BYTES)));
    bench.context.table.commit(&[Write::Put(item, Condition::Absent)]).await.unwrap();
}

#[tokio::test]
async fn runs_follow_on_each_other_and_end_at_the_end() {
    let bench = Bench::new(&SERVICE);
    for number in 0..40 {
        put(&bench, number).await;
    }
    let (mut seen, mut runs) = (Vec::new(), 0);
    let mut after: Option<KeyName> = None;
    loop {
        runs += 1;
        let mut scan = Scan::after(after.as_ref());
        while let Some(items) = scan.page(&bench.context).await.unwrap() {
            seen.extend(items.iter().map(|item| KeyName::of(item).partition));
        }
        scan.go_on(&bench.context, "large.sweep", &bench.trace()).await.unwrap();
        let messages = bench.world.take_queued();
        let Some(message) = messages.first() else { break };
        assert_eq!((messages.len(), message.operation.as_str()), (1, "large.sweep"));
        after = serde_json::from_value(message.body["after"].clone()).unwrap();
    }
    assert!(runs > 1, "one run has read everything");
    seen.sort();
    let mut all: Vec<_> = (0..40).map(|number| format!("item {number}")).collect();
    all.sort();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn an_empty_table_is_one_page_and_no_message() {
    let bench = Bench::new(&SERVICE);
    let mut scan = Scan::after(None);
    assert_eq!(scan.page(&bench.context).await.unwrap().as_deref(), Some([].as_slice()));
    assert_eq!(scan.page(&bench.context).await.unwrap(), None);
    scan.go_on(&bench.context, "large.sweep", &bench.trace()).await.unwrap();
    assert_eq!(bench.world.take_queued(), vec![]);
}
