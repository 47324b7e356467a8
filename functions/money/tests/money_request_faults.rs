//! Recharges and withdrawals with a fault at any call: they converge, and the wallet holds exactly what the bank moved.
//!
//! Executors of the same and of other requests run at once, and some requests are left to the sweeper; table and
//! banking die before a call, lose its answer, conflict, or read stale and gapped pages. Afterwards the faults stop and
//! the sweeper runs until all is final.
//! A franchise's journal, which grows in the same way, is held to the same faults.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

use async_trait::async_trait;
use contract::{
    Call, Caller, Context, Reference,
    peers::{Direction, MoneyRequestState},
    ports::{Calls, DirectAnswer, DirectCall, Unanswered},
    testing::{Bench, Request},
};
use kernel::{Id, Money, Timestamp, id::MembershipId};
use money::{
    domain::{Entry, JournalEntry, Kind, Link},
    items::MoneyRequest,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    iter,
    sync::{Arc, Mutex},
};
use store::{
    CommitError, Item, Key, Page, Query, Read, Record, Table, Unavailable, Write, kind_of, read, twin::Twin,
};

/// What goes wrong at a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Before,
    AnswerLost,
    Conflict,
    /// The answer is lost within the SDK, which asks again at once.
    Repeated,
    Stale,
    Gap,
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let one = prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::Before),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Conflict),
        1 => Just(Fault::Repeated),
        1 => Just(Fault::Stale),
        1 => Just(Fault::Gap),
    ];
    prop::collection::vec(one, 0..80)
}

/// The faults to come, taken one at each call; none when they are used up.
#[derive(Default)]
struct Plan(Mutex<std::vec::IntoIter<Fault>>);

impl Plan {
    fn next(&self) -> Fault {
        self.0.lock().unwrap().next().unwrap_or(Fault::None)
    }
}

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
        let fault = self.plan.next();
        if matches!(fault, Fault::Before | Fault::AnswerLost) {
            return Err(Unavailable("fault".to_owned()));
        }
        let mut page = self.inner.query(query).await?;
        if query.read == Read::Eventual && !page.items.is_empty() {
            match fault {
                // The newest item is not there yet, or one in the middle is not.
                Fault::Stale => drop(page.items.remove(0)),
                Fault::Gap => drop(page.items.remove(page.items.len() / 2)),
                _ => {}
            }
        }
        Ok(page)
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
            _ => self.inner.commit(writes).await,
        }
    }
}

/// Banking as money sees it: each reference has one outcome, which is unknown for a while.
struct Banking {
    plan: Arc<Plan>,
    declines: bool,
    orders: Mutex<BTreeMap<String, BankOrder>>,
    /// After the history: no faults any more, and everything is certain at once.
    is_certain: Mutex<bool>,
}

struct BankOrder {
    /// What it brings to the corporate account, in won.
    won: i64,
    /// How often it was asked for.
    asked: u32,
}

impl BankOrder {
    fn of(body: &Value) -> BankOrder {
        let amount = body["amount"]["amount"].as_i64().unwrap();
        let won = match (body["source"]["kind"].as_str(), body["destination"]["kind"].as_str()) {
            (Some("linked"), Some("corporate")) => amount,
            (Some("corporate"), Some("linked")) => -amount,
            parties => panic!("money asked to move between {parties:?}"),
        };
        BankOrder { won, asked: 0 }
    }
}

impl Banking {
    /// What the bank has moved to the corporate account in all, in won.
    fn moved(&self) -> i64 {
        let orders = self.orders.lock().unwrap();
        orders.iter().filter(|(reference, _)| !self.is_declined(reference)).map(|(_, order)| order.won).sum()
    }

    fn is_declined(&self, reference: &str) -> bool {
        self.declines && reference.bytes().map(u32::from).sum::<u32>().is_multiple_of(2)
    }
}

#[async_trait]
impl Calls for Banking {
    async fn invoke(&self, call: &DirectCall, _: u32) -> Result<DirectAnswer, Unanswered> {
        tokio::task::yield_now().await;
        let is_calm = *self.is_certain.lock().unwrap();
        let fault = if is_calm { Fault::None } else { self.plan.next() };
        if fault == Fault::Before {
            return Err(Unanswered("fault".to_owned()));
        }
        let reference = call.reference.clone().unwrap();
        let new = BankOrder::of(&call.body);
        let asked = {
            let mut orders = self.orders.lock().unwrap();
            let order = orders.entry(reference.id.clone()).or_insert(BankOrder { asked: 0, ..new });
            assert_eq!(order.won, new.won, "a reference has one amount, and one direction");
            order.asked += 1;
            order.asked
        };
        if fault == Fault::AnswerLost {
            return Err(Unanswered("fault".to_owned()));
        }
        let state = match (is_calm || asked > 2, self.is_declined(&reference.id)) {
            (false, _) => "unknown",
            (true, false) => "succeeded",
            (true, true) => "failed",
        };
        let mut answer = call.body.clone();
        answer["firmbankingId"] = json!(kernel::id::FirmbankingId::derive(&[&reference.id]));
        answer["state"] = json!(state);
        answer["requestedAt"] = json!(reference.birth);
        Ok(DirectAnswer::Done(answer))
    }
}

fn member() -> MembershipId {
    Id::derive(&["member"])
}

/// One of a few requests: asking for the same one again is a repetition of its key.
#[derive(Clone, Copy, Debug)]
struct Ask {
    path: &'static str,
    key: u32,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let path = prop::sample::select(vec![
        "/v1/money/increases",
        "/v1/money/increases/by-event",
        "/v1/money/decreases",
        "/v1/money/decreases",
        "/v1/money/decreases/by-event",
    ]);
    let ask = (path, 0..3_u32).prop_map(|(path, key)| Ask { path, key });
    prop::collection::vec(ask, 1..9)
}

fn request(Ask { path, key }: Ask) -> Request {
    Request::new("POST", path).caller(member(), "member").key(&key.to_string()).json(&json!({
        "bankAccountId": kernel::id::BankAccountId::derive(&["account"]),
        "amount": { "amount": 1_000 + key, "currency": "KRW" },
    }))
}

/// What is left when a history has come to rest.
struct Rest {
    entries: Vec<Entry>,
    records: Vec<MoneyRequest>,
    /// What the bank has moved to the corporate account, in won.
    moved: i64,
}

/// Runs a history under faults, then lets the system come to rest. Three recharges come first, so that there is
/// something to withdraw; if the bank declines some, there is too little for all.
async fn run(plan: Vec<Fault>, asks: Vec<Ask>, declines: bool) -> Rest {
    let mut bench = Bench::new(&money::SERVICE);
    let plan = Arc::new(Plan(Mutex::new(plan.into_iter())));
    let banking = Arc::new(Banking {
        plan: plan.clone(),
        declines,
        orders: Mutex::default(),
        is_certain: Mutex::new(true),
    });
    let calm: Context = Context { calls: banking.clone(), ..bench.context.clone() };
    bench.context = calm.clone();
    for key in 10..13 {
        bench.send(request(Ask { path: "/v1/money/increases", key })).await;
    }
    *banking.is_certain.lock().unwrap() = false;
    bench.context =
        Context { table: Arc::new(FaultyTable { inner: bench.twin.clone(), plan }), ..calm.clone() };
    for pair in asks.chunks(2) {
        match pair {
            [one, two] => drop(tokio::join!(bench.send(request(*one)), bench.send(request(*two)))),
            one => drop(bench.send(request(one[0])).await),
        }
        bench.world.pass_seconds(21);
        // The sweeper meddles while requests are still being made.
        drop(bench.sweep("sweepMoneyRequests").await);
    }
    bench.context = calm;
    *banking.is_certain.lock().unwrap() = true;
    bench.world.pass_seconds(3_600);
    bench.sweep("sweepMoneyRequests").await.unwrap();
    let items = bench.twin.items();
    let of_kind = |kind: &'static str| items.iter().filter(move |item| kind_of(item) == kind).cloned();
    Rest {
        entries: of_kind(Entry::KIND).map(|item| read(item).unwrap()).collect(),
        records: of_kind(MoneyRequest::KIND).map(|item| read(item).unwrap()).collect(),
        moved: banking.moved(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_wallet_holds_exactly_what_the_bank_moved(plan in faults(), asks in asks(), declines: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let Rest { entries, records, moved } = runtime.block_on(run(plan, asks, declines));
        for pair in entries.windows(2) {
            prop_assert!(pair[0].is_followed_by(&pair[1]), "the chain is broken");
        }
        for record in &records {
            prop_assert!(record.is_final(), "{record:?} never ended");
            let of_record = |entry: &&Entry| entry.reference.starts_with(&record.money_request_id.to_string());
            let kinds: Vec<Kind> = entries.iter().filter(of_record).map(|entry| entry.purpose).collect();
            let (opening, booked) = match record.direction {
                Direction::Recharge => (Kind::Expect, Kind::Recharge),
                Direction::Withdrawal => (Kind::Hold, Kind::Withdrawal),
            };
            let ends = match record.state {
                MoneyRequestState::Succeeded => vec![vec![opening, booked]],
                _ => vec![vec![opening, Kind::Release], vec![Kind::Refused]],
            };
            prop_assert!(ends.contains(&kinds), "{record:?} has {kinds:?}");
        }
        let standing = entries.last().map(|tip| tip.standing.clone()).unwrap();
        prop_assert_eq!(i64::try_from(standing.balance.amount()).unwrap(), moved);
        prop_assert_eq!((standing.expected.amount(), standing.held.amount()), (0, 0));
    }
}

/// Three settlements' steps on one franchise's journal: what is asked for under each reference is fixed.
fn step(now: Timestamp, reference: usize) -> Call<Value> {
    let shop =
        json!({ "kind": "franchise", "franchiseId": Id::<kernel::id::kinds::Franchise>::derive(&["shop"]) });
    let (debit, credit) = match reference % 3 {
        0 => (shop, json!({ "kind": "feeRevenue" })),
        1 => (json!({ "kind": "vatPayable" }), shop),
        _ => (shop, json!({ "kind": "bankCorporate" })),
    };
    let amount = Money::try_won(1 + u64::try_from(reference).unwrap()).unwrap();
    Call {
        operation: "money.transferMoney".to_owned(),
        caller: Caller::Service("settlement.payOutSettlement".to_owned()),
        on_behalf_of: None,
        idempotency_key: None,
        reference: Some(Reference { id: format!("stl_{reference}/step"), birth: now }),
        if_match: None,
        trace: contract::Trace::parse(events::EXAMPLE_TRACEPARENT).unwrap(),
        now,
        fingerprint: String::new(),
        body: json!({ "debit": debit, "credit": credit, "amount": amount }),
    }
}

/// Two executors at a time ask for steps under faults; afterwards whatever was asked for is asked for until it is
/// answered. Answers come with the journal, oldest entry first.
async fn settle(plan: Vec<Fault>, asked: &[usize]) -> (Vec<Value>, Vec<JournalEntry>) {
    let mut bench = Bench::new(&money::SERVICE);
    let births: Vec<Timestamp> = (0..9_usize)
        .map(|reference| bench.context.clock.now().plus_seconds(i64::try_from(reference / 3).unwrap()))
        .collect();
    let order = |reference: usize| step(births[reference], reference);
    let plan = Arc::new(Plan(Mutex::new(plan.into_iter())));
    let calm = bench.context.clone();
    bench.context.table = Arc::new(FaultyTable { inner: bench.twin.clone(), plan });
    let mut answers = Vec::new();
    for pair in asked.chunks(2) {
        let first = bench.call_with("transferMoney", order(pair[0]));
        let second = bench.call_with("transferMoney", order(*pair.last().unwrap()));
        let (first, second) = tokio::join!(first, second);
        for (reference, answer) in [(pair[0], first), (*pair.last().unwrap(), second)] {
            match answer {
                Ok(reply) => answers.push(json!([reference, reply.body])),
                Err(problem) => assert_eq!(problem.status, 503, "{problem}"),
            }
        }
        bench.world.pass_seconds(1);
    }
    bench.context = calm;
    for reference in asked {
        let reply = bench.call_with("transferMoney", order(*reference)).await.unwrap();
        answers.push(json!([reference, reply.body]));
    }
    let items = bench.twin.items().into_iter().filter(|item| kind_of(item) == JournalEntry::KIND);
    (answers, items.map(|item| read(item).unwrap()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_has_each_step_once(plan in faults(), asked in prop::collection::vec(0..9_usize, 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (answers, journal) = runtime.block_on(settle(plan, &asked));
        for pair in journal.windows(2) {
            prop_assert!(pair[0].is_followed_by(&pair[1]), "the chain is broken");
        }
        let mut references: Vec<usize> = asked.clone();
        references.sort_unstable();
        references.dedup();
        prop_assert_eq!(journal.len(), references.len());
        for reference in references {
            let name = format!("stl_{reference}/step");
            let entry = journal.iter().find(|entry| entry.reference == name).unwrap();
            prop_assert_eq!(entry.amount.amount(), 1 + u64::try_from(reference).unwrap());
            for answer in answers.iter().filter(|answer| answer[0] == reference) {
                prop_assert_eq!(&answer[1]["transferredAt"], &json!(entry.time), "every answer is the entry's");
            }
        }
    }
}

/// An answer that is no entry collides with nothing, so it must not come from a stale read.
#[tokio::test]
async fn a_hold_that_a_stale_read_does_not_show_is_posted_all_the_same() {
    let mut bench = Bench::new(&money::SERVICE);
    let banking = Banking {
        plan: Arc::default(),
        declines: false,
        orders: Mutex::default(),
        is_certain: Mutex::new(true),
    };
    bench.context.calls = Arc::new(banking);
    assert_eq!(bench.send(request(Ask { path: "/v1/money/increases", key: 0 })).await.status, 201);
    let now = bench.context.clock.now();
    let call = |operation: &str, body: Value| Call {
        operation: format!("money.{operation}"),
        caller: Caller::Service("remittance.requestRemittance".to_owned()),
        on_behalf_of: Some(member()),
        idempotency_key: None,
        reference: Some(Reference { id: "rmt_1/hold".to_owned(), birth: now }),
        if_match: None,
        trace: contract::Trace::parse(events::EXAMPLE_TRACEPARENT).unwrap(),
        now,
        fingerprint: String::new(),
        body,
    };
    let amount = json!(Money::won(1_000));
    let hold = json!({ "membershipId": member(), "amount": amount });
    bench.call_with("holdMoney", call("holdMoney", hold)).await.unwrap();

    let plan = Arc::new(Plan(Mutex::new(vec![Fault::Stale].into_iter())));
    bench.context.table = Arc::new(FaultyTable { inner: bench.twin.clone(), plan });
    let credit = json!({ "kind": "bankCorporate" });
    let post = json!({ "membershipId": member(), "amount": amount, "credit": credit });
    let posted = bench.call_with("postHold", call("postHold", post)).await.unwrap();
    assert_eq!(posted.body["balance"]["amount"], 0);
}

/// Nobody else has asked: a table that gave no answer is unavailable, and no other request is in progress.
#[tokio::test]
async fn a_first_request_is_never_told_to_wait_for_itself() {
    for path in ["/v1/money/increases", "/v1/money/increases/by-event"] {
        for place in 0..6 {
            for fault in [Fault::Before, Fault::AnswerLost] {
                let mut bench = Bench::new(&money::SERVICE);
                let faults: Vec<Fault> = iter::repeat_n(Fault::None, place).chain([fault]).collect();
                let plan = Arc::new(Plan(Mutex::new(faults.into_iter())));
                let table = Arc::new(FaultyTable { inner: bench.twin.clone(), plan: plan.clone() });
                let calls =
                    Banking { plan, declines: false, orders: Mutex::default(), is_certain: Mutex::new(true) };
                bench.context = Context { calls: Arc::new(calls), table, ..bench.context.clone() };
                let answer = bench.send(request(Ask { path, key: 1 })).await;
                assert!([200, 201, 202, 503].contains(&answer.status), "{place}: {}", answer.status);
            }
        }
        // Nor when the SDK has asked again, and the put has met what it had written itself.
        let mut bench = Bench::new(&money::SERVICE);
        let plan = Arc::new(Plan(Mutex::new(vec![Fault::Repeated].into_iter())));
        let table = Arc::new(FaultyTable { inner: bench.twin.clone(), plan: plan.clone() });
        let calls = Banking { plan, declines: false, orders: Mutex::default(), is_certain: Mutex::new(true) };
        bench.context = Context { calls: Arc::new(calls), table, ..bench.context.clone() };
        let answer = bench.send(request(Ask { path, key: 1 })).await;
        let expected = if path.ends_with("by-event") { 202 } else { 201 };
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (expected, None), "{path}");
    }
}
