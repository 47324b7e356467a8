//! Payments with a fault at any call: they converge, and the record says what the ledger says.
//!
//! Executors of the same and of other payments run at once, the sweeper meddles, and tables and calls die before they
//! do something, lose their answer, conflict or read what is stale. Afterwards the faults stop and the sweeper runs.

use crate::{
    Pay, cancellation, order, payer,
    services::{Bank, Fault, Plan, Trying},
    won,
};
use contract::testing::Request;
use kernel::Money;
use money::domain::Kind;
use payment::items::PaymentState;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

pub fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::Before),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Conflict),
        1 => Just(Fault::Repeated),
        1 => Just(Fault::Stale),
    ]
}

/// One of a few things that the payer asks for; asking for the same one again is a repetition of its key.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Pay(u64),
    Cancel(u64, u64),
    Finish(u64),
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let ask = prop_oneof![
        5 => (0..4_u64).prop_map(Ask::Pay),
        2 => (0..4_u64, 0..3_u64).prop_map(|(key, part)| Ask::Cancel(key, part)),
        1 => (0..4_u64).prop_map(Ask::Finish),
    ];
    prop::collection::vec(ask, 1..12)
}

fn bank() -> impl Strategy<Value = Bank> {
    prop::sample::select(vec![Bank::Does, Bank::Does, Bank::Declines, Bank::SaysNothing])
}

/// The amounts differ, so that a mix-up shows.
fn amount(key: u64) -> u64 {
    4_000 + 3_001 * key
}

fn path(key: u64) -> String {
    let parts = [payer().to_string(), "payment.requestPayment".to_owned(), key.to_string()];
    let id = kernel::id::PaymentId::derive(&parts.each_ref().map(String::as_str));
    format!("/v1/payments/{id}")
}

async fn ask(pay: &Pay, ask: Ask) {
    let request = match ask {
        Ask::Pay(key) => {
            let body = order(amount(key));
            Request::new("POST", "/v1/payments").json(&body).key(&key.to_string())
        }
        Ask::Cancel(key, part) => {
            let body = json!({ "amount": won(2_000 + part) });
            cancellation(&path(key), &part.to_string(), &body)
        }
        Ask::Finish(key) => {
            pay.finish(&path(key)).await;
            return;
        }
    };
    pay.bench.send(request.caller(payer(), "member")).await;
}

/// Runs a history under faults, then lets everything come to rest.
async fn run(table: Vec<Fault>, calls: Vec<Fault>, asks: Vec<Ask>, bank: Bank, patience: i64) -> Pay {
    let mut pay = Pay::new().await;
    pay.recharge(payer(), 9_000).await;
    *pay.services.bank.lock().unwrap() = bank;
    pay.services.fail_as(calls);
    let calm = pay.bench.context.table.clone();
    pay.bench.context.table = Arc::new(Trying { inner: pay.bench.twin.clone(), plan: Plan::of(table) });
    for pair in asks.chunks(2) {
        match pair {
            [one, two] => drop(tokio::join!(ask(&pay, *one), ask(&pay, *two))),
            one => ask(&pay, one[0]).await,
        }
        pay.bench.world.pass_seconds(patience);
        let sweep = pay.bench.sweep("sweepPayments");
        drop(tokio::join!(sweep, ask(&pay, pair[0])));
    }
    pay.bench.context.table = calm;
    pay.services.fail_as(Vec::new());
    if bank == Bank::SaysNothing {
        *pay.services.bank.lock().unwrap() = Bank::Does;
    }
    for _ in 0..2 {
        pay.bench.world.pass_seconds(40);
        pay.services.sweep().await;
        pay.sweep().await;
    }
    pay
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_payment_ends_as_the_ledger_says(
        table in prop::collection::vec(fault(), 0..80),
        calls in prop::collection::vec(fault(), 0..40),
        asks in asks(),
        bank in bank(),
        patience in prop::sample::select(vec![1_i64, 21, 300]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (pay, balance) = runtime.block_on(async {
            let pay = run(table, calls, asks, bank, patience).await;
            let balance = pay.balance(payer()).await;
            (pay, balance)
        });
        let mut spent = 0_i64;
        for payment in pay.payments() {
            prop_assert!(payment.is_at_rest(), "{payment:?} never ended");
            let entries = pay.entries(payment.payment_id);
            let of = |kind: Kind| entries.iter().filter(move |entry| entry.purpose == kind);
            let paid: Vec<u64> = of(Kind::Payment).map(|entry| entry.amount.amount()).collect();
            match payment.state {
                PaymentState::Failed => prop_assert!(paid.is_empty(), "{payment:?} was paid"),
                _ => prop_assert_eq!(paid.clone(), vec![payment.amount.amount()]),
            }
            let back: u64 = of(Kind::Cancellation).map(|entry| entry.amount.amount()).sum();
            let parts: u64 = payment.cancellations.iter().map(|part| part.amount.amount()).sum();
            prop_assert_eq!((back, of(Kind::Cancellation).count()), (parts, payment.cancellations.len()));
            prop_assert!(back <= payment.amount.amount());
            prop_assert!(payment.top_up.is_some() || of(Kind::Refused).count() <= 1);
            spent += i64::try_from(paid.iter().sum::<u64>()).unwrap() - i64::try_from(back).unwrap();
        }
        // Every part that is back has its record for settlement.
        let page = json!({ "cut": kernel::Timestamp::END, "slackSeconds": 0 });
        let audit = pay.bench.call("auditPayment", contract::Caller::Platform, page);
        prop_assert_eq!(&runtime.block_on(audit).unwrap().body["findings"], &json!([]));
        let recharged: u64 = pay.money.items().into_iter()
            .filter(|item| store::kind_of(item) == "entry")
            .map(|item| store::read::<money::domain::Entry>(item).unwrap())
            .filter(|entry| entry.purpose == Kind::Recharge)
            .map(|entry| Money::amount(entry.amount))
            .sum();
        prop_assert_eq!(i64::try_from(balance).unwrap(), i64::try_from(recharged).unwrap() - spent);
    }
}
