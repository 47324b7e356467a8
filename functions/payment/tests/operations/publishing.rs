//! The facts that payments state, each once.

use crate::{Pay, payer, won};
use contract::Caller;
use serde_json::{Value, json};

#[tokio::test]
async fn payments_cancellations_and_settlements_are_told_once_each() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let path = pay.paid(15_000, "k").await;
    let told = pay.bench.relay().await.unwrap();
    assert_eq!(told.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["payment.approved.v1"]);
    assert_eq!((&told[0].data["amount"], &told[0].data["feeBps"]), (&won(15_000), &json!(250)));
    for (key, amount) in [("1", 4_000), ("2", 5_000)] {
        pay.cancel(&path, key, json!({ "amount": won(amount), "reason": "other" })).await;
    }
    let told = pay.bench.relay().await.unwrap();
    assert_eq!(
        told.iter().map(|event| &event.data["amount"]).collect::<Vec<_>>(),
        [&won(4_000), &won(5_000)]
    );
    assert!(told.iter().all(|event| event.kind == "payment.canceled.v1"));
    assert_ne!(told[0].id, told[1].id);
    let line = crate::settling::settle_today(&pay).await;
    let told = pay.bench.relay().await.unwrap();
    assert_eq!(told.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["payment.finished.v1"]);
    let fact = json!({
        "franchiseId": crate::shop(), "settlementId": line.settlement_id, "through": line.order.name.through,
        "payments": 1, "paid": won(15_000), "cancellations": 2, "canceled": won(9_000), "settledAt": pay.now(),
    });
    assert_eq!(told[0].data, fact);

    let mut known: Vec<_> = pay.bench.world.published().into_iter().map(|event| event.id).collect();
    let again = pay.bench.call("republish", Caller::Platform, json!({})).await.unwrap();
    assert_eq!(again.body["published"], 4);
    let mut all: Vec<_> = pay.bench.world.published().into_iter().map(|event| event.id).skip(4).collect();
    known.sort();
    all.sort();
    assert_eq!(known, all);
    for event in pay.bench.world.published() {
        assert!(!Value::to_string(&event.data).contains("order-1"));
    }
}

#[tokio::test]
async fn what_nobody_listens_to_is_not_told() {
    let mut pay = Pay::new().await;
    pay.bench.context.settings.published.clear();
    pay.recharge(payer(), 50_000).await;
    pay.paid(15_000, "k").await;
    assert_eq!(pay.bench.relay().await.unwrap(), []);
}
