//! Taking back: in full, in parts, by whom, and never more than was paid, however many ask at once.

use crate::{
    Pay, cancellation, id_of, merchant, payer, pointers, refunded,
    services::{Fault, Plan, Trying},
    stranger, won,
};
use contract::testing::{Answer, Request};
use kernel::id::PaymentId;
use money::domain::Kind;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the ledger has taken back of a payment.
fn taken_back(pay: &Pay, path: &str) -> u64 {
    let entries = pay.entries(id_of(path)).into_iter();
    entries.filter(|entry| entry.purpose == Kind::Cancellation).map(|entry| entry.amount.amount()).sum()
}

fn part(amount: u64) -> Value {
    json!({ "amount": won(amount) })
}

async fn paid(amount: u64) -> (Pay, String) {
    let pay = Pay::new().await;
    pay.recharge(payer(), amount).await;
    let path = pay.paid(amount, "k").await;
    (pay, path)
}

#[tokio::test]
async fn a_payment_is_taken_back_in_full_by_its_payer() {
    let (pay, path) = paid(15_000).await;
    let answer = pay.cancel(&path, "c", json!({ "reason": "customerRequest" })).await;
    assert_eq!((answer.status, answer.header("location")), (201, Some(path.as_str())));
    assert_eq!((&answer.body["canceledAmount"], &answer.body["state"]), (&won(15_000), &json!("normal")));
    let only = &answer.body["cancellations"][0];
    assert_eq!((&only["amount"], &only["reason"]), (&won(15_000), &json!("customerRequest")));
    assert!(only["refundedAt"].is_string());
    assert_eq!((pay.balance(payer()).await, taken_back(&pay, &path)), (15_000, 15_000));
    let again = pay.cancel(&path, "c", json!({ "reason": "customerRequest" })).await;
    assert_eq!((again.status, &again.body), (201, &answer.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(pay.cancel(&path, "c", json!({})).await.code(), "idempotency_key_reused");
    let more = pay.cancel(&path, "d", json!({})).await;
    assert_eq!((more.status, more.code()), (409, "nothing_left_to_cancel"));
    assert_eq!(pay.balance(payer()).await, 15_000);
}

#[tokio::test]
async fn parts_add_up_and_never_pass_the_amount() {
    let (pay, path) = paid(15_000).await;
    let by_merchant = cancellation(&path, "m", &part(4_000)).caller(merchant(), "member merchant");
    let answer = pay.bench.send(by_merchant).await;
    assert_eq!((answer.status, &answer.body["canceledAmount"]), (201, &won(4_000)));
    let too_much = pay.cancel(&path, "p", part(11_001)).await;
    assert_eq!((too_much.status, too_much.code()), (422, "cancellation_exceeds_payment"));
    // A refused key is free again.
    assert_eq!(pay.cancel(&path, "p", part(10_000)).await.status, 201);
    assert_eq!(pay.balance(payer()).await, 14_000);
    let rest = pay.cancel(&path, "rest", json!({})).await;
    assert_eq!(rest.body["cancellations"].as_array().unwrap().len(), 3);
    assert_eq!((rest.body["canceledAmount"].clone(), pay.balance(payer()).await), (won(15_000), 15_000));
}

#[tokio::test]
async fn the_last_part_that_there_is_room_for_is_all_that_is_left() {
    let (pay, path) = paid(15_000).await;
    for place in 0..19 {
        assert_eq!(pay.cancel(&path, &format!("{place}"), part(10)).await.status, 201);
    }
    let one_more = pay.cancel(&path, "20", part(10)).await;
    assert_eq!((one_more.status, one_more.code()), (409, "too_many_cancellations"));
    assert_eq!(pay.cancel(&path, "20", part(15_000 - 190)).await.status, 201);
    assert_eq!(pay.cancel(&path, "21", json!({})).await.code(), "nothing_left_to_cancel");
    assert_eq!(pay.balance(payer()).await, 15_000);
}

#[tokio::test]
async fn only_the_payer_and_the_merchant_take_back_and_only_what_was_paid() {
    let (pay, path) = paid(15_000).await;
    for (who, scopes) in [(stranger(), "member"), (stranger(), "member merchant"), (merchant(), "member")] {
        let answer = pay.bench.send(cancellation(&path, "c", &json!({})).caller(who, scopes)).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
    let operators = cancellation(&path, "c", &json!({})).caller(crate::operator(), "operator");
    assert_eq!(pay.bench.send(operators).await.code(), "forbidden");
    assert_eq!(pay.bench.send(cancellation(&path, "c", &json!({}))).await.code(), "unauthorized");
    let keyless = Request::new("POST", &format!("{path}/cancellations")).caller(payer(), "member");
    assert_eq!(pay.bench.send(keyless).await.code(), "idempotency_key_required");
    let nobodys = format!("/v1/payments/{}", PaymentId::from_random(7));
    assert_eq!(pay.cancel(&nobodys, "c", json!({})).await.code(), "not_found");
    for (body, pointer) in [
        (part(0), "/amount/amount"),
        (json!({ "amount": 5 }), "/amount"),
        (json!({ "amount": null }), "/amount"),
        (json!({ "reason": "because" }), "/reason"),
        (json!({ "reason": null }), "/reason"),
        (json!({ "paymentId": "pmt_x" }), "/paymentId"),
        (json!({ "cancellationId": "cnl_x" }), "/cancellationId"),
    ] {
        let answer = pay.cancel(&path, "c", body.clone()).await;
        assert_eq!((answer.status, pointers(&answer)), (400, vec![pointer]), "{body}");
    }
    assert_eq!(taken_back(&pay, &path), 0);

    *pay.services.is_linked.lock().unwrap() = false;
    let failed = pay.pay(20_000, "poor").await.header("location").unwrap().to_owned();
    pay.services.fail_as(vec![Fault::Before]);
    let waiting = pay.pay(1, "waiting").await.header("location").unwrap().to_owned();
    for path in [failed, waiting] {
        let answer = pay.cancel(&path, "c", json!({})).await;
        assert_eq!((answer.status, answer.code()), (409, "payment_not_approved"));
    }
}

#[tokio::test]
async fn one_key_on_two_payments_is_two_cancellations() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 3_000).await;
    let (one, two) = (pay.paid(1_000, "1").await, pay.paid(2_000, "2").await);
    for path in [&one, &two] {
        assert_eq!(pay.cancel(path, "same", json!({})).await.status, 201);
    }
    assert_eq!(pay.balance(payer()).await, 3_000);
}

#[tokio::test]
async fn a_settled_payment_can_still_be_taken_back() {
    let (pay, path) = paid(15_000).await;
    crate::settling::settle_today(&pay).await;
    let answer = pay.cancel(&path, "c", part(5_000)).await;
    assert_eq!((answer.status, &answer.body["state"]), (201, &json!("settled")));
    assert_eq!(pay.balance(payer()).await, 5_000);
}

#[tokio::test]
async fn a_refund_that_nobody_answers_is_gone_on_with() {
    let (pay, path) = paid(15_000).await;
    for fault in [Fault::Before, Fault::AnswerLost] {
        pay.bench.relay().await.unwrap();
        pay.bench.world.take_queued();
        pay.services.fail_as(vec![fault]);
        let answer = pay.cancel(&path, &format!("{fault:?}"), part(5_000)).await;
        assert_eq!((answer.status, &answer.body["state"]), (202, &json!("normal")));
        // Unanswered once more: the relay brings it back all the same.
        for fault in [Fault::Before, Fault::None] {
            pay.bench.relay().await.unwrap();
            let queued = pay.bench.world.take_queued();
            assert_eq!((queued.len(), queued[0].operation.as_str()), (1, "payment.sweepPayments"));
            pay.services.fail_as(vec![fault]);
            let caller = contract::Caller::Platform;
            pay.bench.call("sweepPayments", caller, queued[0].body.clone()).await.unwrap();
        }
        pay.bench.relay().await.unwrap();
        assert_eq!(pay.bench.world.take_queued(), []);
        let again = pay.cancel(&path, &format!("{fault:?}"), part(5_000)).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    }
    assert_eq!((pay.balance(payer()).await, taken_back(&pay, &path)), (10_000, 10_000));
}

/// Every request at once, on a table that lets another one go on at each call.
async fn all_at_once(pay: &mut Pay, requests: Vec<Request>, faults: Vec<Fault>) -> Vec<Answer> {
    let calm = pay.bench.context.table.clone();
    pay.bench.context.table = Arc::new(Trying { inner: pay.bench.twin.clone(), plan: Plan::of(faults) });
    let pay_now = &*pay;
    let mut tasks: Vec<_> =
        requests.into_iter().map(|request| Box::pin(pay_now.bench.send(request))).collect();
    let mut answers: Vec<Option<Answer>> = tasks.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (task, answer) in tasks.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let std::task::Poll::Ready(ready) = task.as_mut().poll(context)
            {
                *answer = Some(ready);
            }
        }
        if answers.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    drop(tasks);
    pay.bench.context.table = calm;
    answers.into_iter().flatten().collect()
}

#[tokio::test]
async fn fifty_at_once_take_back_what_was_paid_and_no_more() {
    let (mut pay, path) = paid(10_000).await;
    // Fifty parts of 700 won: 14 fit, and a fifteenth does not.
    let requests = (0..50_u64).map(|place| {
        let (who, scopes) =
            if place % 2 == 0 { (payer(), "member") } else { (merchant(), "member merchant") };
        cancellation(&path, &format!("c{place}"), &part(700)).caller(who, scopes)
    });
    let answers = all_at_once(&mut pay, requests.collect(), Vec::new()).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    let refused = |code| answers.iter().filter(|answer| answer.code() == code).count();
    // Everybody has a definite answer.
    assert_eq!(count(201) + refused("cancellation_exceeds_payment"), 50);
    let payment = &pay.payments()[0];
    assert_eq!(payment.cancellations.len(), count(201));
    assert_eq!((count(201), refunded(payment)), (14, 9_800));
    assert_eq!((pay.balance(payer()).await, taken_back(&pay, &path)), (refunded(payment), refunded(payment)));
}

#[tokio::test]
async fn fifty_at_once_in_full_are_one() {
    let (mut pay, path) = paid(10_000).await;
    let one = |place: u64| cancellation(&path, &format!("c{place}"), &json!({})).caller(payer(), "member");
    let answers = all_at_once(&mut pay, (0..50).map(one).collect(), Vec::new()).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.code() == "nothing_left_to_cancel").count(), 49);
    assert_eq!(pay.balance(payer()).await, 10_000);
    // And fifty times the same one.
    let (mut pay, path) = paid(10_000).await;
    let same = |_: u64| cancellation(&path, "same", &part(3_000)).caller(payer(), "member");
    let answers = all_at_once(&mut pay, (0..50).map(same).collect(), Vec::new()).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    assert_eq!(pay.balance(payer()).await, 3_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whoever asks for how much, with whatever going wrong: the parts are at most the amount, each is paid back
    /// once, and what was said to be refused was not done.
    #[test]
    fn any_crowd_takes_back_at_most_what_was_paid(
        amounts in prop::collection::vec((1..6_000_u64, 0..12_u8), 1..24),
        faults in prop::collection::vec(crate::faults::fault(), 0..60),
        calls in prop::collection::vec(crate::faults::fault(), 0..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut pay, path) = paid(10_000).await;
            pay.services.fail_as(calls);
            let requests = amounts.iter().map(|(amount, key)| {
                cancellation(&path, &format!("{key}"), &part(*amount)).caller(payer(), "member")
            });
            let answers = all_at_once(&mut pay, requests.collect(), faults).await;
            pay.services.fail_as(Vec::new());
            pay.bench.world.pass_seconds(60);
            pay.sweep().await;
            let payment = pay.payments()[0].clone();
            assert!(payment.is_at_rest());
            let refunded = refunded(&payment);
            assert!(refunded <= 10_000);
            assert_eq!((pay.balance(payer()).await, taken_back(&pay, &path)), (refunded, refunded));
            let entries = pay.entries(id_of(&path));
            assert_eq!(entries.len(), payment.cancellations.len() + 1);
            let done = answers.iter().filter(|answer| answer.status < 300);
            for answer in done {
                assert!(answer.body["cancellations"].as_array().unwrap().len() <= payment.cancellations.len());
            }
        });
    }
}
