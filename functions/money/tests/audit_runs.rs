//! auditLedger over more than one run has time for: chains of thousands of entries, and thousands of wallets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

use async_trait::async_trait;
use contract::{
    Caller, Reference,
    ports::{DirectAnswer, DirectCall, Unanswered},
    sweeping::Sweeping,
    testing::Bench,
};
use kernel::{
    Id, Money, Timestamp,
    id::{MembershipId, MoneyRequestId, WalletId},
};
use money::{
    domain::{Chain, Decision, Entry, Limits, Order, Step, decide},
    items::{MoneyRequest, entry_key},
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use store::{
    CommitError, Condition, Item, Key, Page, Query, Read, Record, Table, Unavailable, Write, twin::Twin,
};

/// What one run may ask the table, with what the last entry's own questions may add.
const MOST_ASKED: u32 = 1_050;
const RECHARGED: u32 = 1_000_000;

/// A table that counts the questions.
struct Counted {
    inner: Arc<Twin>,
    asked: AtomicU32,
}

#[async_trait]
impl Table for Counted {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.inner.get(key, read).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.inner.query(query).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        self.inner.commit(writes).await
    }
}

struct Ledger {
    bench: Bench,
    table: Arc<Counted>,
}

/// What an audit has come to.
struct Audited {
    runs: usize,
    body: Value,
}

impl Audited {
    fn found(&self) -> Vec<(&str, &str)> {
        let findings = self.body["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|finding| (finding["rule"].as_str().unwrap(), finding["subject"].as_str().unwrap()))
            .collect()
    }
}

fn member(name: &str) -> MembershipId {
    Id::derive(&[name])
}

fn began() -> Timestamp {
    events::example_time()
}

impl Ledger {
    fn new(booked: u32) -> Ledger {
        let mut bench = Bench::new(&money::SERVICE);
        let table = Arc::new(Counted { inner: bench.twin.clone(), asked: AtomicU32::new(0) });
        bench.context.table = table.clone();
        bench.world.answer_calls(move |call| answer(call, booked));
        bench.world.pass_seconds(40_000);
        Ledger { bench, table }
    }

    async fn put(&self, records: &[impl Record]) {
        for some in records.chunks(50) {
            let writes: Vec<_> =
                some.iter().map(|record| Write::put(record, Condition::Always).unwrap()).collect();
            self.bench.twin.commit(&writes).await.unwrap();
        }
    }

    async fn entry(&self, owner: &str, sequence: u64) -> Entry {
        let key = entry_key(WalletId::of(member(owner)), sequence);
        store::read(self.bench.twin.get(&key, Read::Consistent).await.unwrap().unwrap()).unwrap()
    }

    async fn run(&self, caller: Caller, body: Value) -> Value {
        self.table.asked.store(0, Ordering::SeqCst);
        let answer = self.bench.call("auditLedger", caller, body).await.unwrap().body;
        let asked = self.table.asked.load(Ordering::SeqCst);
        assert!(asked <= MOST_ASKED, "one run has asked the table {asked} times");
        answer
    }

    async fn audit(&self) -> Audited {
        let mut body = json!({ "slackSeconds": 0 });
        for runs in 1..100 {
            let answer = self.run(Caller::Service("operations".to_owned()), body).await;
            if answer["next"].is_null() {
                return Audited { runs, body: answer };
            }
            let bytes = answer["next"].to_string().len();
            assert!(bytes < 100_000, "{bytes} bytes do not fit into a message with all that is found");
            body = json!({ "next": answer["next"] });
        }
        panic!("the audit comes to no end")
    }
}

fn answer(call: &DirectCall, booked: u32) -> Result<DirectAnswer, Unanswered> {
    let sums = match call.operation.as_str() {
        "banking.getCorporateBalance" => {
            return Ok(DirectAnswer::Done(json!({ "balance": { "amount": booked, "currency": "KRW" } })));
        }
        "banking.auditBanking" => json!({ "banking.forSagas": booked }),
        _ => json!({}),
    };
    Ok(DirectAnswer::Done(json!({ "checked": 1, "findings": [], "sums": sums })))
}

/// A wallet's chain as it grows; only its newest entries are kept to decide on.
struct Grown {
    chain: Chain,
    entries: Vec<Entry>,
}

impl Grown {
    fn of(owner: &str) -> Grown {
        let owner = member(owner);
        let chain = Chain { wallet_id: WalletId::of(owner), owner, entries: Vec::new() };
        Grown { chain, entries: Vec::new() }
    }

    fn take(&mut self, step: Step, reference: &str, second: i64) {
        self.take_born(step, reference, second, second);
    }

    fn take_born(&mut self, step: Step, reference: &str, born: i64, second: i64) {
        let (birth, now) = (began().plus_seconds(born), began().plus_seconds(second));
        let reference = Reference { id: reference.to_owned(), birth };
        let traceparent = events::EXAMPLE_TRACEPARENT.to_owned();
        let order = Order { step, reference, expires_at: None, traceparent };
        let limits =
            Limits { transfer_per_day: Money::MAX, transfer_per_month: Money::MAX, ..Limits::default() };
        let Decision::Append(entry) = decide(&self.chain, &order, &limits, now).unwrap() else {
            panic!("{step:?} is not taken");
        };
        self.entries.push(entry.clone());
        self.chain.push(entry);
        // A hold is looked for when it is closed.
        self.chain.entries.truncate(600);
    }
}

/// A recharge of all that is spent: its request, and its entries.
fn recharge(grown: &mut Grown) -> MoneyRequest {
    let id: MoneyRequestId = Id::derive(&["recharge"]);
    grown.take(Step::Open, "open", 0);
    grown.take(Step::Expect(Money::won(RECHARGED)), &format!("{id}/expect"), 0);
    grown.take(Step::Recharge(Money::won(RECHARGED)), &format!("{id}/close"), 0);
    let body = json!({
        "moneyRequestId": id, "membershipId": grown.chain.owner, "direction": "recharge",
        "bankAccountId": kernel::id::BankAccountId::derive(&["a"]), "amount": RECHARGED,
        "requestedAt": began(), "fingerprint": "", "byEvent": false, "state": "succeeded",
        "balanceAfter": RECHARGED, "completedAt": began(), "version": 2, "attempts": 0,
        "leasedUntil": began(), "traceparent": events::EXAMPLE_TRACEPARENT,
    });
    serde_json::from_value(body).unwrap()
}

/// Hana recharges and sends 1 600 times one won, with a hold over 500 of them.
async fn long() -> Ledger {
    let ledger = Ledger::new(RECHARGED);
    let (mut hana, mut dul) = (Grown::of("hana"), Grown::of("dul"));
    let request = recharge(&mut hana);
    dul.take(Step::Open, "open", 0);
    for number in 0..1_600 {
        let reference = format!("move_{number}");
        let second = i64::from(number);
        match number {
            600 => hana.take(Step::Hold(Money::won(700)), "long/hold", second),
            1_100 => hana.take_born(Step::ReleaseHold, "long/hold/close", 600, second),
            _ => {}
        }
        hana.take(Step::Send(Money::won(1), dul.chain.wallet_id), &reference, second);
        dul.take(Step::Receive(Money::won(1), hana.chain.wallet_id), &reference, second);
        let (sent, received) = (hana.entries.last().unwrap().sequence, dul.entries.last().unwrap().sequence);
        // The hash of an entry is taken when the next one is decided.
        for (grown, counterpart) in [(&mut hana, received), (&mut dul, sent)] {
            grown.entries.last_mut().unwrap().counterpart = Some(counterpart);
            grown.chain.entries[0].counterpart = Some(counterpart);
        }
    }
    ledger.put(&[request]).await;
    ledger.put(&hana.entries).await;
    ledger.put(&dul.entries).await;
    ledger
}

#[tokio::test]
async fn a_chain_far_longer_than_one_run_is_walked_to_its_end() {
    let ledger = long().await;
    let audited = ledger.audit().await;
    assert_eq!(audited.found(), []);
    assert_eq!(audited.body["sums"]["ledger.wallets"], RECHARGED);
    assert_eq!(audited.body["sums"]["open.held"], 0);
    // Every item of money's, and one of each of the six other services.
    assert_eq!(audited.body["checked"], 1 + 1_605 + 1_601 + 6);
    assert_eq!(audited.runs, 1 + 2 + 6, "the chain alone is more than one run");
}

/// What a run hands over is what the next one holds entries to.
#[tokio::test]
async fn what_is_wrong_far_down_a_chain_is_found_once_and_nothing_else_is() {
    let ledger = long().await;
    let wallet = WalletId::of(member("hana"));
    let mut entry = ledger.entry("hana", 1_605).await;
    entry.standing.balance = Money::won(1);
    ledger.put(&[entry]).await;
    let audited = ledger.audit().await;
    assert_eq!(
        audited.found(),
        [("wrong_balance", format!("{wallet}/1605").as_str()), ("accounts_do_not_sum_to_zero", "ledger")]
    );
}

/// The append reads back to the birth of a step, and the audit no less, however many entries lie between.
#[tokio::test]
async fn a_reference_that_is_repeated_since_its_birth_is_found_however_far_back() {
    let ledger = long().await;
    let wallet = WalletId::of(member("hana"));
    // The last entry of all, so that no hash is broken: born before the one whose reference it repeats.
    let entry = ledger.entry("hana", 1_605).await;
    let repeated = ledger.entry("hana", 1_000).await;
    let twice = Entry { reference: repeated.reference.clone(), birth: repeated.birth, ..entry.clone() };
    ledger.put(std::slice::from_ref(&twice)).await;
    let subject = format!("{wallet}/1605");
    let found = ledger.audit().await;
    assert!(found.found().contains(&("reference_twice", subject.as_str())), "{:?}", found.found());
    // An append of a later birth would not have looked there.
    ledger.put(&[Entry { birth: entry.birth, ..twice }]).await;
    let found = ledger.audit().await;
    assert!(!found.found().contains(&("reference_twice", subject.as_str())), "{:?}", found.found());
}

#[tokio::test]
async fn thousands_of_wallets_are_more_than_one_run() {
    let ledger = Ledger::new(0);
    let mut entries = Vec::new();
    for number in 0..2_500 {
        let mut grown = Grown::of(&number.to_string());
        grown.take(Step::Open, "open", 0);
        entries.append(&mut grown.entries);
    }
    let last = entries.iter().max_by_key(|entry| entry.wallet_id.to_string()).unwrap().clone();
    ledger.put(&entries).await;
    let audited = ledger.audit().await;
    assert_eq!((audited.found(), &audited.body["checked"]), (vec![], &json!(2_500 + 6)));
    assert_eq!(audited.runs, 1 + 3 + 6);
    let subject = format!("{}/1", last.wallet_id);
    ledger.put(&[Entry { previous: "another".to_owned(), ..last }]).await;
    assert_eq!(ledger.audit().await.found(), [("broken_hash", subject.as_str())]);
}

/// The schedule's audit goes on by messages, and no other begins as long as it does.
#[tokio::test]
async fn one_scheduled_audit_goes_on_at_a_time() {
    let ledger = Ledger::new(0);
    let begin = || ledger.run(Caller::Platform, json!({}));
    let next = || ledger.bench.world.take_queued().pop().map(|message| message.body);
    begin().await;
    let mut message = next().unwrap();
    // It waits for the slowest clock, and is alive for a quarter of an hour after that.
    for seconds in [0, 1_199] {
        ledger.bench.world.pass_seconds(seconds);
        begin().await;
        assert_eq!(next(), None, "another audit has begun");
    }
    // A person's audit neither waits nor is waited for.
    assert_eq!(ledger.audit().await.found(), []);
    begin().await;
    assert_eq!(next(), None, "a person's audit has ended the schedule's");
    loop {
        ledger.run(Caller::Platform, message).await;
        match next() {
            Some(next) => message = next,
            None => break,
        }
    }
    let note = Sweeping::key_of("money.auditLedger");
    assert_eq!(ledger.bench.twin.get(&note, Read::Consistent).await.unwrap(), None, "it has ended");
    begin().await;
    assert!(next().is_some());
    // One that died is not waited for.
    ledger.bench.world.pass_seconds(1_200);
    begin().await;
    assert!(next().is_some());
}
