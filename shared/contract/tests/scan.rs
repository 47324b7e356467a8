//! A scan over more than one run can read: every item once, each run where the one before ended, and one at a time.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails should fail loudly")]

use async_trait::async_trait;
use contract::{
    Api, Call, Caller, Service,
    outbox::{self, FactsRead, KeyName, Later, Outbox, ReadFacts, Republish, Republished, Scan},
    sweeping::{self, Sweeping},
    testing::{Bench, Log},
};
use events::{Envelope, Fact, payment::PaymentApproved};
use std::sync::Arc;
use store::{
    AttributeValue, CommitError, Condition, Item, Key, Page, Query, Read, Record, Table, Unavailable,
    Unreadable, Write, twin::Twin,
};

static SERVICE: Service =
    Service { name: "large", summary: "", api: Api::Pay, indexes: &[], records: &[], operations: &[] };

/// Three of these make a page of 1 MB.
const ITEM_BYTES: usize = 390_000;

async fn put(bench: &Bench, number: usize) {
    let mut item = Item::default();
    item.insert("pk".to_owned(), AttributeValue::S(format!("item {number}")));
    item.insert("sk".to_owned(), AttributeValue::S("large".to_owned()));
    item.insert("text".to_owned(), AttributeValue::S("x".repeat(ITEM_BYTES)));
    bench.context.table.commit(&[Write::Put(item, Condition::Absent)]).await.unwrap();
}

#[tokio::test]
async fn runs_follow_on_each_other_and_end_at_the_end() {
    let bench = Bench::new(&SERVICE);
    for number in 0..40 {
        put(&bench, number).await;
    }
    let (mut seen, mut runs) = (Vec::new(), 0);
    let mut after: Option<KeyName> = None;
    loop {
        runs += 1;
        let mut scan = Scan::after(after.as_ref());
        while let Some(items) = scan.page(&bench.context).await.unwrap() {
            seen.extend(items.iter().map(|item| KeyName::of(item).partition));
        }
        scan.go_on(&bench.context, "large.sweep", &bench.trace()).await.unwrap();
        let messages = bench.world.take_queued();
        let Some(message) = messages.first() else { break };
        assert_eq!((messages.len(), message.operation.as_str()), (1, "large.sweep"));
        after = serde_json::from_value(message.body["after"].clone()).unwrap();
    }
    assert!(runs > 1, "one run has read everything");
    // The note of the sweep itself may lie where the scan has still to come.
    seen.retain(|name| name != "sweep#large.sweep");
    seen.sort();
    let mut all: Vec<_> = (0..40).map(|number| format!("item {number}")).collect();
    all.sort();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn an_empty_table_is_one_page_and_no_message() {
    let bench = Bench::new(&SERVICE);
    let mut scan = Scan::after(None);
    assert_eq!(scan.page(&bench.context).await.unwrap().as_deref(), Some([].as_slice()));
    assert_eq!(scan.page(&bench.context).await.unwrap(), None);
    scan.go_on(&bench.context, "large.sweep", &bench.trace()).await.unwrap();
    assert_eq!(bench.world.take_queued(), vec![]);
}

const SWEEP: &str = "large.sweep";

/// A run of the sweep, from a place on; answers where the next one begins, or that none was begun.
async fn sweep(bench: &Bench, after: Option<&KeyName>) -> Option<KeyName> {
    let call = call(bench, ());
    outbox::sweep(&bench.context, &call, &OUTBOX, SWEEP, after).await.unwrap();
    let message = bench.world.take_queued().pop()?;
    assert_eq!(message.operation, SWEEP);
    Some(serde_json::from_value(message.body["after"].clone()).unwrap())
}

fn call<I>(bench: &Bench, body: I) -> Call<I> {
    Call {
        operation: SWEEP.to_owned(),
        caller: Caller::Platform,
        on_behalf_of: None,
        idempotency_key: None,
        reference: None,
        if_match: None,
        trace: bench.trace(),
        now: bench.context.clock.now(),
        fingerprint: String::new(),
        body,
    }
}

async fn note(bench: &Bench) -> Option<Item> {
    bench.twin.get(&Sweeping::key_of(SWEEP), Read::Consistent).await.unwrap()
}

#[tokio::test]
async fn one_sweep_goes_on_at_a_time_and_one_that_has_died_is_not_waited_for() {
    let bench = Bench::new(&SERVICE);
    for number in 0..40 {
        put(&bench, number).await;
    }
    let second = sweep(&bench, None).await.unwrap();
    assert_eq!(sweep(&bench, None).await, None, "another one has begun");
    // Each run is a sign of life for a quarter of an hour.
    bench.world.pass_seconds(899);
    let third = sweep(&bench, Some(&second)).await.unwrap();
    bench.world.pass_seconds(899);
    assert_eq!(sweep(&bench, None).await, None, "another one has begun");
    let mut after = third;
    while let Some(next) = sweep(&bench, Some(&after)).await {
        after = next;
    }
    assert_eq!(note(&bench).await, None, "it has ended");
    assert!(sweep(&bench, None).await.is_some());
    bench.world.pass_seconds(899);
    assert_eq!(sweep(&bench, None).await, None, "another one has begun");
    bench.world.pass_seconds(1);
    assert!(sweep(&bench, None).await.is_some(), "the one before died a quarter of an hour ago");
}

/// A small table costs one look, and nothing is left that could be in anybody's way.
#[tokio::test]
async fn a_sweep_that_ends_in_its_first_run_notes_nothing() {
    let bench = Bench::new(&SERVICE);
    put(&bench, 1).await;
    assert_eq!(sweep(&bench, None).await, None);
    assert_eq!((bench.twin.items().len(), note(&bench).await), (1, None));
}

/// A table that takes no commit.
struct Full(Arc<Twin>);

#[async_trait]
impl Table for Full {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        self.0.get(key, read).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        self.0.query(query).await
    }

    async fn commit(&self, _: &[Write]) -> Result<(), CommitError> {
        Err(Unavailable("full".to_owned()).into())
    }
}

/// A run that failed after its message would send it again, and be two sweeps from then on.
#[tokio::test]
async fn a_sweep_goes_on_even_if_it_cannot_note_so() {
    let mut bench = Bench::new(&SERVICE);
    for number in 0..40 {
        put(&bench, number).await;
    }
    bench.context.table = Arc::new(Full(bench.twin.clone()));
    assert!(sweep(&bench, None).await.is_some());
    assert!(sweep(&bench, None).await.is_some(), "what is not noted is not waited for");
    sweeping::ends(&bench.context, SWEEP).await;
}

/// Signs of life may come out of order: none makes it shorter.
#[tokio::test]
async fn a_late_sign_of_life_takes_nothing_back() {
    let bench = Bench::new(&SERVICE);
    sweeping::goes_on(&bench.context, SWEEP, 300).await.unwrap();
    let longest = note(&bench).await;
    sweeping::goes_on(&bench.context, SWEEP, 0).await.unwrap();
    assert_eq!(note(&bench).await, longest);
    let noted: Sweeping = store::read(longest.unwrap()).unwrap();
    assert_eq!(noted.alive_until, events::example_time().plus_seconds(1_200));
    assert_eq!(noted.key(), Sweeping::key_of(SWEEP));
}

/// Every item states a fact, but for those without a text.
fn facts(item: &Item) -> Result<Vec<Envelope>, Unreadable> {
    if !item.contains_key("text") {
        return Err(store::read::<Sweeping>(item.clone()).unwrap_err());
    }
    let id = KeyName::of(item).partition;
    Ok(vec![Envelope::of(
        &PaymentApproved::example(),
        &id,
        events::example_time(),
        events::EXAMPLE_TRACEPARENT,
    )])
}

fn unfinished(_: &Item) -> Result<Option<Later>, Unreadable> {
    Ok(None)
}

const OUTBOX: Outbox = Outbox { facts, unfinished, republish: "large.republish" };

/// Three items, of which the one in the middle cannot be read.
async fn damaged() -> Bench {
    let bench = Bench::new(&SERVICE);
    for number in 1..4 {
        put(&bench, number).await;
    }
    let mut item = Item::default();
    item.insert("pk".to_owned(), AttributeValue::S("item 2".to_owned()));
    item.insert("sk".to_owned(), AttributeValue::S("large".to_owned()));
    bench.context.table.commit(&[Write::Put(item, Condition::Always)]).await.unwrap();
    bench
}

#[tokio::test]
async fn what_cannot_be_read_holds_up_nobody_behind_it_and_is_counted() {
    let bench = damaged().await;
    let log = Log::default();
    {
        let _open = log.open();
        let reply =
            outbox::republish(&bench.context, call(&bench, Republish::default()), &OUTBOX).await.unwrap();
        assert_eq!(reply.body, Republished { published: 2, skipped: 1, after: None });
        let reply =
            outbox::read_facts(&bench.context, call(&bench, ReadFacts::default()), &OUTBOX).await.unwrap();
        let FactsRead { facts, skipped, after } = reply.body;
        assert_eq!((facts.len(), skipped, after), (2, 1, None));
    }
    assert_eq!(bench.world.published().len(), 2);
    let lines = log.lines();
    let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 2, "each says so: {lines:?}");
}

/// Its message comes again, and waits among the dead letters until the item can be read.
#[tokio::test]
async fn an_item_that_is_asked_for_by_its_key_and_cannot_be_read_fails_the_call_after_all_others() {
    let bench = damaged().await;
    let key = |number| KeyName { partition: format!("item {number}"), sort: "large".to_owned() };
    let keys = Some(vec![key(1), key(2), key(3)]);
    let asked = call(&bench, Republish { keys, ..Republish::default() });
    let problem = outbox::republish(&bench.context, asked, &OUTBOX).await.unwrap_err();
    assert_eq!(problem.status, 500);
    assert_eq!(bench.world.published().len(), 2);
}
