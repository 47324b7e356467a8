//! The recharge saga with a fault at any call: it converges, and the wallet holds exactly what the bank moved.
//!
//! Executors of the same and of other recharges run at once; table and banking die before a call, lose its answer,
//! conflict, or read stale and gapped pages. Afterwards the faults stop and the sweeper runs until all is final.

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
    Caller, Context,
    ports::{Calls, DirectAnswer, DirectCall, Unanswered},
    testing::{Bench, Request},
};
use kernel::{Id, id::MembershipId};
use money::{domain::Entry, items::MoneyRequest};
use proptest::prelude::*;
use serde_json::json;
use std::{
    collections::BTreeMap,
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
    Stale,
    Gap,
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let one = prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::Before),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Conflict),
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
            _ => self.inner.commit(writes).await,
        }
    }
}

/// Banking as money sees it: each reference has one outcome, which is unknown for a while.
struct Banking {
    plan: Arc<Plan>,
    declines: bool,
    orders: Mutex<BTreeMap<String, (u64, u32)>>,
    /// After the history: no faults any more, and everything is certain at once.
    is_certain: Mutex<bool>,
}

impl Banking {
    /// What the bank has moved in all, in won.
    fn moved(&self) -> u64 {
        let orders = self.orders.lock().unwrap();
        orders
            .iter()
            .filter(|(reference, _)| !self.is_declined(reference))
            .map(|(_, (amount, _))| amount)
            .sum()
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
        let amount = call.body["amount"]["amount"].as_u64().unwrap();
        let asked = {
            let mut orders = self.orders.lock().unwrap();
            let order = orders.entry(reference.id.clone()).or_insert((amount, 0));
            assert_eq!(order.0, amount, "a reference has one amount");
            order.1 += 1;
            order.1
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

fn increase(key: u32) -> Request {
    Request::new("POST", "/v1/money/increases").caller(member(), "member").key(&key.to_string()).json(
        &json!({
            "bankAccountId": kernel::id::BankAccountId::derive(&["account"]),
            "amount": { "amount": 1_000 + key, "currency": "KRW" },
        }),
    )
}

/// Runs a history of recharges under faults, then lets the system come to rest; answers what is left in the table.
async fn run(plan: Vec<Fault>, keys: Vec<u32>, declines: bool) -> (Vec<Entry>, Vec<MoneyRequest>, u64) {
    let mut bench = Bench::new(&money::SERVICE);
    let plan = Arc::new(Plan(Mutex::new(plan.into_iter())));
    let banking = Arc::new(Banking {
        plan: plan.clone(),
        declines,
        orders: Mutex::default(),
        is_certain: Mutex::new(false),
    });
    let calm: Context = Context { calls: banking.clone(), ..bench.context.clone() };
    bench.context =
        Context { table: Arc::new(FaultyTable { inner: bench.twin.clone(), plan }), ..calm.clone() };
    for pair in keys.chunks(2) {
        match pair {
            [one, two] => drop(tokio::join!(bench.send(increase(*one)), bench.send(increase(*two)))),
            one => drop(bench.send(increase(one[0])).await),
        }
        bench.world.pass_seconds(21);
        // The sweeper meddles while requests are still being made.
        drop(bench.call("sweepMoneyRequests", Caller::Platform, json!({})).await);
    }
    bench.context = calm;
    *banking.is_certain.lock().unwrap() = true;
    bench.world.pass_seconds(3_600);
    bench.call("sweepMoneyRequests", Caller::Platform, json!({})).await.unwrap();
    let items = bench.twin.items();
    let of_kind = |kind: &'static str| items.iter().filter(move |item| kind_of(item) == kind).cloned();
    let entries = of_kind(Entry::KIND).map(|item| read(item).unwrap()).collect();
    let records = of_kind(MoneyRequest::KIND).map(|item| read(item).unwrap()).collect();
    (entries, records, banking.moved())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_wallet_holds_exactly_what_the_bank_moved(
        plan in faults(),
        keys in prop::collection::vec(0..4_u32, 1..7),
        declines: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (entries, records, moved) = runtime.block_on(run(plan, keys, declines));
        for record in &records {
            prop_assert!(record.is_final(), "{record:?} never ended");
        }
        for pair in entries.windows(2) {
            prop_assert!(pair[0].is_followed_by(&pair[1]), "the chain is broken");
        }
        let balance = entries.last().map_or(0, |tip| tip.standing.balance.amount());
        let expected = entries.last().map_or(0, |tip| tip.standing.expected.amount());
        prop_assert_eq!((balance, expected), (moved, 0));
    }
}
