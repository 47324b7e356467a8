//! Whatever the bank, the table and the schedule do: one transfer at most, one end, and the same for everybody.
//!
//! Several executors advance the same firmbankings at once, one port call at a time, in an order that the tape of
//! random bytes decides. The tape also crashes them at any point, makes the table and the bank fail before or after
//! they have done what was asked, holds sends back to arrive later, changes the bank's mood, lets time pass and
//! unlinks the account. When the tape ends, the faults stop, and what the relay has queued must bring every
//! firmbanking to its end. The bank is the simulator's own service on a table of its own.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use async_trait::async_trait;
use contract::{
    Caller, Problem, Reply,
    ports::{Egress, Incoming, Outgoing, Unanswered},
    testing::{Answer, Bench, Request},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};
use store::{AttributeValue, CommitError, Item, Key, Page, Query, Read, Table, Unavailable, Write, kind_of};
use support::{CORPORATE, FIRST_BALANCE, HANA, Town, Wire, hana, order_call, recharge, withdrawal, won};

/// What decides everything that is not decided by the code: it is empty at the end, and then nothing goes wrong.
struct Tape {
    bytes: Mutex<(Vec<u8>, usize)>,
}

impl Tape {
    /// The next choice of so many; none when the tape has ended.
    fn draw(&self, choices: usize) -> Option<usize> {
        let mut tape = self.lock();
        let byte = *tape.0.get(tape.1)?;
        tape.1 += 1;
        Some(usize::from(byte) % choices)
    }

    fn ended(&self) -> bool {
        let tape = self.lock();
        tape.1 >= tape.0.len()
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<u8>, usize)> {
        self.bytes.lock().unwrap()
    }
}

/// Gives the others a turn, once, while the tape runs.
async fn turn(tape: &Tape) {
    let mut passed = tape.ended();
    poll_fn(|_| if std::mem::replace(&mut passed, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

struct FaultyTable {
    inner: Arc<dyn Table>,
    tape: Arc<Tape>,
}

#[async_trait]
impl Table for FaultyTable {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        turn(&self.tape).await;
        if self.tape.draw(20) == Some(0) {
            return Err(Unavailable("fault".to_owned()));
        }
        let answer = self.inner.get(key, read).await;
        turn(&self.tape).await;
        answer
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        turn(&self.tape).await;
        if self.tape.draw(20) == Some(0) {
            return Err(Unavailable("fault".to_owned()));
        }
        let answer = self.inner.query(query).await;
        turn(&self.tape).await;
        // A query is no snapshot: what it reads may be of before and after a commit of others.
        match self.tape.draw(4) {
            Some(0) => Ok(torn(answer?, self.inner.query(query).await?)),
            Some(1) => Ok(torn(self.inner.query(query).await?, answer?)),
            _ => answer,
        }
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        turn(&self.tape).await;
        let fault = self.tape.draw(12);
        if fault == Some(0) {
            return Err(Unavailable("fault before the commit".to_owned()).into());
        }
        if fault == Some(1) {
            return Err(CommitError::Contended);
        }
        let answer = self.inner.commit(writes).await;
        turn(&self.tape).await;
        if fault == Some(2) {
            return Err(Unavailable("the answer was lost".to_owned()).into());
        }
        answer
    }
}

/// A page with the account as it was in one reading, and its entries as they were in the other.
fn torn(head: Page, entries: Page) -> Page {
    let is_head = |item: &Item| kind_of(item) == "bankAccount";
    let head = head.items.into_iter().filter(is_head);
    let items = head.chain(entries.items.into_iter().filter(|item| !is_head(item))).collect();
    Page { items, next: entries.next }
}

struct FaultyWire {
    inner: Arc<Wire>,
    tape: Arc<Tape>,
    /// Requests that were sent and have not arrived yet.
    in_flight: Mutex<Vec<Outgoing>>,
}

#[async_trait]
impl Egress for FaultyWire {
    async fn send(&self, request: Outgoing) -> Result<Incoming, Unanswered> {
        turn(&self.tape).await;
        let silence = || Err(Unanswered("fault".to_owned()));
        let fault = self.tape.draw(10);
        match fault {
            Some(0) => return silence(),
            Some(1) => {
                self.in_flight.lock().unwrap().push(request);
                return silence();
            }
            Some(2) => return Ok(Incoming { status: 404, body: json!({ "message": "Not Found" }) }),
            _ => {}
        }
        let answer = self.inner.send(request).await;
        turn(&self.tape).await;
        match fault {
            Some(3) => silence(),
            Some(4) => Ok(Incoming { status: 502, body: Value::Null }),
            _ => answer,
        }
    }
}

enum Done {
    Ordered(usize, Result<Reply<Value>, Problem>),
    Inquired,
    Unlinked(Answer),
}

type Executor = Pin<Box<dyn Future<Output = Done>>>;

struct Chaos {
    banking: Arc<Bench>,
    wire: Arc<Wire>,
    flights: Arc<FaultyWire>,
    tape: Arc<Tape>,
    account: String,
    executors: Vec<Executor>,
    /// The final states that executors have answered, by order.
    told: BTreeMap<usize, BTreeSet<String>>,
    /// How often the account had been moved when it was unlinked.
    moved_at_unlinking: Option<u64>,
    /// The final states that were stored, by place in the chain.
    ended: BTreeMap<String, String>,
}

const REFERENCES: [&str; 2] = ["mcr_1/bank", "mcr_2/bank"];
const AMOUNTS: [u64; 2] = [10_000, 700];
const MOODS: [&str; 8] = ["normal", "normal", "decline", "lost", "timeout", "down", "slow", "answerTwice"];

impl Chaos {
    async fn new(bytes: Vec<u8>) -> Chaos {
        let (Town { mut banking, wire }, account) = Town::linked().await;
        let tape = Arc::new(Tape { bytes: Mutex::new((bytes, 0)) });
        let inner = wire.clone();
        let flights = Arc::new(FaultyWire { inner, tape: tape.clone(), in_flight: Mutex::default() });
        banking.context.table = Arc::new(FaultyTable { inner: banking.twin.clone(), tape: tape.clone() });
        banking.context.egress = flights.clone();
        let banking = Arc::new(banking);
        Chaos {
            banking,
            wire,
            flights,
            tape,
            account,
            executors: Vec::new(),
            told: BTreeMap::new(),
            moved_at_unlinking: None,
            ended: BTreeMap::new(),
        }
    }

    fn terms(&self, order: usize) -> Value {
        match order {
            0 => recharge(&self.account, hana(), AMOUNTS[0]),
            _ => withdrawal(&self.account, hana(), AMOUNTS[1]),
        }
    }

    fn start_order(&mut self, order: usize) {
        let banking = self.banking.clone();
        let call = order_call(&banking, REFERENCES[order], self.terms(order));
        self.executors.push(Box::pin(async move {
            Done::Ordered(order, banking.call_with("requestFirmbanking", call).await)
        }));
    }

    fn start_inquiry(&mut self, sequence: usize) {
        let (banking, id) = (self.banking.clone(), self.account.clone());
        self.executors.push(Box::pin(async move {
            let body = json!({ "bankAccountId": id, "sequence": sequence });
            drop(banking.call("inquireFirmbanking", Caller::Platform, body).await);
            Done::Inquired
        }));
    }

    fn start_unlinking(&mut self) {
        let (banking, path) = (self.banking.clone(), format!("/v1/bank-accounts/{}", self.account));
        self.executors.push(Box::pin(async move {
            let request = Request::new("DELETE", &path).caller(hana(), "member");
            Done::Unlinked(banking.send(request).await)
        }));
    }

    /// Lets one executor go on to its next port call; answers whether there was one.
    async fn poll(&mut self, place: usize) -> bool {
        if self.executors.is_empty() {
            return false;
        }
        let place = place % self.executors.len();
        let polled = self.executors[place].as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(done) = polled {
            drop(self.executors.swap_remove(place));
            self.note(done).await;
        }
        true
    }

    async fn note(&mut self, done: Done) {
        match done {
            Done::Ordered(order, Ok(reply)) => {
                let state = reply.body["state"].as_str().unwrap().to_owned();
                if state == "succeeded" || state == "failed" {
                    assert_eq!(reply.status, 201);
                    self.told.entry(order).or_default().insert(state);
                } else {
                    assert_eq!(reply.status, 202);
                }
            }
            Done::Ordered(_, Err(problem)) => assert_eq!(problem.code, "temporarily_unavailable"),
            Done::Unlinked(answer) if answer.status == 204 => {
                let moved = self.wire.moves(HANA).await;
                assert_eq!(*self.moved_at_unlinking.get_or_insert(moved), moved);
            }
            Done::Unlinked(answer) => {
                let known = ["bank_account_in_use", "temporarily_unavailable"];
                assert!(known.contains(&answer.code()), "{}", answer.body);
            }
            Done::Inquired => {}
        }
    }

    async fn arrive(&mut self, place: usize) {
        let request = {
            let mut in_flight = self.flights.in_flight.lock().unwrap();
            if in_flight.is_empty() {
                return;
            }
            let place = place % in_flight.len();
            in_flight.swap_remove(place)
        };
        drop(self.wire.exchange(&request).await);
    }

    /// One step of the tape.
    async fn step(&mut self, choice: usize) {
        let next = self.tape.draw(256).unwrap_or(0);
        match choice {
            0 => self.start_order(next % 2),
            1 => self.start_inquiry(next % 3 + 1),
            2 if next.is_multiple_of(2) => self.start_unlinking(),
            3 if next.is_multiple_of(3) && !self.executors.is_empty() => {
                let place = next % self.executors.len();
                drop(self.executors.swap_remove(place));
            }
            4 => self.arrive(next).await,
            5 => self.banking.world.pass_seconds([1, 30, 700, 0][next % 4]),
            6 => self.wire.tell(HANA, MOODS[next % MOODS.len()], (next >= 128).then_some(1)).await,
            _ => drop(self.poll(next).await),
        }
        self.check_ends();
    }

    /// What has ended once stays as it ended.
    fn check_ends(&mut self) {
        for item in self.entries() {
            let (place, state) = (text(&item, "sk"), text(&item, "state"));
            if let Some(ended) = self.ended.get(&place) {
                assert_eq!(*ended, state, "what was final has changed");
            } else if state == "succeeded" || state == "failed" {
                self.ended.insert(place, state);
            }
        }
    }

    fn entries(&self) -> Vec<Item> {
        let items = self.banking.twin.items().into_iter();
        items.filter(|item| kind_of(item) == "firmbanking").collect()
    }

    /// The faults are over: those who still work come to their end, and the relay's messages do the rest.
    async fn converge(&mut self, finish: bool) {
        while finish && self.poll(0).await {}
        self.executors.clear();
        self.wire.tell(HANA, "normal", None).await;
        for _ in 0..20 {
            self.banking.relay().await.unwrap();
            for message in self.banking.world.take_queued() {
                self.banking.world.pass_seconds(i64::from(message.delay_seconds));
                assert_eq!(message.operation, "banking.inquireFirmbanking");
                self.banking.call("inquireFirmbanking", Caller::Platform, message.body).await.unwrap();
            }
            let is_final = |item: &Item| matches!(text(item, "state").as_str(), "succeeded" | "failed");
            if self.entries().iter().all(is_final) {
                self.banking.relay().await.unwrap();
                return;
            }
        }
        panic!("it never comes to an end: {:?}", self.entries());
    }

    /// Everything that was ever sent arrives, and what has failed is sent once more: nothing may change.
    async fn let_all_arrive(&mut self) {
        while !self.flights.in_flight.lock().unwrap().is_empty() {
            self.arrive(0).await;
        }
        for item in self.entries().iter().filter(|item| text(item, "state") == "failed") {
            let reason = text(item, "failureReason");
            if reason != "bank_account_not_found" {
                let (source, destination) = match text(item, "direction").as_str() {
                    "toCorporate" => (HANA, CORPORATE),
                    _ => (CORPORATE, HANA),
                };
                let AttributeValue::N(amount) = &item["amount"] else { panic!("no amount") };
                let amount = won(amount.parse().unwrap());
                let body = json!({ "source": source, "destination": destination, "amount": amount });
                let path = format!("/v1/transfers/{}", text(item, "transferId"));
                let answer = self.wire.ask("PUT", &path, Some(body)).await;
                assert_ne!(answer["state"], "done", "what has failed was done after all: {reason}");
            }
        }
    }

    async fn check(&mut self) {
        self.check_ends();
        let entries = self.entries();
        let mut expected = FIRST_BALANCE;
        let mut moved = 0;
        for (order, reference) in REFERENCES.iter().enumerate() {
            let ours: Vec<&Item> =
                entries.iter().filter(|item| text(item, "reference") == *reference).collect();
            assert!(ours.len() <= 1, "a reference has two firmbankings");
            let state = ours.first().map(|item| text(item, "state"));
            let told = self.told.get(&order).cloned().unwrap_or_default();
            assert!(told.iter().all(|told| Some(told) == state.as_ref()), "{told:?} was told of {state:?}");
            if state.as_deref() == Some("succeeded") {
                moved += 1;
                expected = if order == 0 { expected - AMOUNTS[0] } else { expected + AMOUNTS[1] };
            }
            let published = self.banking.world.published();
            let facts = published.iter().filter(|fact| fact.data["reference"] == **reference);
            let facts: BTreeSet<_> = facts.map(|fact| (fact.kind.clone(), fact.id.clone())).collect();
            assert_eq!(facts.len(), usize::from(state.is_some()), "{facts:?}");
            let kind = if state.as_deref() == Some("succeeded") { "Succeeded" } else { "Failed" };
            assert!(facts.iter().all(|(fact, _)| *fact == format!("banking.firmbanking{kind}.v1")));
        }
        assert_eq!(self.wire.balance(HANA).await, expected, "succeeded is not what the bank did");
        assert_eq!(self.wire.moves(HANA).await, moved);
        if let Some(before) = self.moved_at_unlinking {
            assert_eq!(before, moved, "an unlinked account was moved");
        }
    }
}

fn text(item: &Item, name: &str) -> String {
    match item.get(name) {
        Some(AttributeValue::S(text)) => text.clone(),
        _ => String::new(),
    }
}

async fn history(bytes: Vec<u8>, finish: bool) {
    let mut chaos = Chaos::new(bytes).await;
    chaos.start_order(0);
    while let Some(choice) = chaos.tape.draw(16) {
        chaos.step(choice).await;
    }
    chaos.converge(finish).await;
    chaos.let_all_arrive().await;
    chaos.check().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_firmbanking_ends_once_and_as_the_bank_says(bytes in prop::collection::vec(any::<u8>(), 0..700), finish: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(history(bytes, finish));
    }
}
