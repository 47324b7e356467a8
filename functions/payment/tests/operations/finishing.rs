//! Settling a payment: from normal only, and once.

use crate::{
    Pay, id_of, operator, payer, pointers,
    services::{Fault, Plan, Trying},
};
use contract::{Caller, testing::Request};
use kernel::id::PaymentId;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn a_payment_is_settled_once_and_answers_the_same_again() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let path = pay.paid(1_000, "k").await;
    pay.bench.world.pass_seconds(60);
    let first = pay.finish(&path).await;
    assert_eq!((first.status, &first.body["state"]), (200, &json!("settled")));
    assert_eq!(first.body["settledAt"], json!(pay.now()));
    pay.bench.world.pass_seconds(60);
    assert_eq!(pay.finish(&path).await.body, first.body);
    // Settlement calls it directly.
    let caller = Caller::Service("settlement.finishSettlement".to_owned());
    let body = json!({ "paymentId": id_of(&path) });
    assert_eq!(pay.bench.call("finishPayment", caller, body).await.unwrap().body, first.body);
    assert_eq!(pay.balance(payer()).await, 49_000);
}

#[tokio::test]
async fn a_payment_that_was_taken_back_is_settled_with_nothing_in_it() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let path = pay.paid(1_000, "k").await;
    assert_eq!(pay.cancel(&path, "c", json!({})).await.status, 201);
    let settled = pay.finish(&path).await;
    assert_eq!((settled.status, &settled.body["canceledAmount"]), (200, &crate::won(1_000)));
}

#[tokio::test]
async fn what_was_not_paid_is_not_settled() {
    let pay = Pay::new().await;
    *pay.services.is_linked.lock().unwrap() = false;
    let failed = pay.pay(1_000, "failed").await.header("location").unwrap().to_owned();
    pay.services.fail_as(vec![Fault::Before]);
    let waiting = pay.pay(1_000, "waiting").await.header("location").unwrap().to_owned();
    for path in [failed, waiting] {
        let answer = pay.finish(&path).await;
        assert_eq!((answer.status, answer.code()), (409, "payment_not_approved"));
    }
    let nobodys = format!("/v1/payments/{}", PaymentId::from_random(7));
    assert_eq!(pay.finish(&nobodys).await.code(), "not_found");
    assert_eq!(pointers(&pay.finish("/v1/payments/x").await), ["/paymentId"]);
    let members = Request::new("POST", &format!("{nobodys}/finish")).caller(payer(), "member merchant");
    assert_eq!(pay.bench.send(members).await.code(), "forbidden");
    let odd = Request::new("POST", &format!("{nobodys}/finish")).json(&json!({ "settledAt": "now" }));
    assert_eq!(pointers(&pay.bench.send(odd.caller(operator(), "operator")).await), ["/settledAt"]);
}

#[tokio::test]
async fn settling_and_taking_back_at_once_are_both_done() {
    let mut pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let path = pay.paid(1_000, "k").await;
    pay.bench.context.table = Arc::new(Trying { inner: pay.bench.twin.clone(), plan: Plan::of(Vec::new()) });
    let (settled, again, canceled) =
        tokio::join!(pay.finish(&path), pay.finish(&path), pay.cancel(&path, "c", json!({})));
    assert_eq!((settled.status, again.status, canceled.status), (200, 200, 201));
    assert_eq!(settled.body["settledAt"], again.body["settledAt"]);
    let payment = &pay.payments()[0];
    assert!(payment.settled_at.is_some() && payment.is_at_rest());
    assert_eq!(pay.balance(payer()).await, 50_000);
}
