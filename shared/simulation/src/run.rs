//! One run of an operation: the ports that it is given, each a place where a fault may strike.

use crate::{
    agenda::TaskId,
    faults::{Call, Fault, Port, Site, Use},
    mix,
    random::{Dice, Stream},
    world::{AUDIENCE, BANK, ISSUER, ServiceTable, World, at_once, commit, lock},
};
use async_trait::async_trait;
use contract::{
    Context, Grant, Operation, Service, Settings, Trace, http,
    ports::{
        Bus, Calls, Clock, DirectAnswer, DirectCall, Egress, Entropy, Execution, Incoming, Outgoing, Queues,
        SecretText, Secrets, Stage, Unanswered, Workflows,
    },
};
use events::Envelope;
use futures_channel::oneshot::Receiver;
use futures_util::future::{Either, select};
use kernel::Timestamp;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};
use store::{
    CommitError, Condition, Item, Key, Page, Query, Read, Scope, Table, Unavailable, Write, twin::Twin,
};

/// A run: one process for the time of one invocation.
pub struct Run {
    /// Where.
    pub world: Arc<World>,
    /// The operation's service.
    pub service: &'static Service,
    /// The operation.
    pub operation: &'static Operation,
    /// Its task, by which it dies.
    pub task: TaskId,
    table: Arc<ServiceTable>,
    dice: Mutex<Dice>,
    entropy: Mutex<Dice>,
    counts: Mutex<BTreeMap<Port, u32>>,
    skew_ms: AtomicI64,
}

/// A text as a number, the same in every build (FNV-1a).
pub fn number_of(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

impl Run {
    /// The next run of an operation.
    pub fn new(
        world: &Arc<World>,
        service: &'static Service,
        operation: &'static Operation,
        task: TaskId,
    ) -> Arc<Run> {
        let which = number_of(operation.name);
        let (number, skewed) = {
            let mut state = world.state();
            let number = state.runs.entry(operation.name).or_default();
            *number += 1;
            (*number, state.skewed)
        };
        let mut dice = Dice::new(world.seed, Stream::Run(which, number));
        let skew_ms = match dice.below(20) {
            _ if !skewed || is_bank(service) => 0,
            0 => dice.between(-90_000, 90_000),
            1..5 => dice.between(-2_000, 2_000),
            _ => dice.between(-50, 50),
        };
        Arc::new(Run {
            world: world.clone(),
            service,
            operation,
            task,
            table: world.table(service.name),
            entropy: Mutex::new(Dice::new(world.seed, Stream::Entropy(which, number))),
            dice: Mutex::new(dice),
            counts: Mutex::default(),
            skew_ms: AtomicI64::new(skew_ms),
        })
    }

    /// Everything that the operation may reach.
    pub fn context(self: &Arc<Run>) -> Context {
        let config = self.world.state().config.get(self.service.name).cloned().unwrap_or_default();
        let publishes = |grant: &Grant| matches!(grant, Grant::Publish | Grant::ScanTable);
        let publishes = self.operation.grants.iter().any(publishes);
        let facts = events::ALL.iter().filter(|_| publishes);
        Context {
            table: self.clone(),
            calls: self.clone(),
            bus: self.clone(),
            queues: self.clone(),
            workflows: self.clone(),
            secrets: self.clone(),
            egress: self.clone(),
            clock: self.clone(),
            entropy: self.clone(),
            settings: Settings {
                issuer: ISSUER.to_owned(),
                audience: AUDIENCE.to_owned(),
                bank_endpoint: BANK.to_owned(),
                published: facts.map(|fact| fact.name.to_owned()).collect(),
                config,
            },
        }
    }

    /// Makes a call, which a fault may strike. The bank is another company's: its inside is not ours to break.
    fn strike(&self, port: Port) -> Call {
        let nth = {
            let mut counts = lock(&self.counts);
            let count = counts.entry(port).or_default();
            *count += 1;
            *count
        };
        let site = Site::new(self.service.name, self.operation.name, port, nth);
        if is_bank(self.service) {
            return Call { site, number: 0, fault: None };
        }
        self.world.strike(site, &mut lock(&self.dice))
    }

    /// A call begins: it takes a moment to arrive, if the process lives so long.
    async fn call(&self, port: Port) -> Call {
        let call = self.strike(port);
        if call.fault == Some(Fault::DiesBefore) {
            self.die().await;
        }
        self.travel().await;
        call
    }

    /// This fault would change something at this call.
    fn matters(&self, call: &Call, fault: Fault) {
        if !is_bank(self.service) {
            self.world.matters(call, fault);
        }
    }

    /// A call's answer comes back, if the process still lives.
    async fn answered(&self, fault: Option<Fault>) {
        self.travel().await;
        if fault == Some(Fault::DiesAfter) {
            self.die().await;
        }
    }

    /// The operation does what one of its grants allows. What none allows, AWS would refuse.
    fn uses(&self, what: &str, allows: impl Fn(&Grant) -> Option<Use>) {
        let Operation { name, grants, .. } = self.operation;
        let granted = grants.iter().find_map(allows);
        let what = granted.unwrap_or_else(|| panic!("{}.{name} is not granted {what}", self.service.name));
        self.world.used(self.service, self.operation, what);
    }

    /// An item as the other version of the service would have left it, while a deployment is at work.
    fn in_some_version(&self, item: &mut Item) {
        if self.world.state().are_versions_mixed && lock(&self.dice).chance(5_000) {
            crate::versions::extend_item(item);
            self.world.happened(mix::ITEM_OF_ANOTHER_VERSION);
        }
    }

    async fn travel(&self) {
        let millis = lock(&self.dice).between(0, 12);
        self.world.agenda.sleep(millis).await;
    }

    async fn wait(&self, first_ms: i64, last_ms: i64) {
        let millis = lock(&self.dice).between(first_ms, last_ms);
        self.world.agenda.sleep(millis).await;
    }

    async fn die(&self) {
        self.world.agenda.kill(self.task);
        pending::<()>().await;
    }

    /// The places of those of so many that are left out: one at least.
    fn left_out(&self, all: usize) -> Vec<usize> {
        let mut dice = lock(&self.dice);
        let places: Vec<usize> = (0..all).collect();
        let first = dice.pick(&places).copied();
        places.into_iter().filter(|place| Some(*place) == first || dice.chance(5_000)).collect()
    }

    fn notice_changes(&self) {
        let now_ms = self.world.agenda.now_ms();
        for shard in self.table.take_changes(now_ms) {
            crate::platform::read_stream(&self.world, self.service, shard);
        }
    }
}

fn is_bank(service: &Service) -> bool {
    service.api == contract::Api::Bank
}

fn writes_secret(grant: &Grant, name: &str) -> Option<Use> {
    match grant {
        Grant::WriteSecret(known) if *known == name => Some(Use::WritesSecret(known)),
        _ => None,
    }
}

fn unanswered() -> Unanswered {
    Unanswered("simulated".to_owned())
}

fn unavailable() -> Unavailable {
    Unavailable("simulated".to_owned())
}

#[async_trait]
impl Table for Run {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        self.uses("its table", |grant| (*grant == Grant::ReadTable).then_some(Use::ReadsTable));
        let port = if read == Read::Eventual { Port::GetEventually } else { Port::Get };
        let call = self.call(port).await;
        if call.fault == Some(Fault::Throttled) {
            return Err(unavailable());
        }
        let mut item = self.see(&call, |twin| at_once(twin.get(key, read)))?;
        self.answered(call.fault).await;
        item.iter_mut().for_each(|item| self.in_some_version(item));
        Ok(item)
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        if query.scope == Scope::Everything {
            self.uses("a scan", |grant| (*grant == Grant::ScanTable).then_some(Use::ScansTable));
        } else {
            self.uses("its table", |grant| (*grant == Grant::ReadTable).then_some(Use::ReadsTable));
        }
        let eventual = query.read == Read::Eventual || matches!(query.scope, Scope::Index(_, _));
        let call = self.call(if eventual { Port::QueryEventually } else { Port::Query }).await;
        if call.fault == Some(Fault::Throttled) {
            return Err(unavailable());
        }
        let mut page = self.see(&call, |twin| at_once(twin.query(query)))?;
        self.answered(call.fault).await;
        page.items.iter_mut().for_each(|item| self.in_some_version(item));
        Ok(page)
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        self.uses("writes", |grant| (*grant == Grant::WriteTable).then_some(Use::WritesTable));
        let call = self.call(if writes.len() == 1 { Port::CommitOne } else { Port::Commit }).await;
        match call.fault {
            Some(Fault::Throttled) => return Err(unavailable().into()),
            Some(Fault::Conflict) => return Err(CommitError::Contended),
            _ => {}
        }
        let mut outcome = self.table.twin.commit(writes).await;
        self.notice_changes();
        if outcome.is_ok() {
            self.matters(&call, Fault::ConflictAfterwards);
        }
        if outcome.is_ok() && refuses_itself(writes) {
            self.matters(&call, Fault::Repeated);
        }
        if call.fault == Some(Fault::Repeated) {
            self.travel().await;
            outcome = self.table.twin.commit(writes).await;
            self.notice_changes();
        }
        self.answered(call.fault).await;
        match call.fault {
            Some(Fault::AnswerLost) => Err(unavailable().into()),
            Some(Fault::ConflictAfterwards) if outcome.is_ok() => Err(CommitError::Contended),
            _ => outcome,
        }
    }
}

/// Whether a single write that was done is refused when it comes again. A transaction is known by its token.
fn refuses_itself(writes: &[Write]) -> bool {
    let [write] = writes else { return false };
    let after = Twin::new();
    if let Write::Put(item, _) = write {
        commit(&after, &[Write::Put(item.clone(), Condition::Always)]).expect("it was written");
    }
    commit(&after, writes).is_err()
}

impl Run {
    /// What a read finds; eventually consistent and struck, as a replica has it that lags.
    fn see<T: PartialEq>(
        &self,
        call: &Call,
        read: impl Fn(&Twin) -> Result<T, Unavailable>,
    ) -> Result<T, Unavailable> {
        let now = read(&self.table.twin)?;
        if !matches!(call.site.port, Port::GetEventually | Port::QueryEventually) {
            return Ok(now);
        }
        let Some(oldest) = self.table.oldest(self.world.agenda.now_ms()) else { return Ok(now) };
        let oldest = read(oldest)?;
        if oldest == now {
            return Ok(now);
        }
        self.matters(call, Fault::Stale);
        if call.site.port == Port::QueryEventually {
            self.matters(call, Fault::Gapped);
        }
        if !matches!(call.fault, Some(Fault::Stale | Fault::Gapped)) {
            return Ok(now);
        }
        let mut dice = Dice::new(lock(&self.dice).number(), Stream::Plan);
        let seen = read(self.table.lagging(call.fault == Some(Fault::Gapped), &mut dice))?;
        // What is late may be none of what is asked for: then the read came before any of it.
        Ok(if seen == now { oldest } else { seen })
    }

    /// Waits for an answer as long as it may take, or not at all if it is to be lost.
    async fn hear<T>(
        &self,
        fault: Option<Fault>,
        answer: Receiver<T>,
        timeout_ms: u32,
    ) -> Result<T, Unanswered> {
        match fault {
            Some(Fault::AnswerLost) => {
                self.wait(0, i64::from(timeout_ms)).await;
                return Err(unanswered());
            }
            Some(Fault::DiesAfter) => {
                self.wait(0, i64::from(timeout_ms)).await;
                self.die().await;
            }
            _ => {}
        }
        let patience = self.world.agenda.sleep(i64::from(timeout_ms));
        match select(answer, patience).await {
            Either::Left((Ok(answer), _)) => Ok(answer),
            Either::Left((Err(_), _)) | Either::Right(_) => Err(unanswered()),
        }
    }
}

#[async_trait]
impl Calls for Run {
    async fn invoke(&self, call: &DirectCall, timeout_ms: u32) -> Result<DirectAnswer, Unanswered> {
        let known = self.operation.calls.iter().find(|known| **known == call.operation);
        let known = known.unwrap_or_else(|| panic!("{} declares no {}", self.operation.name, call.operation));
        self.world.used(self.service, self.operation, Use::Calls(known));
        let fault = self.call(Port::Invoke).await.fault;
        if fault == Some(Fault::Throttled) {
            return Err(unanswered());
        }
        if fault == Some(Fault::ArrivesTwice) {
            drop(crate::platform::direct(&self.world, call.clone()));
        }
        let answer = crate::platform::direct(&self.world, call.clone());
        let outcome = self.hear(fault, answer, timeout_ms).await?;
        self.travel().await;
        // It travels as JSON.
        let wire = serde_json::to_value(&outcome).expect("an answer has a JSON form");
        Ok(serde_json::from_value(wire).expect("an answer can be read again"))
    }
}

#[async_trait]
impl Bus for Run {
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<usize>, Unanswered> {
        self.uses("the bus", |grant| (*grant == Grant::Publish).then_some(Use::Publishes));
        let fault = self.call(Port::Publish).await.fault;
        let refused =
            if fault == Some(Fault::PartlyTaken) { self.left_out(events.len()) } else { Vec::new() };
        let taken = events.iter().enumerate().filter(|(place, _)| !refused.contains(place));
        taken.for_each(|(_, event)| crate::platform::fan_out(&self.world, event));
        self.answered(fault).await;
        if fault == Some(Fault::AnswerLost) { Err(unanswered()) } else { Ok(refused) }
    }
}

#[async_trait]
impl Queues for Run {
    async fn send(
        &self,
        operation: &str,
        body: &Value,
        delay_seconds: u32,
        trace: &Trace,
    ) -> Result<(), Unanswered> {
        self.uses(operation, |grant| match grant {
            Grant::Enqueue(known) if *known == operation => Some(Use::Enqueues(known)),
            _ => None,
        });
        let fault = self.call(Port::Enqueue).await.fault;
        if fault == Some(Fault::Throttled) {
            return Err(unanswered());
        }
        let delay_ms = i64::from(delay_seconds) * 1000;
        let times = if fault == Some(Fault::ArrivesTwice) { 2 } else { 1 };
        for _ in 0..times {
            crate::platform::enqueue(&self.world, operation, body.clone(), delay_ms, trace);
        }
        self.answered(fault).await;
        if fault == Some(Fault::AnswerLost) { Err(unanswered()) } else { Ok(()) }
    }
}

#[async_trait]
impl Workflows for Run {
    async fn start(&self, workflow: &str, execution: &str, input: &Value) -> Result<Execution, Unanswered> {
        self.uses(workflow, |grant| match grant {
            Grant::StartWorkflow(known) if *known == workflow => Some(Use::Starts(known)),
            _ => None,
        });
        let fault = self.call(Port::Workflow).await.fault;
        if fault == Some(Fault::Throttled) {
            return Err(unanswered());
        }
        let standing = crate::platform::start_workflow(&self.world, workflow, execution, input);
        self.answered(fault).await;
        if fault == Some(Fault::AnswerLost) { Err(unanswered()) } else { Ok(standing) }
    }
}

/// How long a function may keep the current version of a secret, in milliseconds.
const SECRET_KEPT_MS: i64 = 300_000;

#[async_trait]
impl Secrets for Run {
    async fn read(&self, name: &str, stage: Stage) -> Result<Option<SecretText>, Unanswered> {
        self.uses(name, |grant| match grant {
            Grant::ReadSecret(known) if *known == name => Some(Use::ReadsSecret(known)),
            _ => None,
        });
        let port = if stage == Stage::Current { Port::ReadSecret } else { Port::ReadSecretFresh };
        let call = self.call(port).await;
        if call.fault == Some(Fault::Throttled) {
            return Err(unanswered());
        }
        let now_ms = self.world.agenda.now_ms();
        let before = self.world.state().outdated.get(name).cloned();
        let before = before.filter(|(_, until_ms)| *until_ms + SECRET_KEPT_MS > now_ms);
        if let (Some((text, _)), Stage::Current) = (before, stage) {
            self.matters(&call, Fault::Stale);
            if call.fault == Some(Fault::Stale) {
                return Ok(Some(text));
            }
        }
        let stage = if stage == Stage::CurrentFresh { Stage::Current } else { stage };
        let state = self.world.state();
        Ok(state.secrets.get(&(name.to_owned(), stage)).map(|(_, text)| text.clone()))
    }

    async fn write(
        &self,
        name: &str,
        text: &SecretText,
        token: &str,
        stage: Stage,
    ) -> Result<(), Unanswered> {
        self.uses(name, |grant| writes_secret(grant, name));
        let fault = self.call(Port::WriteSecret).await.fault;
        self.write_version(name, text.clone(), token, stage);
        self.answered(fault).await;
        if fault == Some(Fault::AnswerLost) { Err(unanswered()) } else { Ok(()) }
    }

    async fn promote(&self, name: &str, token: &str) -> Result<(), Unanswered> {
        self.uses(name, |grant| writes_secret(grant, name));
        let fault = self.call(Port::WriteSecret).await.fault;
        let pending = self.world.state().secrets.get(&(name.to_owned(), Stage::Pending)).cloned();
        if let Some((_, text)) = pending.filter(|(known, _)| known == token) {
            self.world.happened(mix::KEYS_ROTATED);
            self.write_version(name, text, token, Stage::Current);
        }
        self.answered(fault).await;
        if fault == Some(Fault::AnswerLost) { Err(unanswered()) } else { Ok(()) }
    }
}

impl Run {
    /// A version with this token that exists already stays as it is.
    fn write_version(&self, name: &str, text: SecretText, token: &str, stage: Stage) {
        let now_ms = self.world.agenda.now_ms();
        let mut state = self.world.state();
        let place = (name.to_owned(), stage);
        if state.secrets.get(&place).is_some_and(|(known, _)| known == token) {
            return;
        }
        if let Some((_, before)) = state.secrets.insert(place, (token.to_owned(), text))
            && stage == Stage::Current
        {
            state.outdated.insert(name.to_owned(), (before, now_ms));
        }
    }
}

#[async_trait]
impl Egress for Run {
    async fn send(&self, request: Outgoing) -> Result<Incoming, Unanswered> {
        let fault = self.call(Port::Bank).await.fault;
        let timeout_ms = request.timeout_ms;
        match fault {
            // The line is dead: it never arrives.
            Some(Fault::Throttled) => {
                self.wait(0, i64::from(timeout_ms)).await;
                return Err(unanswered());
            }
            Some(Fault::ArrivesLate) => {
                let late_ms = lock(&self.dice).between(0, 1_200_000);
                let (world, late) = (self.world.clone(), request);
                self.world.agenda.spawn(async move {
                    world.agenda.sleep(i64::from(timeout_ms) + late_ms).await;
                    drop(crate::platform::bank(&world, &late).await);
                });
                self.wait(0, i64::from(timeout_ms)).await;
                return Err(unanswered());
            }
            Some(Fault::ArrivesTwice) => drop(crate::platform::bank(&self.world, &request)),
            _ => {}
        }
        let answer = crate::platform::bank(&self.world, &request);
        let http::Response { status, body, .. } = self.hear(fault, answer, timeout_ms).await?;
        self.travel().await;
        Ok(Incoming { status, body: serde_json::from_str(&body).unwrap_or(Value::Null) })
    }
}

#[async_trait]
impl Clock for Run {
    fn now(&self) -> Timestamp {
        if self.strike(Port::Clock).fault.is_some() {
            let jump_ms = lock(&self.dice).between(-120_000, 120_000);
            self.skew_ms.store(jump_ms, Ordering::Relaxed);
        }
        Timestamp::from_millis(self.world.agenda.now_ms() + self.skew_ms.load(Ordering::Relaxed))
    }

    async fn pause(&self, millis: u32) {
        self.world.agenda.sleep(i64::from(millis)).await;
    }
}

impl Entropy for Run {
    fn fill(&self, bytes: &mut [u8]) {
        lock(&self.entropy).fill(bytes);
    }
}
