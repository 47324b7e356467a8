//! Paying from a wallet that has enough, and every way in which it is refused.

use crate::{
    Pay, account, bps, franchise, id_of, merchant, order, payer, pointers, request,
    services::{Fault, Plan, Trying},
    shop, stranger, won,
};
use contract::{Caller, Problem, money_codes, testing::Request};
use events::franchise::{FranchiseClosed, FranchiseModified, FranchiseState};
use kernel::{FeeTerms, id::PaymentId};
use money::domain::Kind;
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test]
async fn a_payment_debits_the_wallet_once_and_fixes_the_fee() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let answer = pay.pay(15_000, "k").await;
    assert_eq!((answer.status, &answer.body["state"]), (201, &json!("normal")));
    let path = answer.header("location").unwrap();
    assert_eq!(answer.body["feeBps"], 250);
    assert_eq!(answer.body["amount"], won(15_000));
    assert_eq!(answer.body["canceledAmount"], won(0));
    assert_eq!(answer.body["businessDay"], pay.now().business_day().as_str());
    assert_eq!(pay.balance(payer()).await, 35_000);
    assert_eq!(pay.seen(path).await, answer.body);
    let entries = pay.entries(id_of(path));
    assert_eq!(entries.iter().map(|entry| entry.purpose).collect::<Vec<_>>(), [Kind::Payment]);
    assert_eq!(json!(entries[0].time), answer.body["approvedAt"]);
    // Franchise was not asked, and money once.
    assert_eq!(pay.services.count("franchise.findFranchiseTerms"), 0);
    assert_eq!(
        pay.services
            .asked
            .lock()
            .unwrap()
            .iter()
            .filter(|call| call.caller == "payment.requestPayment")
            .count(),
        1
    );
}

#[tokio::test]
async fn a_key_stands_for_one_payment() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let first = pay.pay(15_000, "k").await;
    let again = pay.pay(15_000, "k").await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(pay.balance(payer()).await, 35_000);
    assert_eq!(pay.pay(15_001, "k").await.code(), "idempotency_key_reused");
    // The payer's refusal is repeated like a success.
    *pay.services.is_linked.lock().unwrap() = false;
    let refused = pay.pay(60_000, "poor").await;
    assert_eq!((refused.status, refused.code()), (422, "insufficient_balance"));
    pay.recharge(payer(), 100_000).await;
    let again = pay.pay(60_000, "poor").await;
    assert_eq!(
        (again.code(), again.header("location")),
        ("insufficient_balance", refused.header("location"))
    );
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let failed = pay.seen(refused.header("location").unwrap()).await;
    assert_eq!(
        (&failed["state"], &failed["failureReason"]),
        (&json!("failed"), &json!("insufficient_balance"))
    );
    assert_eq!(
        pay.bench
            .send(Request(contract::http::Request { headers: vec![], ..request(1, "x").0 }))
            .await
            .status,
        415
    );
    let keyless = Request::new("POST", "/v1/payments").json(&order(1)).caller(payer(), "member");
    assert_eq!(pay.bench.send(keyless).await.code(), "idempotency_key_required");
}

#[tokio::test]
async fn a_first_call_at_work_is_left_alone_for_its_lease() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    pay.services.fail_as(vec![Fault::Before]);
    let first = pay.pay(1_000, "k").await;
    assert_eq!((first.status, &first.body["state"]), (202, &json!("requested")));
    // Who waits gives up its lease: the repetition goes on at once.
    let again = pay.pay(1_000, "k").await;
    assert_eq!((again.status, &again.body["state"]), (201, &json!("normal")));

    let mut pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    pay.paid(1_000, "at-rest").await;
    pay.bench.world.pass_seconds(60);
    let calm = pay.bench.context.table.clone();
    // The first one dies right after its put. Whoever takes over has a lease of its own, and dies once it has paid.
    let (first, second) =
        (vec![Fault::None, Fault::AnswerLost], vec![Fault::None, Fault::None, Fault::None, Fault::Before]);
    for dies in [first, second] {
        let (inner, plan) = (pay.bench.twin.clone(), Plan::of(dies));
        pay.bench.context.table = Arc::new(Trying { inner, plan });
        assert_eq!(pay.pay(1_000, "k").await.status, 503);
        pay.bench.context.table = calm.clone();
        let busy = pay.pay(1_000, "k").await;
        assert_eq!((busy.code(), busy.header("retry-after")), ("request_in_progress", Some("21")));
        let swept = pay.bench.call("sweepPayments", Caller::Platform, json!({})).await.unwrap();
        assert_eq!(swept.body["queued"], 0, "one is at rest, and somebody works on the other");
        pay.bench.world.pass_seconds(21);
    }
    assert_eq!(pay.pay(1_000, "k").await.status, 201);
    assert_eq!(pay.balance(payer()).await, 48_000);
    pay.bench.assert_versions();
}

/// The SDK asks again when an answer is lost, and the put meets what it has written itself.
#[tokio::test]
async fn a_first_call_is_never_told_to_wait_for_itself() {
    for fault in [Fault::Repeated, Fault::Beaten] {
        let mut pay = Pay::new().await;
        pay.recharge(payer(), 50_000).await;
        // The copy of the franchise is read first.
        let plan = Plan::of(vec![Fault::None, fault]);
        pay.bench.context.table = Arc::new(Trying { inner: pay.bench.twin.clone(), plan });
        let answer = pay.pay(1_000, "k").await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (201, None), "{}", answer.body);
        assert_eq!(pay.balance(payer()).await, 49_000);
    }
}

#[tokio::test]
async fn nobody_pays_a_franchise_that_is_not_there_or_closed() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let path = pay.paid(1_000, "before").await;
    let mut body = order(1_000);
    body["franchiseId"] = json!(kernel::id::FranchiseId::derive(&["nobody's"]));
    let unknown = Request::new("POST", "/v1/payments").json(&body).key("unknown").caller(payer(), "member");
    let unknown = pay.bench.send(unknown).await;
    assert_eq!((unknown.status, unknown.code()), (422, "franchise_not_found"));

    let closed = franchise(2);
    let closed = events::franchise::Franchise { state: FranchiseState::Closed, ..closed };
    pay.tell(&FranchiseClosed { franchise: closed, closed_at: pay.now() }).await;
    let refused = pay.pay(1_000, "after").await;
    assert_eq!((refused.status, refused.code()), (409, "franchise_closed"));
    // What was paid before stays, and its key still says so.
    let again = pay.pay(1_000, "before").await;
    assert_eq!((again.status, again.header("location")), (201, Some(path.as_str())));
    assert_eq!(pay.pay(999, "before").await.code(), "idempotency_key_reused");
    assert_eq!(pay.payments().len(), 1);
    assert_eq!(pay.cancel(&path, "c", json!({})).await.status, 201);
}

#[tokio::test]
async fn the_fee_is_that_of_the_moment_in_which_the_payment_was_asked_for() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let since = pay.now().plus_seconds(100);
    let mut changed = franchise(2);
    changed.fee_terms = changed.fee_terms.with(FeeTerms { since, fee_bps: bps(300) });
    pay.tell(&FranchiseModified { franchise: changed, modified_at: pay.now() }).await;
    let before = pay.paid(1_000, "before").await;
    // Asked for before the change, paid after it.
    pay.services.fail_as(vec![Fault::Before]);
    let slow = pay.pay(1_000, "slow").await;
    assert_eq!((slow.status, &slow.body["feeBps"]), (202, &json!(250)));
    pay.bench.world.pass_seconds(100);
    let after = pay.paid(1_000, "after").await;
    pay.sweep().await;
    for (path, fee) in [(before.as_str(), 250), (slow.header("location").unwrap(), 250), (&after, 300)] {
        let seen = pay.seen(path).await;
        assert_eq!((&seen["state"], &seen["feeBps"]), (&json!("normal"), &json!(fee)));
    }
    assert!(
        pay.seen(slow.header("location").unwrap()).await["approvedAt"].as_str()
            > Some(&since.to_string()[..10])
    );
}

#[tokio::test]
async fn money_says_no_and_the_payment_says_the_same() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let answer = pay.pay(2_000_001, "each").await;
    assert_eq!((answer.status, answer.code()), (422, "each_limit_exceeded"));
    assert!(answer.header("location").is_some());
    for code in
        [&money_codes::WALLET_CLOSED, &money_codes::DAY_LIMIT_EXCEEDED, &money_codes::MONTH_LIMIT_EXCEEDED]
    {
        pay.services.refused.lock().unwrap().insert("money.transferMoney", Problem::from(code));
        let answer = pay.pay(1_000, code.code).await;
        assert_eq!((answer.status, answer.code()), (code.status, code.code));
    }
    // What nobody knows says nothing of the wallet: the payment stays open.
    let odd = contract::problem::code(422, "tomorrows_code", "Something new.");
    pay.services.refused.lock().unwrap().insert("money.transferMoney", Problem::from(&odd));
    let answer = pay.pay(1_000, "odd").await;
    assert_eq!((answer.status, &answer.body["state"]), (202, &json!("requested")));
    pay.services.refused.lock().unwrap().clear();
    pay.bench.world.pass_seconds(1);
    pay.sweep().await;
    assert_eq!(pay.seen(answer.header("location").unwrap()).await["state"], "normal");
}

#[tokio::test]
async fn a_payment_that_was_abandoned_is_not_made_late() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    pay.services.fail_as(vec![Fault::Before]);
    let slow = pay.pay(1_000, "k").await;
    assert_eq!(slow.status, 202);
    pay.bench.world.pass_seconds(600);
    let path = slow.header("location").unwrap();
    pay.sweep().await;
    let seen = pay.seen(path).await;
    assert_eq!((&seen["state"], &seen["failureReason"]), (&json!("failed"), &json!("expired")));
    let again = pay.pay(1_000, "k").await;
    assert_eq!((again.status, again.code()), (422, "expired"));
    assert_eq!(pay.balance(payer()).await, 50_000);
    // The ledger itself has the fence.
    assert_eq!(
        pay.entries(id_of(path)).iter().map(|entry| entry.purpose).collect::<Vec<_>>(),
        [Kind::Refused]
    );
}

#[tokio::test]
async fn the_relay_brings_back_what_is_not_at_rest() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    pay.services.fail_as(vec![Fault::AnswerLost]);
    let slow = pay.pay(1_000, "k").await;
    assert_eq!(slow.status, 202);
    pay.bench.relay().await.unwrap();
    let queued = pay.bench.world.take_queued();
    let id: PaymentId = id_of(slow.header("location").unwrap());
    assert_eq!(queued.len(), 1);
    assert_eq!(
        (queued[0].operation.as_str(), &queued[0].body),
        ("payment.sweepPayments", &json!({ "paymentId": id, "attempts": 1 }))
    );
    assert!(queued[0].delay_seconds > 25);
    pay.bench.call("sweepPayments", Caller::Platform, queued[0].body.clone()).await.unwrap();
    assert_eq!(pay.seen(slow.header("location").unwrap()).await["state"], "normal");
    assert_eq!(pay.balance(payer()).await, 49_000);
    pay.bench.relay().await.unwrap();
    assert_eq!(pay.bench.world.take_queued(), []);
}

#[tokio::test]
async fn a_payment_is_its_payers_and_its_merchants_business() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let path = pay.paid(1_000, "k").await;
    let own = pay.get(&path, payer(), "member").await;
    assert_eq!(pay.get(&path, merchant(), "member merchant").await.body, own.body);
    for (who, scopes) in [(stranger(), "member"), (stranger(), "member merchant"), (merchant(), "member")] {
        let answer = pay.get(&path, who, scopes).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
    let nobodys = format!("/v1/payments/{}", PaymentId::from_random(7));
    assert_eq!(pay.get(&nobodys, payer(), "member").await.code(), "not_found");
    assert_eq!(pay.get(&path, payer(), "operator").await.code(), "forbidden");
    assert_eq!(pay.bench.send(Request::new("GET", &path)).await.code(), "unauthorized");
    assert_eq!(pointers(&pay.get("/v1/payments/pmt_x", payer(), "member").await), ["/paymentId"]);
    assert_eq!(pointers(&pay.get(&format!("{path}?limit=1"), payer(), "member").await), ["/limit"]);
}

#[tokio::test]
async fn hostile_fields_are_named_and_leave_nothing_behind() {
    let pay = Pay::new().await;
    let with = |field: &str, value: Value| {
        let mut body = order(1_000);
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = order(1_000);
        body.as_object_mut().unwrap().remove(field);
        body
    };
    for (body, pointer) in [
        (with("amount", won(0)), "/amount/amount"),
        (with("amount", json!(1_000)), "/amount"),
        (with("amount", json!({ "amount": -1, "currency": "KRW" })), "/amount/amount"),
        (with("amount", json!({ "amount": 1.5, "currency": "KRW" })), "/amount/amount"),
        (with("amount", json!({ "amount": 9_007_199_254_740_992_u64, "currency": "KRW" })), "/amount"),
        (with("amount", json!({ "amount": 1, "currency": "USD" })), "/amount/currency"),
        (with("franchiseId", json!("frc_x")), "/franchiseId"),
        (with("franchiseId", json!(payer())), "/franchiseId"),
        (with("orderId", json!("")), "/orderId"),
        (with("orderId", json!("a b")), "/orderId"),
        (with("orderId", json!("x".repeat(65))), "/orderId"),
        (with("orderId", json!("주문")), "/orderId"),
        (with("orderId", json!(7)), "/orderId"),
        (with("bankAccountId", json!("x")), "/bankAccountId"),
        (with("bankAccountId", Value::Null), "/bankAccountId"),
        (with("feeBps", json!(0)), "/feeBps"),
        (with("membershipId", json!(stranger())), "/membershipId"),
        (with("state", json!("normal")), "/state"),
        (without("amount"), "/amount"),
        (without("franchiseId"), "/franchiseId"),
        (without("orderId"), "/orderId"),
    ] {
        let request = Request::new("POST", "/v1/payments").json(&body).key("k").caller(payer(), "member");
        let answer = pay.bench.send(request).await;
        assert_eq!((answer.status, pointers(&answer)), (400, vec![pointer]), "{body}");
    }
    assert_eq!(pay.payments(), []);
    let merchant_only =
        Request::new("POST", "/v1/payments").json(&order(1)).key("k").caller(payer(), "merchant");
    assert_eq!(pay.bench.send(merchant_only).await.code(), "forbidden");
    // A named account that nobody needs is not asked for; whose shop it is does not matter.
    pay.recharge(payer(), 10_000).await;
    let named = with("bankAccountId", json!(account()));
    let request = Request::new("POST", "/v1/payments").json(&named).key("k").caller(payer(), "member");
    assert_eq!(pay.bench.send(request).await.status, 201);
    assert_eq!(json!(shop()), named["franchiseId"]);
}
