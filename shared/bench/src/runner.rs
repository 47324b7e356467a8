//! Runs operations one at a time, each as its trigger would, and keeps what each has spent.
//!
//! After each, the changes that it committed go through its service's relay, on the relay's own account, and a second
//! passes.

use crate::{
    tally::{Scope, Spent},
    world::{PREFIX, SERVICES, World},
};
use anyhow::{Context as _, Result, ensure};
use aws::queues::resource_name;
use contract::{Operation, Reference, http};
use kernel::id::MembershipId;
use serde_json::{Value, json};
use std::{collections::BTreeSet, future::Future, sync::Arc};

/// What one operation has spent in one case.
pub struct Row {
    /// Its full name.
    pub operation: String,
    /// Which case.
    pub case: String,
    /// Whether it came through the HTTP API.
    pub is_http: bool,
    /// Whether it changed items, so that a relay ran after it.
    pub is_relayed: bool,
    /// Every call.
    pub spent: Vec<Spent>,
}

/// Who sends a request.
#[derive(Clone)]
pub struct Caller {
    /// The member.
    pub id: MembershipId,
    /// The login session.
    pub session: String,
    /// The scopes.
    pub scope: &'static str,
}

/// Runs and keeps.
pub struct Runner {
    /// Where.
    pub world: Arc<World>,
    /// What was spent so far.
    pub rows: Vec<Row>,
}

/// A request as the gateway hands it over: the path may have a query; a body may be null.
pub fn request(method: &str, path: &str, caller: Option<&Caller>, key: &str, body: &Value) -> http::Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = vec![("user-agent".to_owned(), "bench".to_owned())];
    if !key.is_empty() {
        headers.push(("idempotency-key".to_owned(), key.to_owned()));
    }
    if !body.is_null() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    let claims = caller.map(|caller| http::Claims {
        sub: caller.id.to_string(),
        scope: caller.scope.to_owned(),
        sid: caller.session.clone(),
    });
    http::Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        claims,
    }
}

impl Runner {
    /// A runner that has run nothing.
    pub fn new(world: Arc<World>) -> Runner {
        Runner { world, rows: Vec::new() }
    }

    /// By a request over HTTP, which must be answered with this status.
    pub async fn route(
        &mut self,
        operation: &str,
        case: &str,
        request: http::Request,
        status: u16,
    ) -> Result<Value> {
        let function = self.world.function(operation)?;
        let answer = http::answer(function.service, function.name.as_deref(), &function.context, request);
        let answer = self.measure(operation, case, true, async { Ok(answer.await) }).await?;
        ensure!(answer.status == status, "{operation}, {case}: {} {}", answer.status, answer.body);
        Ok(serde_json::from_str(&answer.body).unwrap_or_default())
    }

    /// By a direct call under a reference that is born now; answers the body.
    pub async fn direct(
        &mut self,
        operation: &str,
        case: &str,
        reference: &str,
        body: Value,
    ) -> Result<Value> {
        let birth = contract::ports::Clock::now(&*self.world);
        let reference = Reference { id: reference.to_owned(), birth };
        self.step(operation, case, (!reference.id.is_empty()).then_some(&reference), body).await
    }

    /// By a direct call for a step of a saga; answers the body.
    pub async fn step(
        &mut self,
        operation: &str,
        case: &str,
        reference: Option<&Reference>,
        body: Value,
    ) -> Result<Value> {
        self.step_of("bench.bench", operation, case, reference, body).await
    }

    /// The same for a step that only the sagas of one service may ask for.
    pub async fn step_of(
        &mut self,
        caller: &str,
        operation: &str,
        case: &str,
        reference: Option<&Reference>,
        body: Value,
    ) -> Result<Value> {
        let event = json!({
            "operation": operation,
            "caller": caller,
            "traceparent": self.world.trace().traceparent(),
            "reference": reference,
            "body": body,
        });
        let answer = self.handle(operation, case, event).await?;
        let done = answer.get("done").cloned();
        done.with_context(|| format!("{operation}, {case}: {answer}"))
    }

    /// By the newest fact of this type, out of the operation's queue.
    pub async fn fact(&mut self, operation: &str, case: &str, kind: &str) -> Result<()> {
        let fact = self.world.fact(kind)?;
        let body = json!({ "detail-type": kind, "source": fact.source, "detail": fact });
        self.queued(operation, case, &body).await
    }

    /// By the newest message in the operation's queue.
    pub async fn message(&mut self, operation: &str, case: &str) -> Result<()> {
        let message = self.world.message(operation)?;
        let body =
            json!({ "operation": operation, "traceparent": message.traceparent, "body": message.body });
        self.queued(operation, case, &body).await
    }

    /// By an event that has no form of its own: a schedule's or a rotation's.
    pub async fn plain(&mut self, operation: &str, case: &str, event: Value) -> Result<Value> {
        self.handle(operation, case, event).await
    }

    async fn queued(&mut self, operation: &str, case: &str, body: &Value) -> Result<()> {
        let queue = format!("arn:aws:sqs:us-east-1:000000000000:{}", resource_name(PREFIX, operation));
        let event = json!({ "Records": [{
            "messageId": "1",
            "eventSource": "aws:sqs",
            "eventSourceARN": queue,
            "body": body.to_string(),
        }] });
        let answer = self.handle(operation, case, event).await?;
        ensure!(answer["batchItemFailures"] == json!([]), "{operation}, {case}: the message failed");
        Ok(())
    }

    async fn handle(&mut self, operation: &str, case: &str, event: Value) -> Result<Value> {
        let world = self.world.clone();
        self.measure(operation, case, false, async { world.invoke(operation, event).await }).await
    }

    async fn measure<T>(
        &mut self,
        operation: &str,
        case: &str,
        is_http: bool,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.world.tally.take();
        self.world.tally.enter(Scope::Request);
        let outcome = work.await;
        self.world.tally.enter(Scope::Relay);
        let relayed = self.relay().await;
        self.world.tally.enter(Scope::Nobody);
        let is_relayed = relayed?;
        self.world.pass_seconds(1);
        let spent = self.world.tally.take();
        let (operation, case) = (operation.to_owned(), case.to_owned());
        self.rows.push(Row { operation, case, is_http, is_relayed, spent });
        outcome
    }

    /// Relays what was committed since the last time; answers whether anything was.
    async fn relay(&self) -> Result<bool> {
        let mut is_relayed = false;
        for service in SERVICES {
            let changes = self.world.take_changes(service.name);
            // Who tells no facts has no relay.
            if changes.is_empty() || service.operation("relayOutbox").is_none() {
                continue;
            }
            is_relayed = true;
            let records: Vec<Value> = changes
                .into_iter()
                .map(|change| {
                    let images = json!({
                        "SequenceNumber": change.sequence,
                        "OldImage": change.old,
                        "NewImage": change.new,
                    });
                    json!({ "eventSource": "aws:dynamodb", "dynamodb": images })
                })
                .collect();
            let name = format!("{}.relayOutbox", service.name);
            let answer = self.world.invoke(&name, json!({ "Records": records })).await?;
            ensure!(answer["batchItemFailures"] == json!([]), "{name} failed");
        }
        Ok(is_relayed)
    }

    /// The row of this operation and case.
    pub fn row(&self, operation: &str, case: &str) -> Result<&Row> {
        let found = self.rows.iter().find(|row| row.operation == operation && row.case == case);
        found.with_context(|| format!("{operation} was not run: {case}"))
    }

    /// The operations that have no row. Relays run after every other one.
    pub fn missing(&self) -> Vec<String> {
        let run: BTreeSet<&str> = self.rows.iter().map(|row| row.operation.as_str()).collect();
        let all = SERVICES.iter().flat_map(|service| {
            let named = |operation: &Operation| service.full_name(operation);
            service.operations.iter().map(named)
        });
        all.filter(|name| !name.ends_with(".relayOutbox") && !run.contains(name.as_str())).collect()
    }
}
