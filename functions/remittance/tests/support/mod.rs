//! Remittance on its twin beside the real money on its own; membership and banking are played by what they know.

use async_trait::async_trait;
use contract::{
    Call, Code, Context, Problem, Trace, bank_codes,
    ports::{Calls, DirectAnswer, DirectCall, Unanswered},
    testing::{Answer, Bench, Request},
};
use kernel::{
    Id,
    id::{BankAccountId, FirmbankingId, MembershipId},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};
use store::{CommitError, Item, Key, Page, Query, Read, Table, Unavailable, Write, twin::Twin};

/// What goes wrong at a call or at the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    Before,
    AnswerLost,
    Conflict,
    /// The table's answer is lost within the SDK, which asks again at once.
    Repeated,
    /// The same, and the repetition meets another transaction.
    RepeatedInConflict,
}

/// The faults to come, taken one at each call; none when they are used up.
#[derive(Default)]
pub struct Plan(Mutex<std::vec::IntoIter<Fault>>);

impl Plan {
    pub fn set(&self, faults: Vec<Fault>) {
        *self.0.lock().unwrap() = faults.into_iter();
    }

    pub fn next(&self) -> Fault {
        self.0.lock().unwrap().next().unwrap_or(Fault::None)
    }
}

/// What the bank does with orders that are not certain yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    Moves,
    Declines,
    Unknown,
    Silent,
    /// Banking says no without a record, which it should never do.
    Faulty,
}

/// An order at the bank.
#[derive(Clone, Debug)]
pub struct BankOrder {
    pub body: Value,
    /// Whether it was moved, once that is certain.
    pub moved: Option<bool>,
    /// How often it was asked for.
    pub asked: u32,
}

/// Membership, banking and the bank.
pub struct Others {
    /// For payments out of Pay.
    pub outward: Mood,
    /// For recharges.
    pub inward: Mood,
    pub orders: BTreeMap<String, BankOrder>,
    /// How often an order is unknown before it is certain.
    pub doubts: u32,
    /// Whether the bank declines every second order, by its reference.
    pub declines_some: bool,
    /// The account that a recharge takes if none is named.
    pub linked: Option<BankAccountId>,
    /// An operation that is refused with this code.
    pub refused: Option<(&'static str, &'static Code)>,
    /// An operation that does not answer.
    pub silent: Option<&'static str>,
    pub asked: Vec<String>,
}

pub struct Wires {
    money: Mutex<Option<Context>>,
    pub others: Mutex<Others>,
    pub plan: Arc<Plan>,
}

pub struct Town {
    pub remittance: Bench,
    pub money: Bench,
    pub wires: Arc<Wires>,
}

pub const HANA_EMAIL: &str = "hana@pay.example";
pub const DUL_EMAIL: &str = "dul@pay.example";
pub const SHOP: &str = "110-234-56789";
pub const HOLDER: &str = "김가게";
pub const CORPORATE: &str = "90000000001";

pub fn hana() -> MembershipId {
    Id::derive(&["hana"])
}

pub fn dul() -> MembershipId {
    Id::derive(&["dul"])
}

pub fn set() -> MembershipId {
    Id::derive(&["set"])
}

pub fn account(name: &str) -> BankAccountId {
    Id::derive(&["account", name])
}

impl Wires {
    pub fn others(&self) -> MutexGuard<'_, Others> {
        self.others.lock().unwrap()
    }

    async fn money(&self, call: &DirectCall) -> DirectAnswer {
        let context = self.money.lock().unwrap().clone().unwrap();
        let name = call.operation.strip_prefix("money.").unwrap();
        let operation = money::SERVICE.operation(name).unwrap();
        let typed = Call {
            operation: call.operation.clone(),
            caller: call.caller(),
            on_behalf_of: call.on_behalf_of,
            idempotency_key: None,
            reference: call.reference.clone(),
            if_match: None,
            trace: Trace::parse(&call.traceparent).unwrap(),
            now: context.clock.now(),
            fingerprint: store::seal::digest(&[&call.body.to_string()]),
            body: call.body.clone(),
        };
        match (operation.handle)(&context, typed).await {
            Ok(reply) => DirectAnswer::Done(reply.body),
            Err(problem) => DirectAnswer::Refused(problem),
        }
    }
}

#[async_trait]
impl Calls for Wires {
    async fn invoke(&self, call: &DirectCall, _: u32) -> Result<DirectAnswer, Unanswered> {
        tokio::task::yield_now().await;
        let fault = if call.caller.starts_with("remittance.") { self.plan.next() } else { Fault::None };
        let is_silent = self.others().silent == Some(call.operation.as_str());
        if fault == Fault::Before || is_silent {
            return Err(Unanswered("fault".to_owned()));
        }
        let refused = self.others().refused.filter(|(operation, _)| *operation == call.operation);
        self.others().asked.push(call.operation.clone());
        let answer = match refused {
            Some((_, code)) => DirectAnswer::Refused(code.into()),
            None if call.operation.starts_with("money.") => self.money(call).await,
            None => self.others().answer(call)?,
        };
        if fault == Fault::AnswerLost { Err(Unanswered("fault".to_owned())) } else { Ok(answer) }
    }
}

impl Others {
    fn answer(&mut self, call: &DirectCall) -> Result<DirectAnswer, Unanswered> {
        let body = &call.body;
        Ok(match call.operation.as_str() {
            "membership.resolveMember" => resolved(body),
            "banking.registerPayee" => payee(body),
            "banking.findRechargeAccount" => DirectAnswer::Done(match self.linked {
                Some(account) => json!({ "bankAccountId": account }),
                None => json!({}),
            }),
            "banking.requestFirmbanking" => return self.firmbanking(call),
            other => panic!("nobody answers {other}"),
        })
    }

    fn firmbanking(&mut self, call: &DirectCall) -> Result<DirectAnswer, Unanswered> {
        let reference = call.reference.clone().unwrap();
        let is_out = call.body["source"]["kind"] == "corporate";
        let mood = if is_out { self.outward } else { self.inward };
        if mood == Mood::Faulty {
            return Ok(DirectAnswer::Refused(Problem::field("/source", "is odd")));
        }
        let new = BankOrder { body: call.body.clone(), moved: None, asked: 0 };
        let order = self.orders.entry(reference.id.clone()).or_insert(new);
        assert_eq!(order.body, call.body, "a reference has one order");
        order.asked += 1;
        if order.moved.is_none() && order.asked > self.doubts {
            let declined = self.declines_some && reference.id.bytes().map(u32::from).sum::<u32>() % 2 == 0;
            order.moved = match mood {
                Mood::Moves => Some(!declined),
                Mood::Declines => Some(false),
                Mood::Unknown | Mood::Silent | Mood::Faulty => None,
            };
        }
        if mood == Mood::Silent {
            return Err(Unanswered("silence".to_owned()));
        }
        let mut answer = call.body.clone();
        answer["firmbankingId"] = json!(FirmbankingId::derive(&[&reference.id]));
        answer["requestedAt"] = json!(reference.birth);
        answer["state"] = match order.moved {
            None => json!("unknown"),
            Some(true) => json!("succeeded"),
            Some(false) => json!("failed"),
        };
        if order.moved == Some(false) {
            answer["failureReason"] = json!("declined_by_bank");
        }
        Ok(DirectAnswer::Done(answer))
    }

    /// What the bank has moved into Pay, less what it has moved out, in won.
    pub fn moved(&self) -> i64 {
        let moved = self.orders.values().filter(|order| order.moved == Some(true));
        moved
            .map(|order| {
                let amount = order.body["amount"]["amount"].as_i64().unwrap();
                if order.body["source"]["kind"] == "corporate" { -amount } else { amount }
            })
            .sum()
    }
}

fn resolved(body: &Value) -> DirectAnswer {
    if let Some(email) = body["email"].as_str() {
        if !email.contains('@') {
            return DirectAnswer::Refused(Problem::field("/email", "must be an email address"));
        }
        let known = [(HANA_EMAIL, hana()), (DUL_EMAIL, dul())];
        let found = known.iter().find(|(known, _)| known.eq_ignore_ascii_case(email));
        return DirectAnswer::Done(found.map_or(json!({}), |(_, id)| json!({ "membershipId": id })));
    }
    let known = [hana(), dul(), set()].iter().any(|id| json!(id) == body["membershipId"]);
    DirectAnswer::Done(if known { json!({ "membershipId": body["membershipId"] }) } else { json!({}) })
}

fn payee(body: &Value) -> DirectAnswer {
    let number = body["accountNumber"].as_str().unwrap();
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return DirectAnswer::Refused(Problem::field("/accountNumber", "must be 8 to 20 digits"));
    }
    match (number, body["holder"].as_str().unwrap()) {
        (CORPORATE, _) => DirectAnswer::Refused((&bank_codes::PAYEE_NOT_ALLOWED).into()),
        (SHOP, HOLDER) => DirectAnswer::Done(json!({
            "bankAccountId": BankAccountId::derive(&["payee", &body["membershipId"].to_string(), number]),
            "maskedAccountNumber": "*******6789",
        })),
        (SHOP, _) => DirectAnswer::Refused((&bank_codes::HOLDER_MISMATCH).into()),
        _ => DirectAnswer::Refused((&bank_codes::UNKNOWN_TO_BANK).into()),
    }
}

pub fn won(amount: u64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

pub fn to_member(id: MembershipId) -> Value {
    json!({ "kind": "member", "membershipId": id })
}

pub fn to_email(email: &str) -> Value {
    json!({ "kind": "email", "email": email })
}

pub fn to_shop() -> Value {
    json!({ "kind": "bankAccount", "accountNumber": SHOP, "holder": HOLDER })
}

pub fn remit(key: &str, to: &Value, amount: u64) -> Request {
    asking(key, &json!({ "to": to, "amount": won(amount) }))
}

pub fn asking(key: &str, body: &Value) -> Request {
    Request::new("POST", "/v1/remittances").caller(hana(), "member").key(key).json(body)
}

impl Town {
    /// A town where nobody has money.
    pub fn new() -> Town {
        let plan = Arc::<Plan>::default();
        let others = Others {
            outward: Mood::Moves,
            inward: Mood::Moves,
            orders: BTreeMap::new(),
            doubts: 0,
            declines_some: false,
            linked: Some(account("first")),
            refused: None,
            silent: None,
            asked: Vec::new(),
        };
        let wires = Arc::new(Wires { money: Mutex::default(), others: Mutex::new(others), plan });
        let mut remittance = Bench::new(&remittance::SERVICE);
        let mut money = Bench::new(&money::SERVICE);
        remittance.context.calls = wires.clone();
        money.context.calls = wires.clone();
        money.context.clock = remittance.world.clone();
        *wires.money.lock().unwrap() = Some(money.context.clone());
        Town { remittance, money, wires }
    }

    /// A town where Hana has so much.
    pub async fn with(amount: u64) -> Town {
        let town = Town::new();
        let body = json!({ "bankAccountId": account("first"), "amount": won(amount) });
        let request = Request::new("POST", "/v1/money/increases").caller(hana(), "member").key("first");
        assert_eq!(town.money.send(request.json(&body)).await.status, 201);
        let request = Request::new("POST", "/v1/money/wallets").caller(dul(), "member").json(&json!({}));
        assert_eq!(town.money.send(request).await.status, 201);
        town.remittance.world.pass_seconds(1);
        town.wires.others().asked.clear();
        town
    }

    /// From now on these faults come, one at each of remittance's calls and of its table's.
    pub fn plan(&mut self, faults: Vec<Fault>) {
        self.wires.plan.set(faults);
        let table = FaultyTable { inner: self.remittance.twin.clone(), plan: self.wires.plan.clone() };
        self.remittance.context.table = Arc::new(table);
    }

    pub async fn get(&self, reader: MembershipId, path: &str) -> Answer {
        self.remittance.send(Request::new("GET", path).caller(reader, "member")).await
    }

    /// Balance and what of it is held.
    pub async fn standing(&self, member: MembershipId) -> (u64, u64) {
        let path = format!("/v1/money/wallets/{member}/balance");
        let answer = self.money.send(Request::new("GET", &path).caller(member, "member")).await;
        let won = |name: &str| answer.body[name]["amount"].as_u64().unwrap_or_default();
        (won("balance"), won("held"))
    }

    pub async fn balance(&self, member: MembershipId) -> u64 {
        self.standing(member).await.0
    }

    pub async fn sweep(&self) {
        self.remittance.sweep("sweepRemittances").await.expect("the sweeper runs");
    }
}

/// The table, with a fault at each call as planned.
struct FaultyTable {
    inner: Arc<Twin>,
    plan: Arc<Plan>,
}

#[async_trait]
impl Table for FaultyTable {
    async fn get(&self, key: &Key, how: Read) -> Result<Option<Item>, Unavailable> {
        tokio::task::yield_now().await;
        match self.plan.next() {
            Fault::Before | Fault::AnswerLost => Err(Unavailable("fault".to_owned())),
            _ => self.inner.get(key, how).await,
        }
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        tokio::task::yield_now().await;
        match self.plan.next() {
            Fault::Before | Fault::AnswerLost => Err(Unavailable("fault".to_owned())),
            _ => self.inner.query(query).await,
        }
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        tokio::task::yield_now().await;
        match self.plan.next() {
            Fault::Before => Err(Unavailable("fault".to_owned()).into()),
            Fault::Conflict => Err(CommitError::Contended),
            Fault::AnswerLost => {
                self.inner.commit(writes).await?;
                Err(Unavailable("fault".to_owned()).into())
            }
            Fault::Repeated => {
                self.inner.commit(writes).await?;
                self.inner.commit(writes).await
            }
            Fault::RepeatedInConflict => {
                self.inner.commit(writes).await?;
                Err(CommitError::Contended)
            }
            Fault::None => self.inner.commit(writes).await,
        }
    }
}
