//! The twin keeps every promise of a table.

#![allow(clippy::indexing_slicing, reason = "a test that fails should fail loudly")]

use store::{
    AttributeValue, CommitError, Condition, Item, Table as _, Write, conformance::PROMISES, twin::Twin,
};

#[tokio::test]
async fn the_twin_keeps_every_promise() {
    let twin = Twin::new();
    for (name, promise) in PROMISES {
        println!("{name}");
        promise(&twin).await;
    }
}

/// DynamoDB's rule for transactions, which local engines do not all know.
#[tokio::test]
async fn a_transaction_is_at_most_4_mb() {
    let twin = Twin::new();
    let item = |number: usize| {
        let mut item = Item::default();
        for (name, text) in
            [("pk", "large".to_owned()), ("sk", number.to_string()), ("bulk", "x".repeat(390_000))]
        {
            item.insert(name.to_owned(), AttributeValue::S(text));
        }
        Write::Put(item, Condition::Always)
    };
    let writes: Vec<Write> = (0..11).map(item).collect();
    assert!(matches!(twin.commit(&writes).await, Err(CommitError::Unavailable(_))));
    assert!(twin.items().is_empty());
    assert_eq!(twin.commit(&writes[1..]).await, Ok(()));
}
