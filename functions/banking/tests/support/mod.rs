//! Banking on its twin, and the bank simulator on its own, joined by a wire that keeps time.

#![allow(dead_code, reason = "each test file uses its own part")]

use async_trait::async_trait;
use bank_simulator::SERVICE as BANK;
use banking::SERVICE;
use contract::{
    Call, Caller, Problem, Reference, Reply, http,
    ports::{Egress, Incoming, Outgoing, Unanswered},
    testing::{Answer, Bench, Request},
};
use kernel::{Id, id::MembershipId};
use serde_json::{Value, json};
use std::sync::Arc;
use store::{CommitError, Item, Key, Page, Query, Read, Table, Unavailable, Write, twin::Twin};

pub const CORPORATE: &str = "99900011122";
pub const HANA: &str = "11023456789";
pub const DUL: &str = "22034567890";
pub const FIRST_BALANCE: u64 = 1_000_000;

/// The bank behind a wire.
pub struct Wire {
    pub bank: Bench,
}

impl Wire {
    /// What the bank answers, and how long that took by its clock.
    pub async fn exchange(&self, request: &Outgoing) -> (Incoming, i64) {
        let began = self.bank.context.clock.now();
        let path = request.url.strip_prefix("https://bank.example").expect("another endpoint");
        let mut asked = Request::new(request.method, path);
        for (name, value) in &request.headers {
            asked = asked.header(name, value);
        }
        if let Some(body) = &request.body {
            asked = asked.json(body);
        }
        let response = http::answer(&BANK, None, &self.bank.context, asked.0).await;
        let body = serde_json::from_str(&response.body).unwrap_or(Value::Null);
        let took = self.bank.context.clock.now().millis_since(began);
        (Incoming { status: response.status, body }, took)
    }

    /// Asks the bank as its own client would.
    pub async fn ask(&self, method: &'static str, path: &str, body: Option<Value>) -> Value {
        let url = format!("https://bank.example{path}");
        let headers = vec![("x-api-key", "open sesame".to_owned())];
        self.exchange(&Outgoing { method, url, headers, body, timeout_ms: 60_000 }).await.0.body
    }

    pub async fn open_account(&self, number: &str, holder: &str) {
        let balance = won(FIRST_BALANCE);
        let body = json!({ "accountNumber": number, "holder": holder, "balance": balance });
        self.ask("POST", "/v1/accounts", Some(body)).await;
    }

    pub async fn tell(&self, number: &str, mode: &str, transfers: Option<u32>) {
        let body = match transfers {
            Some(transfers) => json!({ "mode": mode, "transfers": transfers }),
            None => json!({ "mode": mode }),
        };
        let told = self.ask("PUT", &format!("/v1/accounts/{number}/mode"), Some(body)).await;
        assert_eq!(told["mode"], mode);
    }

    pub async fn balance(&self, number: &str) -> u64 {
        let account = self.ask("GET", &format!("/v1/accounts/{number}"), None).await;
        account["balance"]["amount"].as_u64().unwrap()
    }

    /// How often an account was moved.
    pub async fn moves(&self, number: &str) -> u64 {
        let account = self.ask("GET", &format!("/v1/accounts/{number}"), None).await;
        account["transfers"].as_u64().unwrap()
    }
}

#[async_trait]
impl Egress for Wire {
    async fn send(&self, request: Outgoing) -> Result<Incoming, Unanswered> {
        let (answer, took) = self.exchange(&request).await;
        if took >= i64::from(request.timeout_ms) {
            return Err(Unanswered("the deadline is over".to_owned()));
        }
        Ok(answer)
    }
}

/// Lets another task go on before each call, so that joined requests meet at every step.
pub struct Yielding(pub Arc<Twin>);

#[async_trait]
impl Table for Yielding {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        tokio::task::yield_now().await;
        self.0.get(key, read).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        tokio::task::yield_now().await;
        self.0.query(query).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        tokio::task::yield_now().await;
        self.0.commit(writes).await
    }
}

/// Banking and the bank.
pub struct Town {
    pub banking: Bench,
    pub wire: Arc<Wire>,
}

pub fn won(amount: u64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

pub fn hana() -> MembershipId {
    Id::derive(&["hana"])
}

pub fn dul() -> MembershipId {
    Id::derive(&["dul"])
}

pub fn operator() -> MembershipId {
    Id::derive(&["operator"])
}

impl Town {
    /// A bank with two people's accounts, and nothing linked.
    pub async fn new() -> Town {
        let secret = json!({ "apiKey": "open sesame", "corporateAccount": CORPORATE }).to_string();
        let bank = Bench::new(&BANK);
        bank.world.set_secret("bank", &secret);
        let wire = Arc::new(Wire { bank });
        wire.open_account(HANA, "김하나").await;
        wire.open_account(DUL, "이둘").await;
        let mut banking = Bench::new(&SERVICE);
        banking.world.set_secret("bank", &secret);
        banking.context.egress = wire.clone();
        Town { banking, wire }
    }

    /// The same, with the account of one member linked; its id.
    pub async fn linked() -> (Town, String) {
        let town = Town::new().await;
        let answer = town.register(hana(), HANA, "김하나", "link").await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        let id = answer.body["bankAccountId"].as_str().unwrap().to_owned();
        (town, id)
    }

    pub async fn register(&self, member: MembershipId, number: &str, holder: &str, key: &str) -> Answer {
        self.banking.send(registration("/v1/bank-accounts", member, number, holder, key)).await
    }

    pub async fn get(&self, member: MembershipId, scope: &str, path: &str) -> Answer {
        self.banking.send(Request::new("GET", path).caller(member, scope)).await
    }

    /// Calls requestFirmbanking as money does.
    pub async fn order(&self, reference: &str, body: Value) -> Result<Reply<Value>, Problem> {
        let call = self.order_call(reference, body);
        self.banking.call_with("requestFirmbanking", call).await
    }

    pub fn order_call(&self, reference: &str, body: Value) -> Call<Value> {
        order_call(&self.banking, reference, body)
    }

    /// Delivers what the relay publishes to banking's own handlers, and what it queues, until nothing is left.
    pub async fn deliver(&self) {
        for _ in 0..20 {
            let events = self.banking.relay().await.unwrap();
            let messages = self.banking.world.take_queued();
            if events.is_empty() && messages.is_empty() {
                return;
            }
            for event in events {
                let handler = match event.kind.as_str() {
                    "banking.accountRegistrationRequested.v1" => "onRegisterBankAccountRequested",
                    "banking.firmbankingRequested.v1" => "onFirmbankingRequested",
                    _ => continue,
                };
                self.banking.call(handler, Caller::Platform, json!(event)).await.unwrap();
            }
            for message in messages {
                let operation = message.operation.strip_prefix("banking.").unwrap();
                self.banking.world.pass_seconds(i64::from(message.delay_seconds));
                self.banking.call(operation, Caller::Platform, message.body).await.unwrap();
            }
        }
        panic!("banking never comes to rest");
    }

    pub async fn unlink(&self, member: MembershipId, id: &str) -> Answer {
        let path = format!("/v1/bank-accounts/{id}");
        self.banking.send(Request::new("DELETE", &path).caller(member, "member")).await
    }
}

/// requestFirmbanking, called as money does.
pub fn order_call(banking: &Bench, reference: &str, body: Value) -> Call<Value> {
    Call {
        operation: "banking.requestFirmbanking".to_owned(),
        caller: Caller::Service("money.increaseMoneyRequest".to_owned()),
        on_behalf_of: Some(hana()),
        idempotency_key: None,
        reference: Some(Reference { id: reference.to_owned(), birth: events::example_time() }),
        if_match: None,
        trace: banking.trace(),
        now: banking.context.clock.now(),
        fingerprint: store::seal::digest(&[&body.to_string()]),
        body,
    }
}

pub fn registration(path: &str, member: MembershipId, number: &str, holder: &str, key: &str) -> Request {
    Request::new("POST", path)
        .caller(member, "member")
        .key(key)
        .json(&json!({ "accountNumber": number, "holder": holder }))
}

/// An order to debit a linked account.
pub fn recharge(id: &str, member: MembershipId, amount: u64) -> Value {
    json!({
        "source": { "kind": "linked", "bankAccountId": id, "membershipId": member },
        "destination": { "kind": "corporate" },
        "amount": won(amount),
    })
}

/// An order to credit a linked account.
pub fn withdrawal(id: &str, member: MembershipId, amount: u64) -> Value {
    json!({
        "source": { "kind": "corporate" },
        "destination": { "kind": "linked", "bankAccountId": id, "membershipId": member },
        "amount": won(amount),
    })
}
