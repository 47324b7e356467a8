//! What a call did, for the last line that it leaves in the log.
//!
//! The ports that an operation is given are wrapped, so that nothing that it does with the world is left out and no
//! operation has to tell. A step says what was asked, when, how long it took and how it went: never an input, an
//! answer or a key. Of an item it says the kind, its state, and of a ledger entry the amount: not whose it is.

use crate::{
    Call, Caller, Context, Trace, Trigger, log,
    ports::{
        Bus, Calls, Clock, DirectAnswer, DirectCall, Egress, Execution, Incoming, Outgoing, Queues,
        Unanswered, Workflows,
    },
};
use async_trait::async_trait;
use events::Envelope;
use kernel::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use store::{AttributeValue, CommitError, Item, Key, Page, Query, Read, Table, Unavailable, Write, kind_of};

/// How many steps a line tells. A sweep may take thousands.
const MOST_STEPS: usize = 200;

/// What a call has done up to now.
pub struct Story {
    began: Timestamp,
    clock: Arc<dyn Clock>,
    trace: String,
    triggers: &'static [Trigger],
    told: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    steps: Vec<Step>,
    left_out: usize,
    unanswered: u64,
    ids: BTreeSet<String>,
    days: BTreeSet<String>,
    caller: Option<String>,
    fact: Option<&'static str>,
}

/// A step of a call.
#[derive(Serialize)]
struct Step {
    /// Milliseconds since the call began.
    at: i64,
    /// How many it took.
    ms: i64,
    /// `call`, `commit`, `queue`, `fact`, `bank` or `start`.
    did: &'static str,
    /// What was asked, for or of whom.
    what: String,
    /// How it went.
    went: String,
    /// The trace, if the step belongs to another than the call does.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

/// What the last line says. Texts are JSON.
pub(crate) struct Told {
    pub millis: i64,
    pub unanswered: Option<u64>,
    pub ids: Option<String>,
    pub days: Option<String>,
    pub steps: Option<String>,
    pub caller: Option<String>,
    pub fact: Option<&'static str>,
}

impl Story {
    /// Begins the story of a call of an operation with these triggers, and wraps the ports that it is told through.
    pub fn begin(context: &Context, trace: &Trace, triggers: &'static [Trigger]) -> (Arc<Story>, Context) {
        let story = Arc::new(Story {
            began: context.clock.now(),
            clock: context.clock.clone(),
            trace: trace.id().to_owned(),
            triggers,
            told: Mutex::default(),
        });
        let through = |context: &Context| Through { story: story.clone(), context: context.clone() };
        let through = Arc::new(through(context));
        let wrapped = Context {
            table: through.clone(),
            calls: through.clone(),
            bus: through.clone(),
            queues: through.clone(),
            workflows: through.clone(),
            egress: through,
            ..context.clone()
        };
        (story, wrapped)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes who calls, with which input.
    pub fn of_call(&self, call: &Call<Value>) {
        self.about(&call.body);
        let mut noted = self.noted();
        noted.caller = Some(log::caller_of(call));
        noted.fact = fact_of(self.triggers, call);
        let reference = call.reference.as_ref().and_then(|reference| log::id_in(&reference.id));
        noted.ids.extend(reference.map(str::to_owned));
    }

    /// Notes the ids in an input or an answer.
    pub fn about(&self, value: &Value) {
        let Noted { ids, days, .. } = &mut *self.noted();
        log::gather(value, ids, days);
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn step(&self, began: Timestamp, did: &'static str, what: String, went: String, trace: Option<&str>) {
        let step = Step {
            at: began.millis_since(self.began),
            ms: self.now().millis_since(began),
            did,
            what,
            went,
            trace: trace.filter(|trace| *trace != self.trace).map(str::to_owned),
        };
        let mut noted = self.noted();
        if noted.steps.len() < MOST_STEPS {
            noted.steps.push(step);
        } else {
            noted.left_out = noted.left_out.saturating_add(1);
        }
    }

    fn missed(&self) {
        let mut noted = self.noted();
        noted.unanswered = noted.unanswered.saturating_add(1);
    }

    pub(crate) fn told(&self) -> Told {
        let millis = self.now().millis_since(self.began);
        let mut noted = self.noted();
        if noted.left_out > 0 {
            let went = format!("{} more are not told", noted.left_out);
            noted.steps.push(Step { at: millis, ms: 0, did: "more", what: String::new(), went, trace: None });
        }
        Told {
            millis,
            unanswered: (noted.unanswered > 0).then_some(noted.unanswered),
            ids: json(&noted.ids, noted.ids.is_empty()),
            days: json(&noted.days, noted.days.is_empty()),
            steps: json(&noted.steps, noted.steps.is_empty()),
            caller: noted.caller.clone(),
            fact: noted.fact,
        }
    }
}

/// The fact that the platform brings to an operation that listens to it, as the operation's own triggers spell it. What
/// anybody else sends may look like one; taken over, it would let them choose what the log says.
fn fact_of(triggers: &[Trigger], call: &Call<Value>) -> Option<&'static str> {
    let told = call.body.get("type").and_then(Value::as_str).filter(|_| call.caller == Caller::Platform)?;
    triggers.iter().find_map(|trigger| match trigger {
        Trigger::Fact(known) if *known == told => Some(*known),
        _ => None,
    })
}

fn json(value: &impl Serialize, is_empty: bool) -> Option<String> {
    if is_empty { None } else { serde_json::to_string(value).ok() }
}

/// The ports of a call, each passing on what it is asked.
struct Through {
    story: Arc<Story>,
    context: Context,
}

const DONE: &str = "done";

#[async_trait]
impl Calls for Through {
    async fn invoke(&self, call: &DirectCall, timeout_ms: u32) -> Result<DirectAnswer, Unanswered> {
        let began = self.story.now();
        let answer = self.context.calls.invoke(call, timeout_ms).await;
        let went = match &answer {
            Ok(DirectAnswer::Done(_)) => DONE.to_owned(),
            Ok(DirectAnswer::Refused(problem)) => problem.code.to_string(),
            Err(Unanswered(why)) => why.clone(),
        };
        if answer.is_err() {
            self.story.missed();
        }
        let trace = Trace::parse(&call.traceparent);
        self.story.step(began, "call", call.operation.clone(), went, trace.as_ref().map(Trace::id));
        answer
    }
}

#[async_trait]
impl Egress for Through {
    async fn send(&self, request: Outgoing) -> Result<Incoming, Unanswered> {
        let began = self.story.now();
        let what = format!("{} {}", request.method, path_of(&request.url));
        let header = request.headers.iter().find(|(name, _)| *name == "traceparent");
        let trace = header.and_then(|(_, value)| Trace::parse(value));
        let answer = self.context.egress.send(request).await;
        let went = match &answer {
            Ok(answer) => answer.status.to_string(),
            Err(Unanswered(why)) => why.clone(),
        };
        if answer.is_err() {
            self.story.missed();
        }
        self.story.step(began, "bank", what, went, trace.as_ref().map(Trace::id));
        answer
    }
}

/// A URL's path. What is a number and nothing else may be an account's, and is left out.
fn path_of(url: &str) -> String {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let path = path.split('?').next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let shown = path.split('/').map(|part| if is_number(part) { "…" } else { part });
    shown.fold(String::new(), |path, part| format!("{path}/{part}"))
}

#[async_trait]
impl Queues for Through {
    async fn send(
        &self,
        operation: &str,
        body: &Value,
        delay_seconds: u32,
        trace: &Trace,
    ) -> Result<(), Unanswered> {
        let began = self.story.now();
        let sent = self.context.queues.send(operation, body, delay_seconds, trace).await;
        let went = match &sent {
            Ok(()) if delay_seconds > 0 => format!("comes after {delay_seconds} s"),
            Ok(()) => DONE.to_owned(),
            Err(error) => error.to_string(),
        };
        self.story.step(began, "queue", operation.to_owned(), went, Some(trace.id()));
        sent
    }
}

#[async_trait]
impl Bus for Through {
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<usize>, Unanswered> {
        let began = self.story.now();
        let published = self.context.bus.publish(events).await;
        for (place, event) in events.iter().enumerate() {
            let went = match &published {
                Ok(failed) if failed.contains(&place) => "not taken".to_owned(),
                Ok(_) => "published".to_owned(),
                Err(error) => error.to_string(),
            };
            let trace = Trace::parse(&event.traceparent);
            self.story.step(began, "fact", event.kind.clone(), went, trace.as_ref().map(Trace::id));
        }
        published
    }
}

#[async_trait]
impl Workflows for Through {
    async fn start(&self, workflow: &str, execution: &str, input: &Value) -> Result<Execution, Unanswered> {
        let began = self.story.now();
        let started = self.context.workflows.start(workflow, execution, input).await;
        let went = match &started {
            Ok(Execution::Running) => "running".to_owned(),
            Ok(Execution::Ended) => "had ended".to_owned(),
            Err(error) => error.to_string(),
        };
        let trace = input.get("traceparent").and_then(Value::as_str).and_then(Trace::parse);
        let what = format!("{workflow} {execution}");
        self.story.step(began, "start", what, went, trace.as_ref().map(Trace::id));
        started
    }
}

#[async_trait]
impl Table for Through {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        self.context.table.get(key, read).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        self.context.table.query(query).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        let began = self.story.now();
        let committed = self.context.table.commit(writes).await;
        let went = match &committed {
            Ok(()) => DONE.to_owned(),
            Err(error) => error.to_string(),
        };
        let what: Vec<String> = writes.iter().filter_map(told_of).collect();
        self.story.step(began, "commit", what.join(", "), went, None);
        committed
    }
}

/// An item that is put, in words: `payment normal`, `entry recharge 30000 won, #2`.
fn told_of(write: &Write) -> Option<String> {
    let item = match write {
        Write::Put(item, _) => item,
        Write::Delete(key, _) => {
            return Some(format!("delete {}", key.sort.split('#').next().unwrap_or_default()));
        }
        Write::Check(..) => return None,
    };
    let mut told = kind_of(item).to_owned();
    for name in ["state", "purpose", "refusal"] {
        if let Some(AttributeValue::S(word)) = item.get(name) {
            told = format!("{told} {word}");
        }
    }
    // Only the ledger's: what moved is what a story of money is about.
    if item.contains_key("purpose") {
        if let Some(AttributeValue::N(amount)) = item.get("amount").filter(|amount| !is_zero(amount)) {
            told = format!("{told} {amount} won");
        }
        if let Some(AttributeValue::N(place)) = item.get("sequence") {
            told = format!("{told} #{place}");
        }
    }
    Some(told)
}

fn is_zero(value: &AttributeValue) -> bool {
    matches!(value, AttributeValue::N(digits) if digits == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_without_account_numbers() {
        assert_eq!(path_of("https://bank.example/v1/accounts/9990000000001?x=1"), "/v1/accounts/…");
        assert_eq!(path_of("http://127.0.0.1:4566/v1/transfers/fbk_1-2/void"), "/v1/transfers/fbk_1-2/void");
    }
}
