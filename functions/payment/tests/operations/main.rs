//! Payment's operations, called as the gateway and the platform call them, on the twin of its table; money is the real
//! one on a twin of its own, so that what is asserted of wallets is what its ledger says.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should fail loudly"
)]

mod auditing;
mod cancelling;
mod collecting;
mod copies;
mod faults;
mod finishing;
mod hot_items;
mod listing;
mod publishing;
mod requesting;
mod services;
mod settling;
mod topping_up;

use contract::{
    Caller,
    testing::{Answer, Bench, Request},
};
use events::{
    Envelope, Fact,
    franchise::{
        Franchise, FranchiseClosed, FranchiseModified, FranchiseRegistered, FranchiseState, SettlementCycle,
    },
};
use kernel::{
    BasisPoints, FeeSchedule, Id, Money, Timestamp,
    id::{BankAccountId, FranchiseId, MembershipId, PaymentId},
};
use money::domain::Entry;
use payment::items::Payment;
use serde_json::{Value, json};
use services::Services;
use std::sync::Arc;
use store::{Record, kind_of, read, twin::Twin};

/// Payment and money with what they ask of others.
struct Pay {
    bench: Bench,
    money: Arc<Twin>,
    services: Arc<Services>,
}

fn payer() -> MembershipId {
    Id::derive(&["payer"])
}

fn merchant() -> MembershipId {
    Id::derive(&["merchant"])
}

fn stranger() -> MembershipId {
    Id::derive(&["stranger"])
}

fn operator() -> MembershipId {
    Id::derive(&["operator"])
}

fn shop() -> FranchiseId {
    Id::derive(&["shop"])
}

fn account() -> BankAccountId {
    Id::derive(&["account"])
}

fn bps(fee: u16) -> BasisPoints {
    BasisPoints::try_new(fee).unwrap()
}

/// The merchant's shop with a fee of 2.5 %, as its facts tell it.
fn franchise(version: u64) -> Franchise {
    Franchise {
        franchise_id: shop(),
        membership_id: merchant(),
        bank_account_id: Id::derive(&["merchant's"]),
        fee_terms: FeeSchedule::starting(Timestamp::EPOCH, bps(250)),
        settlement_cycle: SettlementCycle::Daily {},
        state: FranchiseState::Open,
        version,
    }
}

fn won(amount: u64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

impl Pay {
    /// Everything at rest, and the shop known by its fact.
    async fn new() -> Pay {
        let pay = Pay::without_shop();
        pay.tell(&FranchiseRegistered { franchise: franchise(1), registered_at: pay.now() }).await;
        pay
    }

    fn without_shop() -> Pay {
        let mut bench = Bench::new(&payment::SERVICE);
        let (services, money) = Services::beside(&bench);
        bench.context.calls = services.clone();
        Pay { bench, money, services }
    }

    fn now(&self) -> Timestamp {
        self.bench.context.clock.now()
    }

    /// Lets payment hear a fact.
    async fn tell<F: Fact>(&self, fact: &F) {
        let operation = match F::TYPE {
            FranchiseRegistered::TYPE => "onFranchiseRegistered",
            FranchiseModified::TYPE => "onFranchiseModified",
            FranchiseClosed::TYPE => "onFranchiseClosed",
            other => panic!("nobody listens to {other}"),
        };
        let event = Envelope::of(fact, "", self.now(), events::EXAMPLE_TRACEPARENT);
        self.bench.call(operation, Caller::Platform, json!(event)).await.unwrap();
    }

    /// Recharges a wallet at money itself.
    async fn recharge(&self, member: MembershipId, amount: u64) {
        self.services.recharge(&format!("test/{member}/{amount}"), member, amount).await;
    }

    async fn balance(&self, member: MembershipId) -> u64 {
        self.services.balance(member).await
    }

    async fn pay(&self, amount: u64, key: &str) -> Answer {
        self.bench.send(request(amount, key)).await
    }

    /// Pays, and answers the payment's path.
    async fn paid(&self, amount: u64, key: &str) -> String {
        let answer = self.pay(amount, key).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.header("location").unwrap().to_owned()
    }

    async fn get(&self, path: &str, member: MembershipId, scopes: &str) -> Answer {
        self.bench.send(Request::new("GET", path).caller(member, scopes)).await
    }

    /// The payment as its payer sees it.
    async fn seen(&self, path: &str) -> Value {
        let answer = self.get(path, payer(), "member").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    async fn cancel(&self, path: &str, key: &str, body: Value) -> Answer {
        self.bench.send(cancellation(path, key, &body).caller(payer(), "member")).await
    }

    async fn finish(&self, path: &str) -> Answer {
        let request = Request::new("POST", &format!("{path}/finish")).caller(operator(), "member operator");
        self.bench.send(request).await
    }

    async fn sweep(&self) {
        self.bench.sweep("sweepPayments").await.unwrap();
    }

    fn payments(&self) -> Vec<Payment> {
        let items = self.bench.twin.items().into_iter().filter(|item| kind_of(item) == Payment::KIND);
        items.map(|item| read(item).unwrap()).collect()
    }

    /// The ledger's entries of this payment: each reference with what it is for.
    fn entries(&self, id: PaymentId) -> Vec<Entry> {
        let entries = self.money.items().into_iter().filter(|item| kind_of(item) == Entry::KIND);
        let entries = entries.map(|item| read::<Entry>(item).unwrap());
        entries.filter(|entry| entry.reference.starts_with(&id.to_string())).collect()
    }
}

fn order(amount: u64) -> Value {
    json!({ "franchiseId": shop(), "amount": won(amount), "orderId": "order-1" })
}

fn request(amount: u64, key: &str) -> Request {
    Request::new("POST", "/v1/payments").json(&order(amount)).key(key).caller(payer(), "member")
}

fn cancellation(path: &str, key: &str, body: &Value) -> Request {
    Request::new("POST", &format!("{path}/cancellations")).json(body).key(key)
}

fn id_of(path: &str) -> PaymentId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// The pointers of the fields that a problem names.
fn pointers(answer: &Answer) -> Vec<&str> {
    let errors = answer.body["errors"].as_array().into_iter().flatten();
    errors.map(|error| error["pointer"].as_str().unwrap()).collect()
}

/// The sum of what was taken back and is back.
fn refunded(payment: &Payment) -> u64 {
    let back = payment.cancellations.iter().filter(|part| part.refunded_at.is_some());
    back.map(|part| part.amount).map(Money::amount).sum()
}
