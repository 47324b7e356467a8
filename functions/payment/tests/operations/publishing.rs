//! The facts that payments state, each once.

use crate::{Pay, payer, services::Bank, won};
use contract::Caller;
use payment::items::Payment;
use serde_json::{Value, json};
use store::{AttributeValue, Condition, Item, Record as _, Table as _, Write};

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

#[tokio::test]
async fn what_happened_in_a_window_is_told_again() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let mut times = Vec::new();
    for number in 0..3 {
        pay.bench.world.pass_seconds(60);
        times.push(pay.now());
        pay.paid(1_000, &format!("k{number}")).await;
    }
    pay.bench.relay().await.unwrap();
    for (window, told) in [
        (json!({}), 3),
        (json!({ "from": times[1] }), 2),
        (json!({ "to": times[1] }), 1),
        (json!({ "from": times[1], "to": times[2] }), 1),
        (json!({ "from": times[1].plus_seconds(1), "to": times[2] }), 0),
    ] {
        let again = pay.bench.call("republish", Caller::Platform, window.clone()).await.unwrap();
        assert_eq!(again.body["published"], told, "{window}");
    }
}

#[tokio::test]
async fn a_message_goes_on_in_its_records_trace_and_what_cannot_be_read_is_queued() {
    let pay = Pay::new().await;
    *pay.services.bank.lock().unwrap() = Bank::SaysNothing;
    pay.pay(5_000, "k").await;
    let trace = pay.payments()[0].traceparent.clone();
    let mut unreadable = Item::default();
    for (name, value) in [("pk", "odd"), ("sk", "0"), ("kind", Payment::KIND)] {
        unreadable.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    }
    pay.bench.twin.commit(&[Write::Put(unreadable, Condition::Absent)]).await.unwrap();
    pay.bench.relay().await.unwrap();
    let queued = pay.bench.world.take_queued();
    let of = |operation: &str| queued.iter().find(|message| message.operation == operation).unwrap();
    assert_eq!(of("payment.sweepPayments").traceparent, trace);
    assert_eq!(of("payment.republish").body, json!({ "keys": [{ "partition": "odd", "sort": "0" }] }));
}
