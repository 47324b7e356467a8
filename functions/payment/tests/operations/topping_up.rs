//! Money that is short is recharged first, once, and stays in the wallet whatever becomes of the payment.

use crate::{
    Pay, account, id_of, order, payer,
    services::{Bank, Fault},
};
use contract::testing::{Answer, Request};
use kernel::id::BankAccountId;
use money::domain::Kind;
use serde_json::json;

async fn pay_from(pay: &Pay, account: BankAccountId, amount: u64) -> Answer {
    let mut body = order(amount);
    body["bankAccountId"] = json!(account);
    let request = Request::new("POST", "/v1/payments").json(&body).key("named").caller(payer(), "member");
    pay.bench.send(request).await
}

fn effects(pay: &Pay, path: &str) -> Vec<(String, Kind)> {
    let entries = pay.entries(id_of(path)).into_iter();
    entries.map(|entry| (entry.reference.split_once('/').unwrap().1.to_owned(), entry.purpose)).collect()
}

#[tokio::test]
async fn a_shortfall_is_recharged_in_whole_steps_and_the_payment_tried_again() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 3_000).await;
    let path = pay.paid(15_000, "k").await;
    // 12 000 short: 20 000 recharged.
    assert_eq!(pay.balance(payer()).await, 8_000);
    let expected = [("pay/1".to_owned(), Kind::Refused), ("pay/2".to_owned(), Kind::Payment)];
    assert_eq!(effects(&pay, &path), expected);
    assert_eq!(pay.services.count("banking.findRechargeAccount"), 1);
    let before = pay.services.count("banking.requestFirmbanking");
    assert_eq!(pay.pay(15_000, "k").await.status, 201);
    assert_eq!(pay.services.count("banking.requestFirmbanking"), before);
}

#[tokio::test]
async fn a_wallet_that_was_never_opened_is_recharged_too() {
    let pay = Pay::new().await;
    pay.paid(5_000, "k").await;
    assert_eq!(pay.balance(payer()).await, 5_000);
}

#[tokio::test]
async fn a_named_account_is_taken_and_nobody_is_asked_for_another() {
    let pay = Pay::new().await;
    let named = BankAccountId::derive(&["named"]);
    let answer = pay_from(&pay, named, 5_000).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(pay.services.count("banking.findRechargeAccount"), 0);
    let asked = pay.services.asked.lock().unwrap();
    let bank = asked.iter().find(|call| call.operation == "banking.requestFirmbanking").unwrap();
    assert_eq!(bank.body["source"]["bankAccountId"], json!(named));
    assert_ne!(named, account());
}

#[tokio::test]
async fn without_an_account_or_with_a_bank_that_declines_nothing_is_paid() {
    let pay = Pay::new().await;
    *pay.services.is_linked.lock().unwrap() = false;
    let answer = pay.pay(5_000, "none").await;
    assert_eq!((answer.status, answer.code()), (422, "insufficient_balance"));
    assert!(answer.header("location").is_some());

    *pay.services.bank.lock().unwrap() = Bank::Declines;
    let answer = pay_from(&pay, account(), 5_000).await;
    assert_eq!((answer.status, answer.code()), (422, "bank_declined"));
    let path = answer.header("location").unwrap();
    let seen = pay.seen(path).await;
    assert_eq!((&seen["state"], &seen["failureReason"]), (&json!("failed"), &json!("bank_declined")));
    assert_eq!(effects(&pay, path), [("pay/1".to_owned(), Kind::Refused)]);
    assert_eq!(pay.balance(payer()).await, 0);
}

#[tokio::test]
async fn a_bank_that_says_nothing_is_waited_for() {
    let pay = Pay::new().await;
    *pay.services.bank.lock().unwrap() = Bank::SaysNothing;
    let answer = pay.pay(5_000, "k").await;
    assert_eq!((answer.status, &answer.body["state"]), (202, &json!("requested")));
    let path = answer.header("location").unwrap().to_owned();
    pay.sweep().await;
    assert_eq!(pay.seen(&path).await["state"], "requested");
    *pay.services.bank.lock().unwrap() = Bank::Does;
    pay.bench.world.pass_seconds(30);
    pay.sweep().await;
    assert_eq!(pay.seen(&path).await["state"], "normal");
    assert_eq!(pay.payments()[0].attempts, 0, "what is paid waits for nothing more");
    assert_eq!(pay.balance(payer()).await, 5_000);
    pay.bench.assert_versions();
}

#[tokio::test]
async fn what_the_bank_does_too_late_stays_in_the_wallet() {
    let pay = Pay::new().await;
    *pay.services.bank.lock().unwrap() = Bank::SaysNothing;
    let answer = pay.pay(5_000, "k").await;
    let path = answer.header("location").unwrap().to_owned();
    pay.bench.world.pass_seconds(601);
    pay.sweep().await;
    let seen = pay.seen(&path).await;
    assert_eq!((&seen["state"], &seen["failureReason"]), (&json!("failed"), &json!("expired")));
    // The recharge is money's, which asks the bank until it knows.
    *pay.services.bank.lock().unwrap() = Bank::Does;
    pay.services.sweep().await;
    assert_eq!(pay.balance(payer()).await, 10_000);
    pay.sweep().await;
    assert_eq!(pay.pay(5_000, "k").await.code(), "expired");
    assert_eq!(pay.balance(payer()).await, 10_000);
}

#[tokio::test]
async fn a_plan_that_was_never_begun_expires_without_a_recharge() {
    let pay = Pay::new().await;
    // Pays and is refused; then nobody answers how much there is.
    pay.services.fail_as(vec![Fault::None, Fault::Before]);
    assert_eq!(pay.pay(5_000, "k").await.status, 202);
    pay.bench.world.pass_seconds(601);
    pay.sweep().await;
    assert_eq!(pay.pay(5_000, "k").await.code(), "expired");
    assert_eq!(pay.services.count("money.increaseMoneyRequest"), 0);
    assert!(pay.payments()[0].top_up.is_none(), "nothing is planned that is too late");
}

#[tokio::test]
async fn what_the_ledger_refused_is_its_own_reason_however_late_it_is_heard() {
    let pay = Pay::new().await;
    pay.services.fail_as(vec![Fault::AnswerLost]);
    let beyond_each = 2_000_001;
    assert_eq!(pay.pay(beyond_each, "k").await.status, 202);
    pay.bench.world.pass_seconds(601);
    pay.sweep().await;
    assert_eq!(pay.pay(beyond_each, "k").await.code(), "each_limit_exceeded");
}

#[tokio::test]
async fn a_recharge_of_more_than_one_may_bring_ends_it() {
    let pay = Pay::new().await;
    let refused = contract::Problem::field("/amount/amount", "must be at most 10000");
    pay.services.refused.lock().unwrap().insert("money.increaseMoneyRequest", refused);
    let answer = pay.pay(15_000, "k").await;
    assert_eq!((answer.status, answer.code()), (422, "each_limit_exceeded"));
}

#[tokio::test]
async fn a_balance_that_grew_meanwhile_needs_no_recharge() {
    let pay = Pay::new().await;
    pay.services.fail_as(vec![Fault::None, Fault::Before]);
    assert_eq!(pay.pay(5_000, "k").await.status, 202);
    pay.recharge(payer(), 6_000).await;
    pay.bench.world.pass_seconds(30);
    pay.sweep().await;
    assert_eq!(pay.pay(5_000, "k").await.status, 201);
    assert_eq!(pay.services.count("money.increaseMoneyRequest"), 0);
    assert_eq!(pay.balance(payer()).await, 1_000);
}
