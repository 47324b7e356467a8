//! What stands around payment in these tests: money itself, and a franchise and a banking that say what they are told
//! to. Any call and any table may be made to fail.

use crate::{account, payer};
use async_trait::async_trait;
use contract::{
    Call, Caller, Context, Problem, Reference, Trace,
    peers::{GET_BALANCE_REQUEST, INCREASE_MONEY_REQUEST},
    ports::{Calls, DirectAnswer, DirectCall, Unanswered},
    testing::Bench,
};
use events::franchise::Franchise;
use kernel::{
    Timestamp,
    id::{FirmbankingId, FranchiseId, MembershipId},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};
use store::{CommitError, Item, Key, Page, Query, Read, Table, Unavailable, Write, twin::Twin};

/// What goes wrong at a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    Before,
    AnswerLost,
    Conflict,
    /// Somebody else makes the same commit, and ours meets it.
    Beaten,
    /// The answer is lost within the SDK, which asks again at once.
    Repeated,
    Stale,
}

/// The faults to come, taken one at each call; none when they are used up.
#[derive(Default)]
pub struct Plan(Mutex<std::vec::IntoIter<Fault>>);

impl Plan {
    pub fn of(faults: Vec<Fault>) -> Arc<Plan> {
        Arc::new(Plan(Mutex::new(faults.into_iter())))
    }

    fn next(&self) -> Fault {
        self.0.lock().unwrap().next().unwrap_or(Fault::None)
    }
}

/// Lets another task go on before each call, so that joined requests meet at every step, and fails as planned.
pub struct Trying {
    pub inner: Arc<Twin>,
    pub plan: Arc<Plan>,
}

#[async_trait]
impl Table for Trying {
    async fn get(&self, key: &Key, how: Read) -> Result<Option<Item>, Unavailable> {
        tokio::task::yield_now().await;
        match self.plan.next() {
            Fault::Before | Fault::AnswerLost => Err(Unavailable("fault".to_owned())),
            Fault::Stale if how == Read::Eventual => Ok(None),
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
            Fault::Beaten => {
                self.inner.commit(writes).await?;
                Err(CommitError::Contended)
            }
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

/// What the bank does with a recharge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bank {
    Does,
    Declines,
    SaysNothing,
}

/// The other services.
pub struct Services {
    money: OnceLock<Bench>,
    pub plan: Mutex<Arc<Plan>>,
    pub bank: Mutex<Bank>,
    pub franchises: Mutex<BTreeMap<FranchiseId, Franchise>>,
    /// Whether the payer has a linked account.
    pub is_linked: Mutex<bool>,
    /// Every call that was let through, by operation.
    pub asked: Mutex<Vec<DirectCall>>,
    /// What an operation is refused with, whatever is asked of it.
    pub refused: Mutex<BTreeMap<&'static str, Problem>>,
}

impl Services {
    /// Money on a twin of its own, and the others, by the clock of payment's bench.
    pub fn beside(bench: &Bench) -> (Arc<Services>, Arc<Twin>) {
        let services = Arc::new(Services {
            money: OnceLock::new(),
            plan: Mutex::default(),
            bank: Mutex::new(Bank::Does),
            franchises: Mutex::default(),
            is_linked: Mutex::new(true),
            asked: Mutex::default(),
            refused: Mutex::default(),
        });
        let money = Bench::new(&money::SERVICE);
        let twin = money.twin.clone();
        let table = Arc::new(Trying { inner: money.twin.clone(), plan: Arc::default() });
        let limits = json!({ "limits": {
            "walletCap": 1_000_000_000_u64, "rechargeEach": 900_000_000, "rechargePerDay": 900_000_000,
            "rechargePerMonth": 900_000_000, "transferEach": 2_000_000, "transferPerDay": 900_000_000,
            "transferPerMonth": 900_000_000,
        }});
        let settings = contract::Settings { config: limits, ..money.context.settings.clone() };
        let context = Context {
            table,
            calls: services.clone(),
            clock: bench.context.clock.clone(),
            settings,
            ..money.context
        };
        assert!(services.money.set(Bench { context, ..money }).is_ok());
        (services, twin)
    }

    fn now(&self) -> Timestamp {
        self.money.get().unwrap().context.clock.now()
    }

    async fn money(&self, call: &DirectCall) -> DirectAnswer {
        let name = call.operation.strip_prefix("money.").unwrap();
        let operation = money::SERVICE.operation(name).unwrap();
        let typed = Call {
            operation: call.operation.clone(),
            caller: Caller::Service(call.caller.clone()),
            on_behalf_of: call.on_behalf_of,
            idempotency_key: None,
            reference: call.reference.clone(),
            if_match: None,
            trace: Trace::parse(&call.traceparent).unwrap(),
            now: self.now(),
            fingerprint: store::seal::digest(&[&call.body.to_string()]),
            body: call.body.clone(),
        };
        match (operation.handle)(&self.money.get().unwrap().context, typed).await {
            Ok(reply) => DirectAnswer::Done(reply.body),
            Err(problem) => DirectAnswer::Refused(problem),
        }
    }

    fn bank(&self, call: &DirectCall) -> Value {
        let reference = call.reference.clone().unwrap();
        let mut answer = call.body.clone();
        answer["firmbankingId"] = json!(FirmbankingId::derive(&[&reference.id]));
        answer["state"] = json!(match *self.bank.lock().unwrap() {
            Bank::Does => "succeeded",
            Bank::Declines => "failed",
            Bank::SaysNothing => "unknown",
        });
        answer["requestedAt"] = json!(reference.birth);
        answer
    }

    /// Lets money go on with what was forgotten.
    pub async fn sweep(&self) {
        self.money.get().unwrap().sweep("sweepMoneyRequests").await.unwrap();
    }

    /// Calls money as another service would, without faults.
    pub async fn ask(
        &self,
        operation: &str,
        member: MembershipId,
        reference: Option<&str>,
        body: Value,
    ) -> Value {
        let call = DirectCall {
            operation: operation.to_owned(),
            caller: "test.test".to_owned(),
            on_behalf_of: Some(member),
            reference: reference.map(|id| Reference { id: id.to_owned(), birth: self.now() }),
            traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
            body,
        };
        match self.money(&call).await {
            DirectAnswer::Done(answer) => answer,
            DirectAnswer::Refused(problem) => panic!("{operation}: {problem:?}"),
        }
    }

    pub async fn recharge(&self, reference: &str, member: MembershipId, amount: u64) {
        let body = json!({ "bankAccountId": account(), "amount": crate::won(amount) });
        let answer = self.ask(INCREASE_MONEY_REQUEST.operation, member, Some(reference), body).await;
        assert_eq!(answer["state"], "succeeded", "{answer}");
    }

    pub async fn balance(&self, member: MembershipId) -> u64 {
        let body = json!({ "membershipId": member });
        let answer = self.ask(GET_BALANCE_REQUEST.operation, member, None, body).await;
        answer["balance"]["amount"].as_u64().unwrap()
    }

    /// How often an operation was called.
    pub fn count(&self, operation: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|call| call.operation == operation).count()
    }

    pub fn fail_as(&self, faults: Vec<Fault>) {
        *self.plan.lock().unwrap() = Plan::of(faults);
    }
}

#[async_trait]
impl Calls for Services {
    async fn invoke(&self, call: &DirectCall, _: u32) -> Result<DirectAnswer, Unanswered> {
        tokio::task::yield_now().await;
        // Only payment's own calls fail: what fails within money has tests of its own.
        let is_payments = call.caller.starts_with("payment.");
        let plan = self.plan.lock().unwrap().clone();
        let fault = if is_payments { plan.next() } else { Fault::None };
        if fault == Fault::Before {
            return Err(Unanswered("fault".to_owned()));
        }
        self.asked.lock().unwrap().push(call.clone());
        if let Some(problem) = self.refused.lock().unwrap().get(call.operation.as_str()) {
            return Ok(DirectAnswer::Refused(problem.clone()));
        }
        let answer = match call.operation.as_str() {
            "banking.requestFirmbanking" => DirectAnswer::Done(self.bank(call)),
            "banking.findRechargeAccount" => {
                assert_eq!(call.on_behalf_of, Some(payer()));
                let known = self.is_linked.lock().unwrap().then(account);
                let answer = known.map_or(json!({}), |account| json!({ "bankAccountId": account }));
                DirectAnswer::Done(answer)
            }
            "franchise.findFranchiseTerms" => {
                let id: FranchiseId = serde_json::from_value(call.body["franchiseId"].clone()).unwrap();
                let known = self.franchises.lock().unwrap().get(&id).cloned();
                DirectAnswer::Done(known.map_or(json!({}), |known| json!({ "franchise": known })))
            }
            _ => self.money(call).await,
        };
        if fault == Fault::AnswerLost { Err(Unanswered("fault".to_owned())) } else { Ok(answer) }
    }
}
