//! From what AWS hands a function to an operation, and from its outcome to what AWS expects back.
//!
//! One function may be reached in several ways, and the event's shape tells which: the HTTP API, a direct call, a
//! queue's batch, the table's stream, a step of a state machine, or a plain input from a schedule, a rotation or Pay's
//! own people. Nothing here calls AWS, so that recorded events test all of it.

use crate::queues::{Message, resource_name};
use contract::{
    Call, Caller, Context, Operation, Problem, Reply, Service, Trace, Trigger, http, log,
    outbox::{Relayed, StreamBatch, StreamChange},
    ports::{DirectAnswer, DirectCall, StepCall},
};
use data_encoding::BASE64;
use events::Envelope;
use futures_util::future::join_all;
use lambda_http::{
    Body,
    aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
    http::{HeaderValue, header::HeaderName},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::{Item, seal};

/// One function: a service's operation, or, on a laptop, all of them.
pub struct Function {
    /// The service.
    pub service: &'static Service,
    /// The operation's name, or none on a laptop: then the event itself tells.
    pub name: Option<String>,
    /// What the names of queues start with.
    pub prefix: String,
    /// What the operation may reach.
    pub context: Context,
}

/// A problem that goes to AWS as the function's error. Step Functions match on its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The problem's code.
    pub kind: String,
    /// For people.
    pub message: String,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure { kind: problem.code.into_owned(), message: problem.detail }
    }
}

/// What set the function going.
enum Event {
    Http(Map<String, Value>),
    Direct(DirectCall),
    Queue(Vec<QueueRecord>),
    Stream(Vec<StreamRecord>),
    Step(StepCall),
    Plain(Value),
}

/// A message as the queue's poller hands it over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueueRecord {
    message_id: String,
    body: String,
    #[serde(default, rename = "eventSourceARN")]
    queue: String,
}

/// A change as the stream's poller hands it over.
#[derive(Deserialize)]
struct StreamRecord {
    dynamodb: StreamImages,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamImages {
    sequence_number: String,
    #[serde(default)]
    old_image: Option<Item>,
    #[serde(default)]
    new_image: Option<Item>,
}

/// A fact as EventBridge puts it into a queue.
#[derive(Deserialize)]
struct BusEvent {
    detail: Envelope,
}

impl Event {
    fn read(event: Value) -> Result<Event, Problem> {
        let object = match event {
            Value::Object(object) => object,
            // An invocation without a payload is one with nothing to say.
            Value::Null => Map::new(),
            other => return Ok(Event::Plain(other)),
        };
        let has = |name| object.contains_key(name);
        if has("requestContext") {
            return Ok(Event::Http(object));
        }
        if has("operation") && has("caller") && has("traceparent") {
            return read(Value::Object(object)).map(Event::Direct);
        }
        if has("step") && has("input") && has("traceparent") {
            return read(Value::Object(object)).map(Event::Step);
        }
        let source = object.get("Records").and_then(|records| records.get(0)?.get("eventSource")?.as_str());
        match source {
            Some("aws:sqs") => records(object).map(Event::Queue),
            Some("aws:dynamodb") => records(object).map(Event::Stream),
            _ => Ok(Event::Plain(Value::Object(object))),
        }
    }
}

/// Serde's message would quote the event, which may hold personal data, so it does not go further.
fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value).map_err(|_| Problem::internal("not what its shape promises"))
}

fn records<T: serde::de::DeserializeOwned>(mut object: Map<String, Value>) -> Result<Vec<T>, Problem> {
    read(object.remove("Records").unwrap_or_default())
}

impl Function {
    /// Runs the operation that the event is for, and gives the answer that the event's sender expects. `xray` names
    /// the trace that AWS itself began, for events that bring none.
    pub async fn handle(&self, event: Value, xray: &str) -> Result<Value, Failure> {
        let trace = || {
            Trace::from_xray(xray, self.context.random())
                .unwrap_or_else(|| Trace::start(self.context.random()))
        };
        match Event::read(event).map_err(|problem| self.unusable(problem))? {
            Event::Http(event) => self.http(event, trace).await,
            Event::Direct(call) => self.direct(call).await,
            Event::Queue(records) => Ok(self.queue(records, trace).await),
            Event::Stream(records) => self.stream(records, trace()).await,
            Event::Step(call) => self.step(call).await,
            Event::Plain(body) => self.plain(body, trace()).await,
        }
    }

    async fn http(&self, event: Map<String, Value>, trace: impl Fn() -> Trace) -> Result<Value, Failure> {
        let begun = |header: &str| Trace::from_xray(header, self.context.random()).unwrap_or_else(&trace);
        let request = http_request(event, begun).map_err(|problem| self.unusable(problem))?;
        let response = http::answer(self.service, self.name.as_deref(), &self.context, request).await;
        Ok(http_response(response).map_err(|problem| self.unusable(problem))?)
    }

    async fn direct(&self, call: DirectCall) -> Result<Value, Failure> {
        let trace = Trace::parse(&call.traceparent).unwrap_or_else(|| Trace::start(self.context.random()));
        let found = self.named(&call.operation, |operation| operation.triggers.contains(&Trigger::Call));
        let outcome = match found {
            Ok(operation) => {
                let around = Around {
                    caller: call.caller(),
                    on_behalf_of: call.on_behalf_of,
                    reference: call.reference,
                    trace,
                };
                self.run(operation, around, call.body).await
            }
            Err(problem) => Err(self.unusable(problem)),
        };
        let answer = match outcome {
            Ok(reply) => DirectAnswer::Done(reply.body),
            Err(problem) => DirectAnswer::Refused(problem),
        };
        Ok(serde_json::to_value(answer).map_err(Problem::internal)?)
    }

    /// A state machine gets the answer itself, and a problem as the function's error, which its retries match on.
    async fn step(&self, call: StepCall) -> Result<Value, Failure> {
        let trace = Trace::parse(&call.traceparent).unwrap_or_else(|| Trace::start(self.context.random()));
        let operation = self.named(&call.step, |operation| operation.triggers.contains(&Trigger::Step));
        let operation = operation.map_err(|problem| self.unusable(problem))?;
        Ok(self.run(operation, Around::platform(trace), call.input).await?.body)
    }

    /// Each message stands for itself: those that fail come again, the others are done. They are worked on at once, so
    /// that each has all of the function's time, however long the bank lets the others wait.
    async fn queue(&self, records: Vec<QueueRecord>, trace: impl Fn() -> Trace) -> Value {
        let ended = join_all(records.iter().map(|record| self.message(record, &trace))).await;
        let failed = records.iter().zip(ended).filter(|(_, ended)| ended.is_err());
        let failures: Vec<Value> =
            failed.map(|(record, _)| json!({ "itemIdentifier": record.message_id })).collect();
        json!({ "batchItemFailures": failures })
    }

    async fn message(&self, record: &QueueRecord, trace: &impl Fn() -> Trace) -> Result<(), Problem> {
        let queue = record.queue.rsplit(':').next().unwrap_or_default();
        let (operation, traceparent, body) = match self.input_of(queue, &record.body) {
            Ok(input) => input,
            Err(problem) => {
                let message_id = &record.message_id;
                let cause = problem.cause.as_deref();
                tracing::error!(about = %format!("{queue} {message_id}"), cause, "a message cannot be read");
                return Err(problem);
            }
        };
        let trace = Trace::parse(&traceparent).unwrap_or_else(trace);
        self.run(operation, Around::platform(trace), body).await.map(drop)
    }

    /// The operation that a message is for, its trace and its input: a fact is the whole envelope.
    fn input_of(&self, queue: &str, text: &str) -> Result<(&'static Operation, String, Value), Problem> {
        let body: Value = serde_json::from_str(text).map_err(|_| Problem::internal("not JSON"))?;
        if body.get("detail-type").is_some() {
            let BusEvent { detail } = read(body)?;
            let traceparent = detail.traceparent.clone();
            let operation = self.of_queue(queue, &detail.kind)?;
            let fact = serde_json::to_value(detail).map_err(Problem::internal)?;
            return Ok((operation, traceparent, fact));
        }
        let Message { operation, traceparent, body } = read(body)?;
        let operation = self.named(&operation, |operation| operation.triggers.contains(&Trigger::Queue))?;
        Ok((operation, traceparent, body))
    }

    async fn stream(&self, records: Vec<StreamRecord>, trace: Trace) -> Result<Value, Failure> {
        let first = records.first().map(|record| record.dynamodb.sequence_number.clone());
        let change = |record: StreamRecord| StreamChange {
            sequence: record.dynamodb.sequence_number,
            old: record.dynamodb.old_image,
            new: record.dynamodb.new_image,
        };
        let batch = StreamBatch { changes: records.into_iter().map(change).collect() };
        let body = serde_json::to_value(batch).map_err(Problem::internal)?;
        let operation = self
            .only(|operation| operation.triggers.contains(&Trigger::Stream))
            .map_err(|problem| self.unusable(problem))?;
        let failed = match self.run(operation, Around::platform(trace), body).await {
            Ok(reply) => read::<Relayed>(reply.body)?.failed_sequence,
            Err(_) => first,
        };
        let failures: Vec<Value> =
            failed.iter().map(|sequence| json!({ "itemIdentifier": sequence })).collect();
        Ok(json!({ "batchItemFailures": failures }))
    }

    async fn plain(&self, body: Value, trace: Trace) -> Result<Value, Failure> {
        let is_rotation = body.get("Step").is_some() && body.get("ClientRequestToken").is_some();
        let operation = self.only(|operation| {
            operation.triggers.iter().any(|trigger| match trigger {
                Trigger::Rotation(_) => is_rotation,
                Trigger::Schedule(_) => !is_rotation,
                _ => false,
            })
        });
        let operation = operation.map_err(|problem| self.unusable(problem))?;
        Ok(self.run(operation, Around::platform(trace), body).await?.body)
    }

    async fn run(
        &self,
        operation: &'static Operation,
        around: Around,
        body: Value,
    ) -> Result<Reply<Value>, Problem> {
        let trace = around.trace.clone();
        log::told(self.service, operation.name, &self.context, &trace, |context, story| async move {
            let call = Call {
                operation: self.service.full_name(operation),
                caller: around.caller,
                on_behalf_of: around.on_behalf_of,
                idempotency_key: None,
                reference: around.reference,
                if_match: None,
                trace: around.trace,
                now: context.clock.now(),
                fingerprint: seal::digest(&[&body.to_string()]),
                body,
            };
            story.of_call(&call);
            (operation.handle)(&context, call).await
        })
        .await
    }

    /// Tells the log of an event that no operation could be run for.
    fn unusable(&self, problem: Problem) -> Problem {
        tracing::error!(cause = problem.cause.as_deref(), "an event cannot be used");
        problem
    }

    /// This function's own operation, or on a laptop the only one that fits.
    fn only(&self, fits: impl Fn(&Operation) -> bool) -> Result<&'static Operation, Problem> {
        if let Some(name) = &self.name {
            return self.service.operation(name).ok_or_else(|| Problem::internal("no such operation"));
        }
        let mut fitting = self.service.operations.iter().filter(|operation| fits(operation));
        match (fitting.next(), fitting.next()) {
            (Some(operation), None) => Ok(operation),
            (None, _) => Err(Problem::internal("no operation takes such an event")),
            _ => Err(Problem::internal("several operations take such an event: set _HANDLER")),
        }
    }

    /// The operation of this full name, if it is this function's and may be reached so.
    fn named(
        &self,
        full_name: &str,
        may: impl Fn(&Operation) -> bool,
    ) -> Result<&'static Operation, Problem> {
        let operation = self.only(|operation| self.service.full_name(operation) == full_name)?;
        if self.service.full_name(operation) == full_name && may(operation) {
            return Ok(operation);
        }
        Err(Problem::internal(format!("{full_name} is not what this function does")))
    }

    /// The operation whose queue brought a fact of this type.
    fn of_queue(&self, queue: &str, fact: &str) -> Result<&'static Operation, Problem> {
        let listens = |operation: &Operation| {
            operation.triggers.iter().any(|trigger| matches!(trigger, Trigger::Fact(kind) if *kind == fact))
        };
        let operation = self.only(|operation| {
            listens(operation) && resource_name(&self.prefix, &self.service.full_name(operation)) == queue
        })?;
        if listens(operation) {
            return Ok(operation);
        }
        Err(Problem::internal(format!("nothing here listens to {fact}")))
    }
}

/// A call without its operation and input.
struct Around {
    caller: Caller,
    on_behalf_of: Option<kernel::id::MembershipId>,
    reference: Option<contract::Reference>,
    trace: Trace,
}

impl Around {
    fn platform(trace: Trace) -> Around {
        Around { caller: Caller::Platform, on_behalf_of: None, reference: None, trace }
    }
}

/// Headers are taken out first: the type for the rest refuses texts that HTTP allows in them.
///
/// A caller's trace is taken over; else it is the one that the gateway's own header names, by `begun`.
fn http_request(
    mut event: Map<String, Value>,
    begun: impl FnOnce(&str) -> Trace,
) -> Result<http::Request, Problem> {
    let headers = event.remove("headers").unwrap_or_default();
    let mut headers: Vec<(String, String)> = headers
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned())))
        .collect();
    let has_trace = |(name, value): &(String, String)| name == "traceparent" && Trace::parse(value).is_some();
    if !headers.iter().any(has_trace) {
        headers.retain(|(name, _)| name != "traceparent");
        let xray = headers.iter().find(|(name, _)| name == "x-amzn-trace-id");
        let trace = begun(xray.map_or("", |(_, value)| value));
        headers.push(("traceparent".to_owned(), trace.traceparent().to_owned()));
    }
    let event: ApiGatewayV2httpRequest = read(Value::Object(event))?;
    let text = event.body.unwrap_or_default();
    let body = if event.is_base64_encoded {
        BASE64.decode(text.as_bytes()).map_err(|_| Problem::internal("the body is not base64"))?
    } else {
        text.into_bytes()
    };
    let jwt = event.request_context.authorizer.and_then(|authorizer| authorizer.jwt);
    let claims = jwt.map(|jwt| {
        let claim = |name| jwt.claims.get(name).cloned().unwrap_or_default();
        http::Claims { sub: claim("sub"), scope: claim("scope"), sid: claim("sid") }
    });
    Ok(http::Request {
        method: event.request_context.http.method.as_str().to_owned(),
        path: event.raw_path.unwrap_or_default(),
        query: event.raw_query_string.unwrap_or_default(),
        headers,
        body,
        claims,
    })
}

fn http_response(response: http::Response) -> Result<Value, Problem> {
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = response.status.into();
    for (name, value) in response.headers {
        let value = HeaderValue::from_str(&value).map_err(Problem::internal)?;
        answer.headers.insert(HeaderName::from_static(name), value);
    }
    answer.body = (!response.body.is_empty()).then_some(Body::Text(response.body));
    serde_json::to_value(answer).map_err(Problem::internal)
}
