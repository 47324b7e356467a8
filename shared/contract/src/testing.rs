//! The ports in memory, for operation tests: HTTP-shaped calls on the twin.
//!
//! A [`Bench`] holds one service with its twin and lets a test set the clock, answer other services' calls and the
//! bank, and read what was published and queued.

use crate::{
    Call, Caller, Code, Context, Problem, Reply, Service, Settings, Trace, http,
    outbox::{StreamBatch, StreamChange},
    ports::{
        Bus, Calls, Clock, DirectAnswer, DirectCall, Egress, Entropy, Execution, Incoming, Outgoing, Queues,
        SecretText, Secrets, Stage, Unanswered, Workflows,
    },
    problem,
};
use async_trait::async_trait;
use events::Envelope;
use kernel::{Timestamp, id::MembershipId};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};
use store::{AttributeValue, twin::Twin};
use tracing::subscriber::NoSubscriber;

/// The codes that no operation has to list, because the frame itself answers with them.
const ANYWHERE: &[&Code] = &[
    &problem::VALIDATION_FAILED,
    &problem::MALFORMED_BODY,
    &problem::BODY_TOO_LARGE,
    &problem::UNSUPPORTED_MEDIA_TYPE,
    &problem::UNAUTHORIZED,
    &problem::FORBIDDEN,
    &problem::UNKNOWN_PATH,
    &problem::IDEMPOTENCY_KEY_REQUIRED,
    &problem::IDEMPOTENCY_KEY_INVALID,
    &problem::IDEMPOTENCY_KEY_REUSED,
    &problem::REQUEST_IN_PROGRESS,
    &problem::TEMPORARILY_UNAVAILABLE,
    &problem::INTERNAL_ERROR,
];

type Answerer = Box<dyn FnMut(&DirectCall) -> Result<DirectAnswer, Unanswered> + Send>;
type Bank = Box<dyn FnMut(&Outgoing) -> Result<Incoming, Unanswered> + Send>;

/// The world around one service, in memory.
pub struct World {
    millis: AtomicI64,
    seed: AtomicU64,
    answerer: Mutex<Option<Answerer>>,
    bank: Mutex<Option<Bank>>,
    published: Mutex<Vec<Envelope>>,
    queued: Mutex<Vec<Queued>>,
    executions: Mutex<BTreeMap<(String, String), (Execution, Value)>>,
    secrets: Mutex<BTreeMap<(String, Stage), (String, SecretText)>>,
}

/// A message that was put into a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Queued {
    /// The operation's full name.
    pub operation: String,
    /// Its input.
    pub body: Value,
    /// The delay.
    pub delay_seconds: u32,
    /// The trace that it goes on with.
    pub traceparent: String,
}

/// Collects what is logged, a line of JSON for each event.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Collects what this thread logs until the guard is dropped, without times, since those would be real.
    pub fn open(&self) -> tracing::subscriber::DefaultGuard {
        // With one collector in a process, tracing asks the thread that logs a line first whether anybody wants it, and
        // keeps the answer. A test beside this one has no collector, and its answer would be for all.
        static BESIDE: LazyLock<tracing::Dispatch> =
            LazyLock::new(|| tracing::Dispatch::new(NoSubscriber::new()));
        LazyLock::force(&BESIDE);
        let writer = self.clone();
        let lines = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .without_time()
            .with_target(false)
            .with_writer(move || writer.clone());
        tracing::subscriber::set_default(lines.finish())
    }

    /// What was collected so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }

    /// The lines that were collected so far.
    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One service on its twin.
pub struct Bench {
    /// The service.
    pub service: &'static Service,
    /// Its table.
    pub twin: Arc<Twin>,
    /// Everything else.
    pub world: Arc<World>,
    /// What its operations are given.
    pub context: Context,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bench {
    /// A service at 2026-11-22T10:15:30Z with an empty table. Every fact is published; every secret that is asked
    /// for, and was not set, is `secret of <name>`.
    pub fn new(service: &'static Service) -> Bench {
        let twin = Arc::new(Twin::indexed(service.indexes));
        let world = Arc::new(World {
            millis: AtomicI64::new(events::example_time().millis()),
            seed: AtomicU64::new(1),
            answerer: Mutex::default(),
            bank: Mutex::default(),
            published: Mutex::default(),
            queued: Mutex::default(),
            executions: Mutex::default(),
            secrets: Mutex::default(),
        });
        let context = Context {
            table: twin.clone(),
            calls: world.clone(),
            bus: world.clone(),
            queues: world.clone(),
            workflows: world.clone(),
            secrets: world.clone(),
            egress: world.clone(),
            clock: world.clone(),
            entropy: world.clone(),
            settings: Settings {
                issuer: "https://pay.example".to_owned(),
                audience: "pay".to_owned(),
                bank_endpoint: "https://bank.example".to_owned(),
                published: events::ALL.iter().map(|fact| fact.name.to_owned()).collect(),
                config: Value::Null,
            },
        };
        Bench { service, twin, world, context }
    }

    /// Sends an HTTP request and waits for its response. A code that the operation does not list, so that OpenAPI
    /// would not know it, fails the test.
    pub async fn send(&self, request: Request) -> Answer {
        let operation = http::find(self.service, &request.0);
        let response = http::answer(self.service, None, &self.context, request.0).await;
        let text =
            || if response.body.is_empty() { Value::Null } else { Value::String(response.body.clone()) };
        let body: Value = serde_json::from_str(&response.body).unwrap_or_else(|_| text());
        if let (true, Some(operation)) = (response.status >= 400, operation) {
            let code = body.get("code").and_then(Value::as_str).unwrap_or_default();
            let listed = operation.refuses.iter().chain(ANYWHERE.iter()).any(|known| known.code == code);
            assert!(listed, "{} answers {code} and does not list it", operation.name);
        }
        Answer { status: response.status, headers: response.headers, body }
    }

    /// Calls an operation directly, as another service or the platform would.
    pub async fn call(&self, operation: &str, caller: Caller, body: Value) -> Result<Reply<Value>, Problem> {
        let call = Call {
            operation: format!("{}.{operation}", self.service.name),
            caller,
            on_behalf_of: None,
            idempotency_key: None,
            reference: None,
            if_match: None,
            trace: self.trace(),
            now: self.context.clock.now(),
            fingerprint: store::seal::digest(&[&body.to_string()]),
            body,
        };
        self.call_with(operation, call).await
    }

    /// Calls an operation directly with everything said.
    pub async fn call_with(&self, operation: &str, call: Call<Value>) -> Result<Reply<Value>, Problem> {
        let found =
            self.service.operation(operation).ok_or_else(|| Problem::internal("no such operation"))?;
        (found.handle)(&self.context, call).await
    }

    /// Lets an operation look for what was forgotten, as its schedule does, and take up every message that this sends to
    /// its own queue. What lies in queues before stays there.
    pub async fn sweep(&self, operation: &str) -> Result<(), Problem> {
        let before = self.world.take_queued();
        let swept = self.sweep_queue(operation).await;
        lock(&self.world.queued).splice(0..0, before);
        swept
    }

    async fn sweep_queue(&self, operation: &str) -> Result<(), Problem> {
        self.call(operation, Caller::Platform, Value::Object(Default::default())).await?;
        let name = format!("{}.{operation}", self.service.name);
        loop {
            let queued = self.world.take_queued();
            let (own, others): (Vec<Queued>, _) =
                queued.into_iter().partition(|message| message.operation == name);
            lock(&self.world.queued).extend(others);
            if own.is_empty() {
                return Ok(());
            }
            for message in own {
                self.call(operation, Caller::Platform, message.body).await?;
            }
        }
    }

    /// Holds every change since the last time, or since the relay read them, to its version: one more than before.
    /// That is what the condition of the next write rests on.
    pub fn assert_versions(&self) {
        for change in self.twin.take_changes() {
            let [old, new] = [&change.old, &change.new].map(|item| match item.as_ref()?.get("version")? {
                AttributeValue::N(version) => version.parse::<u64>().ok(),
                _ => None,
            });
            if let (Some(old), Some(new)) = (old, new) {
                assert_eq!(new, old.saturating_add(1), "{:?} is written without a new version", change.key);
            }
        }
    }

    /// The changes since the last time, as the relay gets them.
    pub fn stream(&self) -> StreamBatch {
        let changes = self.twin.take_changes().into_iter().enumerate();
        let change = |(place, change): (usize, store::twin::Change)| StreamChange {
            sequence: place.to_string(),
            old: change.old,
            new: change.new,
        };
        StreamBatch { changes: changes.map(change).collect() }
    }

    /// Relays the changes since the last time; answers what was published by it.
    pub async fn relay(&self) -> Result<Vec<Envelope>, Problem> {
        let before = lock(&self.world.published).len();
        let batch = serde_json::to_value(self.stream()).map_err(Problem::internal)?;
        self.call("relayOutbox", Caller::Platform, batch).await?;
        Ok(lock(&self.world.published).iter().skip(before).cloned().collect())
    }

    /// A trace for calls that have none of their own.
    pub fn trace(&self) -> Trace {
        Trace::start(self.context.random())
    }
}

impl World {
    /// Lets the clock go forward.
    pub fn pass_seconds(&self, seconds: i64) {
        let now = self.now().plus_seconds(seconds);
        self.millis.store(now.millis(), Ordering::SeqCst);
    }

    /// Decides what other services answer.
    pub fn answer_calls(
        &self,
        answer: impl FnMut(&DirectCall) -> Result<DirectAnswer, Unanswered> + Send + 'static,
    ) {
        *lock(&self.answerer) = Some(Box::new(answer));
    }

    /// Decides what the external bank answers.
    pub fn answer_bank(
        &self,
        answer: impl FnMut(&Outgoing) -> Result<Incoming, Unanswered> + Send + 'static,
    ) {
        *lock(&self.bank) = Some(Box::new(answer));
    }

    /// Sets a secret's current text.
    pub fn set_secret(&self, name: &str, text: &str) {
        let value = ("initial".to_owned(), SecretText(text.to_owned()));
        lock(&self.secrets).insert((name.to_owned(), Stage::Current), value);
    }

    /// Everything published so far.
    pub fn published(&self) -> Vec<Envelope> {
        lock(&self.published).clone()
    }

    /// The executions of a state machine that were started, by name: how they stand, and with what input.
    pub fn executions(&self, workflow: &str) -> BTreeMap<String, (Execution, Value)> {
        let executions = lock(&self.executions);
        let ours = executions.iter().filter(|((known, _), _)| known == workflow);
        ours.map(|((_, name), standing)| (name.clone(), standing.clone())).collect()
    }

    /// Ends every execution of a state machine.
    pub fn end_executions(&self, workflow: &str) {
        let mut executions = lock(&self.executions);
        for ((known, _), standing) in executions.iter_mut() {
            if known == workflow {
                standing.0 = Execution::Ended;
            }
        }
    }

    /// Takes the messages queued since the last time.
    pub fn take_queued(&self) -> Vec<Queued> {
        std::mem::take(&mut lock(&self.queued))
    }
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::SeqCst))
    }

    /// No test waits: the clock goes forward instead.
    async fn pause(&self, millis: u32) {
        self.millis.fetch_add(i64::from(millis), Ordering::SeqCst);
    }
}

impl Entropy for World {
    /// Different every time, and the same in every run: a digest of a counter.
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let count = self.seed.fetch_add(1, Ordering::SeqCst);
            let digest = store::seal::digest(&["entropy", &count.to_string()]);
            for (byte, value) in chunk.iter_mut().zip(digest.bytes()) {
                *byte = value;
            }
        }
    }
}

#[async_trait]
impl Calls for World {
    async fn invoke(&self, call: &DirectCall, _: u32) -> Result<DirectAnswer, Unanswered> {
        match lock(&self.answerer).as_mut() {
            Some(answer) => answer(call),
            None => Err(Unanswered("nobody answers in this test".to_owned())),
        }
    }
}

#[async_trait]
impl Bus for World {
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<usize>, Unanswered> {
        lock(&self.published).extend_from_slice(events);
        Ok(Vec::new())
    }
}

#[async_trait]
impl Queues for World {
    async fn send(
        &self,
        operation: &str,
        body: &Value,
        delay_seconds: u32,
        trace: &Trace,
    ) -> Result<(), Unanswered> {
        let (operation, traceparent) = (operation.to_owned(), trace.traceparent().to_owned());
        let message = Queued { operation, body: body.clone(), delay_seconds, traceparent };
        lock(&self.queued).push(message);
        Ok(())
    }
}

#[async_trait]
impl Workflows for World {
    async fn start(&self, workflow: &str, execution: &str, input: &Value) -> Result<Execution, Unanswered> {
        let name = (workflow.to_owned(), execution.to_owned());
        let mut executions = lock(&self.executions);
        Ok(executions.entry(name).or_insert_with(|| (Execution::Running, input.clone())).0)
    }
}

#[async_trait]
impl Secrets for World {
    async fn read(&self, name: &str, stage: Stage) -> Result<Option<SecretText>, Unanswered> {
        let stage = if stage == Stage::CurrentFresh { Stage::Current } else { stage };
        let known = lock(&self.secrets).get(&(name.to_owned(), stage)).map(|(_, text)| text.clone());
        let usual = || {
            (stage == Stage::Current && name.ends_with("-key"))
                .then(|| SecretText(format!("secret of {name}")))
        };
        Ok(known.or_else(usual))
    }

    async fn write(
        &self,
        name: &str,
        text: &SecretText,
        token: &str,
        stage: Stage,
    ) -> Result<(), Unanswered> {
        lock(&self.secrets).insert((name.to_owned(), stage), (token.to_owned(), text.clone()));
        Ok(())
    }

    async fn promote(&self, name: &str, token: &str) -> Result<(), Unanswered> {
        let mut secrets = lock(&self.secrets);
        let pending =
            secrets.get(&(name.to_owned(), Stage::Pending)).filter(|(known, _)| known == token).cloned();
        if let Some(pending) = pending {
            secrets.insert((name.to_owned(), Stage::Current), pending);
        }
        Ok(())
    }
}

#[async_trait]
impl Egress for World {
    async fn send(&self, request: Outgoing) -> Result<Incoming, Unanswered> {
        match lock(&self.bank).as_mut() {
            Some(answer) => answer(&request),
            None => Err(Unanswered("the bank is down in this test".to_owned())),
        }
    }
}

/// An HTTP request in the making.
#[derive(Clone)]
pub struct Request(pub http::Request);

impl Request {
    /// A request without a body; the path may have a query.
    pub fn new(method: &str, path: &str) -> Request {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Request(http::Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..http::Request::default()
        })
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Request {
        self.header("content-type", "application/json").bytes(body.to_string().as_bytes())
    }

    /// With a raw body.
    pub fn bytes(mut self, body: &[u8]) -> Request {
        self.0.body = body.to_vec();
        self
    }

    /// With a header; its name in lower case.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.0.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With an Idempotency-Key.
    pub fn key(self, key: &str) -> Request {
        self.header("idempotency-key", key)
    }

    /// With a verified token of this member and these scopes.
    pub fn caller(mut self, member: MembershipId, scope: &str) -> Request {
        self.0.claims = Some(http::Claims {
            sub: member.to_string(),
            scope: scope.to_owned(),
            sid: "session".to_owned(),
        });
        self
    }
}

/// An HTTP response, its body read.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body in JSON, as a text if it is none, or null if there is none.
    pub body: Value,
}

impl Answer {
    /// The header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The problem's code.
    pub fn code(&self) -> &str {
        self.body.get("code").and_then(Value::as_str).unwrap_or_default()
    }
}
