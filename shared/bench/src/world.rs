//! Every service in one process: their tables on one local DynamoDB, calls and the bank answered by their own code.
//!
//! The world is the other side of every port but the table, and notes each call on the tally. Time stands still but
//! for what a scenario lets pass, and random bytes come from a counter, so that two runs count the same.

use crate::{
    dynoxide::Dynoxide,
    meter::Meter,
    size,
    tally::{Callee, Scope, Tally, Units},
};
use anyhow::{Context as _, Result, anyhow};
use async_trait::async_trait;
use aws::{event::Function, table::DynamoDb};
use contract::{
    Context, Service, Settings, Trace, Trigger, http,
    outbox::StreamChange,
    ports::{
        Bus, Calls, Clock, DirectAnswer, DirectCall, Egress, Entropy, Execution, Incoming, Outgoing, Queues,
        SecretText, Secrets, Stage, Unanswered, Workflows,
    },
};
use events::Envelope;
use kernel::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};
use store::{AttributeValue, CommitError, Item, Key, Page, Query, Read, Refused, Table, Unavailable, Write};

/// The services that are measured, and the bank that they ask.
pub static SERVICES: &[&Service] = &[
    &membership::SERVICE,
    &banking::SERVICE,
    &money::SERVICE,
    &money_query::SERVICE,
    &franchise::SERVICE,
    &remittance::SERVICE,
    &payment::SERVICE,
    &settlement::SERVICE,
];
static BANK: &Service = &bank_simulator::SERVICE;

/// What the names of functions, queues and tables start with.
pub const PREFIX: &str = "pay";
/// The API key by which the bank knows Pay, and Pay's account there.
const BANK_SECRET: &str = r#"{"apiKey":"an API key of the bench","corporateAccount":"10000000000001"}"#;

/// A message in an operation's queue.
#[derive(Clone)]
pub struct Message {
    /// The operation's full name.
    pub operation: String,
    /// Its input.
    pub body: Value,
    /// The trace that it belongs to.
    pub traceparent: String,
}

/// The other side of the ports.
pub struct World {
    /// What was spent.
    pub tally: Arc<Tally>,
    contexts: OnceLock<BTreeMap<&'static str, Context>>,
    millis: AtomicI64,
    drawn: AtomicU64,
    changes: Mutex<Vec<(&'static str, StreamChange)>>,
    facts: Mutex<Vec<Envelope>>,
    messages: Mutex<Vec<Message>>,
    secrets: Mutex<BTreeMap<(String, Stage), (String, String)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of a service's table.
pub fn table_name(service: &str) -> String {
    format!("{PREFIX}-{service}")
}

/// The facts that somebody listens to: only those are published, as in a deployment.
fn heard() -> Vec<String> {
    let operations = SERVICES.iter().flat_map(|service| service.operations);
    let triggers = operations.flat_map(|operation| operation.triggers);
    let facts = triggers.filter_map(|trigger| match trigger {
        Trigger::Fact(kind) => Some((*kind).to_owned()),
        _ => None,
    });
    facts.collect()
}

impl World {
    /// All services on empty tables.
    pub async fn new(server: &Dynoxide) -> Result<Arc<World>> {
        let secret = |name: &str, text: &str| {
            ((name.to_owned(), Stage::Current), ("first".to_owned(), text.to_owned()))
        };
        let world = Arc::new(World {
            tally: Arc::default(),
            contexts: OnceLock::new(),
            millis: AtomicI64::new(events::example_time().millis()),
            drawn: AtomicU64::new(0),
            changes: Mutex::default(),
            facts: Mutex::default(),
            messages: Mutex::default(),
            secrets: Mutex::new(BTreeMap::from([
                secret("membership-key", "membership's secret of 256 bits and more, only here"),
                secret("banking-key", "banking's secret of 256 bits and more, only here"),
                secret("money-key", "money's secret of 256 bits and more, only here"),
                secret("remittance-key", "remittance's secret of 256 bits and more, only here"),
                secret("franchise-key", "franchise's secret of 256 bits and more, only here"),
                secret("payment-key", "payment's secret of 256 bits and more, only here"),
                secret("settlement-key", "settlement's secret of 256 bits and more, only here"),
                secret("bank", BANK_SECRET),
            ])),
        });
        let mut contexts = BTreeMap::new();
        for service in SERVICES.iter().chain([&BANK]) {
            server.create_table(&table_name(service.name), service.indexes).await?;
            contexts.insert(service.name, world.context(service, server)?);
        }
        world.contexts.set(contexts).map_err(|_| anyhow!("the world is made once"))?;
        Ok(world)
    }

    fn context(self: &Arc<Self>, service: &Service, server: &Dynoxide) -> Result<Context> {
        let http = server.config.http_client().context("the adapters' configuration has no client")?;
        let mut metered = server.config.to_builder();
        metered.set_http_client(Some(Meter::around(http, self.tally.clone())));
        let name = table_name(service.name);
        let table = MeteredTable {
            service: service.name,
            metered: DynamoDb::new(metered.build(), &name),
            unmetered: DynamoDb::new(server.config.clone(), &name),
            world: self.clone(),
        };
        Ok(Context {
            table: Arc::new(table),
            calls: self.clone(),
            bus: self.clone(),
            queues: self.clone(),
            workflows: self.clone(),
            secrets: self.clone(),
            egress: self.clone(),
            clock: self.clone(),
            entropy: self.clone(),
            settings: Settings {
                issuer: "https://pay.example".to_owned(),
                audience: "pay".to_owned(),
                bank_endpoint: "https://bank.example".to_owned(),
                published: heard(),
                config: Value::Null,
            },
        })
    }

    /// What a service's operations are given.
    pub fn context_of(&self, service: &str) -> Result<&Context> {
        let contexts = self.contexts.get().context("the world is not made yet")?;
        contexts.get(service).with_context(|| format!("there is no service {service}"))
    }

    /// The function of an operation, as it would be deployed.
    pub fn function(&self, full_name: &str) -> Result<Function> {
        let (service, operation) = full_name.split_once('.').context("a full name has a full stop")?;
        let found = SERVICES.iter().find(|known| known.name == service);
        let service: &'static Service = found.with_context(|| format!("there is no service {service}"))?;
        service.operation(operation).with_context(|| format!("there is no operation {full_name}"))?;
        let context = self.context_of(service.name)?.clone();
        Ok(Function { service, name: Some(operation.to_owned()), prefix: PREFIX.to_owned(), context })
    }

    /// Hands an event to an operation's function, as Lambda would.
    pub async fn invoke(&self, full_name: &str, event: Value) -> Result<Value> {
        let handled = self.function(full_name)?.handle(event, "").await;
        handled.map_err(|failure| anyhow!("{full_name} failed: {} {}", failure.kind, failure.message))
    }

    /// Lets time pass.
    pub fn pass_seconds(&self, seconds: i64) {
        self.millis.fetch_add(seconds.saturating_mul(1000), Ordering::SeqCst);
    }

    /// A fresh trace.
    pub fn trace(&self) -> Trace {
        let mut random = [0; 24];
        self.fill(&mut random);
        Trace::start(random)
    }

    /// Sends a request to the bank as the bank's own people would: nothing of it is counted.
    pub async fn tell_bank(&self, method: &str, path: &str, body: &Value) -> Result<()> {
        let before = self.tally.enter(Scope::Nobody);
        let answer = self.ask_bank(method, path, "an API key of the bench", Some(body)).await;
        self.tally.enter(before);
        let answer = answer?;
        anyhow::ensure!(answer.status < 300, "the bank refused {path}: {}", answer.body);
        Ok(())
    }

    async fn ask_bank(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: Option<&Value>,
    ) -> Result<http::Response> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = http::Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: vec![
                ("x-api-key".to_owned(), key.to_owned()),
                ("content-type".to_owned(), "application/json".to_owned()),
            ],
            body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
            claims: None,
        };
        Ok(http::answer(BANK, None, self.context_of(BANK.name)?, request).await)
    }

    /// The newest fact of this type.
    pub fn fact(&self, kind: &str) -> Result<Envelope> {
        let facts = lock(&self.facts);
        let found = facts.iter().rev().find(|fact| fact.kind == kind);
        found.cloned().with_context(|| format!("no fact {kind} was published"))
    }

    /// Takes the newest message for this operation.
    pub fn message(&self, operation: &str) -> Result<Message> {
        let mut messages = lock(&self.messages);
        let place = messages.iter().rposition(|message| message.operation == operation);
        Ok(messages.remove(place.with_context(|| format!("no message for {operation}"))?))
    }

    /// Takes the changes of one service's table since the last time.
    pub fn take_changes(&self, service: &str) -> Vec<StreamChange> {
        let mut changes = lock(&self.changes);
        let (own, others) =
            std::mem::take(&mut *changes).into_iter().partition(|(owner, _)| *owner == service);
        *changes = others;
        let own: Vec<(&'static str, StreamChange)> = own;
        own.into_iter().map(|(_, change)| change).collect()
    }
}

/// The deployed adapter over a metering client, that also says which items each call was about.
struct MeteredTable {
    service: &'static str,
    metered: DynamoDb,
    unmetered: DynamoDb,
    world: Arc<World>,
}

impl MeteredTable {
    async fn old(&self, write: &Write) -> Option<Item> {
        self.unmetered.get(&key_of(write), Read::Consistent).await.ok().flatten()
    }

    /// DynamoDB charges a refused write by the item that is there, and reports no capacity with a refusal.
    fn charge(&self, writes: &[Write], olds: &[Option<Item>]) -> Units {
        let mut units = 0;
        for (write, old) in writes.iter().zip(olds) {
            let new = if let Write::Put(item, _) = write { size::item(item) } else { 0 };
            let old = old.as_ref().map_or(0, size::item);
            let bytes = if writes.len() == 1 { old } else { old.max(new) };
            units += size::write_units(bytes) * if writes.len() == 1 { 1 } else { 2 };
        }
        Units { table_writes: f64::from(u32::try_from(units).unwrap_or(u32::MAX)), ..Units::default() }
    }

    fn note(&self, about: String, refused: Option<Units>) {
        self.world.tally.annotate(self.service, about, refused);
    }
}

fn key_of(write: &Write) -> Key {
    let text = |item: &Item, name| match item.get(name) {
        Some(AttributeValue::S(text)) => text.clone(),
        _ => String::new(),
    };
    match write {
        Write::Put(item, _) => Key::new(text(item, "pk"), text(item, "sk")),
        Write::Delete(key, _) | Write::Check(key, _) => key.clone(),
    }
}

fn described(item: &Item) -> String {
    format!("{} {} B", store::kind_of(item), size::item(item))
}

#[async_trait]
impl Table for MeteredTable {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        let found = self.metered.get(key, read).await?;
        self.note(found.as_ref().map_or_else(|| "nothing there".to_owned(), described), None);
        Ok(found)
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        let page = self.metered.query(query).await?;
        let bytes: usize = page.items.iter().map(size::item).sum();
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for item in &page.items {
            *kinds.entry(store::kind_of(item)).or_default() += 1;
        }
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let how = if query.read == Read::Consistent { "consistent" } else { "eventual" };
        self.note(format!("{}, {bytes} B, {how}", kinds.join(" + ")), None);
        Ok(page)
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        let mut olds = Vec::with_capacity(writes.len());
        for write in writes {
            olds.push(self.old(write).await);
        }
        let outcome = self.metered.commit(writes).await;
        let each = |(write, old): (&Write, &Option<Item>)| match write {
            Write::Put(item, _) => {
                format!("{}{}", described(item), if old.is_some() { " (changed)" } else { "" })
            }
            Write::Delete(..) => {
                format!("delete {}", old.as_ref().map_or_else(|| "nothing".to_owned(), described))
            }
            Write::Check(..) => {
                format!("check {}", old.as_ref().map_or_else(|| "nothing".to_owned(), described))
            }
        };
        let about = writes.iter().zip(&olds).map(each).collect::<Vec<_>>().join(" + ");
        if let Err(CommitError::Refused(refused)) = &outcome {
            let places = refused.iter().map(|Refused { write, .. }| write.to_string()).collect::<Vec<_>>();
            let about = format!("refused (write {}): {about}", places.join(", "));
            self.note(about, Some(self.charge(writes, &olds)));
            return outcome;
        }
        self.note(about, None);
        outcome?;
        for (write, old) in writes.iter().zip(olds) {
            let new = match write {
                Write::Put(item, _) => Some(item.clone()),
                Write::Delete(..) => None,
                Write::Check(..) => continue,
            };
            let mut changes = lock(&self.world.changes);
            let sequence = changes.len().to_string();
            changes.push((self.service, StreamChange { sequence, old, new }));
        }
        Ok(())
    }
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::SeqCst))
    }

    async fn pause(&self, millis: u32) {
        self.millis.fetch_add(i64::from(millis), Ordering::SeqCst);
    }
}

impl Entropy for World {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.drawn.fetch_add(1, Ordering::SeqCst);
            let digest = store::seal::digest(&["entropy of the bench", &count.to_string()]);
            for (byte, value) in chunk.iter_mut().zip(digest.bytes()) {
                *byte = value;
            }
        }
    }
}

#[async_trait]
impl Calls for World {
    async fn invoke(&self, call: &DirectCall, _: u32) -> Result<DirectAnswer, Unanswered> {
        self.tally.push(Callee::Lambda, &call.operation, "Invoke", Units::default());
        let event = serde_json::to_value(call).map_err(|error| Unanswered(error.to_string()))?;
        let answer = World::invoke(self, &call.operation, event).await;
        let answer = answer.map_err(|error| Unanswered(error.to_string()))?;
        serde_json::from_value(answer).map_err(|error| Unanswered(error.to_string()))
    }
}

#[async_trait]
impl Bus for World {
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<usize>, Unanswered> {
        self.tally.push(Callee::Bus(events.len()), "bus", "PutEvents", Units::default());
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
        self.tally.annotate("bus", kinds.join(", "), None);
        lock(&self.facts).extend_from_slice(events);
        Ok(Vec::new())
    }
}

#[async_trait]
impl Queues for World {
    async fn send(&self, operation: &str, body: &Value, _: u32, trace: &Trace) -> Result<(), Unanswered> {
        self.tally.push(Callee::Queue, operation, "SendMessage", Units::default());
        let traceparent = trace.traceparent().to_owned();
        lock(&self.messages).push(Message {
            operation: operation.to_owned(),
            body: body.clone(),
            traceparent,
        });
        Ok(())
    }
}

/// Whatever is started runs: no scenario waits for the end of a run.
#[async_trait]
impl Workflows for World {
    async fn start(&self, workflow: &str, _: &str, _: &Value) -> Result<Execution, Unanswered> {
        self.tally.push(Callee::Workflow, workflow, "StartExecution", Units::default());
        Ok(Execution::Running)
    }
}

/// A warm function has the current secrets in memory, so only fresh reads and writes are calls of AWS.
#[async_trait]
impl Secrets for World {
    async fn read(&self, name: &str, stage: Stage) -> Result<Option<SecretText>, Unanswered> {
        if stage != Stage::Current {
            self.tally.push(Callee::Secret, name, "GetSecretValue", Units::default());
        }
        let stage = if stage == Stage::CurrentFresh { Stage::Current } else { stage };
        let found = lock(&self.secrets).get(&(name.to_owned(), stage)).cloned();
        Ok(found.map(|(_, text)| SecretText(text)))
    }

    async fn write(
        &self,
        name: &str,
        text: &SecretText,
        token: &str,
        stage: Stage,
    ) -> Result<(), Unanswered> {
        self.tally.push(Callee::Secret, name, "PutSecretValue", Units::default());
        lock(&self.secrets).insert((name.to_owned(), stage), (token.to_owned(), text.0.clone()));
        Ok(())
    }

    async fn promote(&self, name: &str, token: &str) -> Result<(), Unanswered> {
        self.tally.push(Callee::Secret, name, "DescribeSecret", Units::default());
        self.tally.push(Callee::Secret, name, "UpdateSecretVersionStage", Units::default());
        let mut secrets = lock(&self.secrets);
        let pending = secrets.get(&(name.to_owned(), Stage::Pending)).filter(|(known, _)| known == token);
        if let Some(pending) = pending.cloned() {
            secrets.insert((name.to_owned(), Stage::Current), pending);
        }
        Ok(())
    }
}

#[async_trait]
impl Egress for World {
    async fn send(&self, request: Outgoing) -> Result<Incoming, Unanswered> {
        let path = request.url.strip_prefix("https://bank.example").unwrap_or(&request.url).to_owned();
        self.tally.push(
            Callee::Bank,
            "bank",
            &format!("{} /{}", request.method, kind_of_path(&path)),
            Units::default(),
        );
        let began = self.now();
        let before = self.tally.enter(Scope::Bank);
        let key = request.headers.iter().find(|(name, _)| *name == "x-api-key").map(|(_, key)| key.as_str());
        let key = key.unwrap_or_default();
        let answer = self.ask_bank(request.method, &path, key, request.body.as_ref()).await;
        self.tally.enter(before);
        let answer = answer.map_err(|error| Unanswered(error.to_string()))?;
        if self.now().millis_since(began) > i64::from(request.timeout_ms) {
            return Err(Unanswered("no answer in time".to_owned()));
        }
        Ok(Incoming {
            status: answer.status,
            body: serde_json::from_str(&answer.body).unwrap_or(json!(null)),
        })
    }
}

fn kind_of_path(path: &str) -> String {
    path.split('/').nth(2).unwrap_or_default().to_owned()
}
