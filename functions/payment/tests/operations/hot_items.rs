//! A busy franchise has no hot item: a thousand payments to it touch no item twice but the payers' own.

use crate::{Pay, order, shop};
use contract::testing::Request;
use kernel::{Id, id::MembershipId};
use payment::{domain::position::SHARDS, items::FRANCHISES_NEWEST_FIRST};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use store::{AttributeValue, Item, Key, kind_of};

#[tokio::test]
async fn a_thousand_payments_to_one_franchise_meet_nowhere() {
    let pay = Pay::new().await;
    let payers: Vec<MembershipId> = (0..100).map(|place| Id::derive(&[&format!("payer {place}")])).collect();
    for payer in &payers {
        pay.recharge(*payer, 100_000).await;
    }
    pay.bench.twin.take_changes();
    pay.money.take_changes();
    for place in 0..1_000 {
        let body = order(100 + place);
        let key = format!("{place}");
        let payer = payers[usize::try_from(place).unwrap() % payers.len()];
        let request = Request::new("POST", "/v1/payments").json(&body).key(&key).caller(payer, "member");
        assert_eq!(pay.bench.send(request).await.status, 201);
    }
    // In money each payment is one new entry of its payer's chain: nothing is written twice.
    let written = pay.money.take_changes();
    let keys: BTreeSet<&Key> = written.iter().map(|change| &change.key).collect();
    assert_eq!((written.len(), keys.len()), (1_000, 1_000));
    assert!(written.iter().all(|change| change.old.is_none()));

    // In payment each is one item of its own: put, and put once more when it is paid.
    let mut writes: BTreeMap<Key, u32> = BTreeMap::new();
    let mut partitions: BTreeMap<String, u32> = BTreeMap::new();
    for change in pay.bench.twin.take_changes() {
        let new = change.new.unwrap();
        assert_eq!(kind_of(&new), "payment");
        *writes.entry(change.key).or_default() += 1;
        if let Some(AttributeValue::S(partition)) = new.get(FRANCHISES_NEWEST_FIRST.partition) {
            *partitions.entry(partition.clone()).or_default() += 1;
        }
    }
    assert_eq!(writes.len(), 1_000);
    assert!(writes.values().all(|count| *count == 2));
    // The index's partitions share the load: none has twice its share.
    assert_eq!(partitions.len(), usize::from(SHARDS));
    assert!(partitions.values().all(|count| *count < 250), "{partitions:?}");
    assert!(partitions.keys().all(|partition| partition.starts_with(&shop().to_string())));
}

/// An item of at most 1 KB is one write unit; so is its place in each index.
#[tokio::test]
async fn a_payment_is_one_write_unit_at_each_step() {
    let pay = Pay::new().await;
    pay.recharge(crate::payer(), 100_000).await;
    let mut body = order(100);
    body["orderId"] = json!("x".repeat(64));
    body["bankAccountId"] = json!(crate::account());
    let request = Request::new("POST", "/v1/payments").json(&body).key("k").caller(crate::payer(), "member");
    let paid = pay.bench.send(request).await;
    assert_eq!(paid.status, 201);
    let mut changes = pay.bench.twin.take_changes();
    // And so is the record of a cancellation, by which settlement takes it.
    assert_eq!(pay.cancel(paid.header("location").unwrap(), "c", json!({})).await.status, 201);
    changes.extend(pay.bench.twin.take_changes().into_iter().filter(|change| change.old.is_none()));
    assert_eq!(
        changes.iter().filter(|change| kind_of(change.new.as_ref().unwrap()) == "cancellation").count(),
        1
    );
    for change in changes {
        let item = change.new.unwrap();
        if ["payment", "cancellation"].contains(&kind_of(&item)) {
            let size = bytes_of(&item);
            assert!(size <= 1_024, "{size} bytes");
        }
    }
}

/// An item's size.
pub fn bytes_of(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size_of(value)).sum()
}

/// DynamoDB counts a text by its bytes and a number by its digits, generously.
fn size_of(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len() + 1,
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::M(map) => {
            map.iter().map(|(name, value)| name.len() + size_of(value) + 1).sum::<usize>() + 3
        }
        AttributeValue::L(list) => list.iter().map(|value| size_of(value) + 1).sum::<usize>() + 3,
        _ => 1,
    }
}
