//! An interpreter of state machines: it runs the very file that Step Functions runs.
//!
//! It keeps to AWS's limits (how long a child may live, how large a payload and how long a history may be), so that
//! a machine that outgrows them fails here first. What surrounds it, time and functions, is a [`Host`]'s.

pub mod expressions;
pub mod language;

use async_trait::async_trait;
use contract::ports::StepCall;
use expressions::Names;
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    future::{BoxFuture, Either, join_all, select},
    stream,
};
use language::{Definition, Map, Pass, Processor, ProcessorConfig, Retrier, State, Task};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
};

/// How large an input or an output may be, in bytes.
const MOST_PAYLOAD: usize = 256 * 1024;
/// How many events a Standard execution's history may have.
const MOST_EVENTS: u64 = 25_000;
/// How long an Express execution may run, in milliseconds.
const MOST_EXPRESS_MS: i64 = 300_000;
/// The one thing that tasks do.
const INVOKE: &str = "arn:aws:states:::lambda:invoke";

/// How a step or a whole execution failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What retries and catches match.
    pub error: String,
    /// Why, for people.
    pub cause: String,
}

impl Failed {
    /// With this error, for this reason.
    pub fn new(error: &str, cause: impl Into<String>) -> Failed {
        Failed { error: error.to_owned(), cause: cause.into() }
    }
}

/// What surrounds an execution.
#[async_trait]
pub trait Host: Send + Sync {
    /// Has a function take a step, and waits so long for its answer.
    async fn invoke(&self, call: StepCall, timeout_ms: i64) -> Result<Value, Failed>;
    /// Lets time pass.
    async fn wait(&self, millis: i64);
    /// A number from 0 to this one.
    fn jitter(&self, most: i64) -> i64;
    /// How often an Express child runs: at least once.
    fn runs_of_child(&self) -> usize;
    /// A state is entered.
    fn entered(&self, state: &str);
}

/// A machine.
#[derive(Debug)]
pub struct Machine(Definition);

/// What a state sees and can change.
struct Scope {
    outer: BTreeMap<String, Value>,
    own: BTreeMap<String, Value>,
    context: Value,
}

/// Where a state leads, and with what.
struct Way<'a> {
    output: Value,
    next: Option<&'a str>,
}

impl Machine {
    /// Reads a machine. A file that says something that the interpreter does not know is refused.
    pub fn read(text: &str) -> Machine {
        let machine = Machine(serde_json::from_str(text).expect("a machine that the interpreter knows"));
        holds(&machine.0.start_at, &machine.0.states);
        machine
    }

    /// Runs an execution to its end.
    pub async fn execute(&self, host: &dyn Host, name: &str, input: Value) -> Result<Value, Failed> {
        let events = AtomicU64::new(2);
        let scope = Scope::of(name, &input, BTreeMap::new());
        let execution = Execution { host, events: Some(&events) };
        let work = execution.walk(&self.0.start_at, &self.0.states, input, scope);
        execution.limited(work, self.0.timeout_seconds * 1000).await
    }
}

/// Every state that is named is there, and each says what comes next or that nothing does.
fn holds(start: &str, states: &BTreeMap<String, State>) {
    let end = |next: &Option<String>, end: bool| {
        assert!(next.is_some() != end, "a state goes on or ends");
        next.iter().cloned().collect::<Vec<_>>()
    };
    let named = states.values().flat_map(|state| match state {
        State::Task(task) => {
            assert_eq!(task.resource, INVOKE, "there is one thing that tasks do");
            let caught = task.catch.iter().map(|catcher| catcher.next.clone());
            end(&task.next, task.end).into_iter().chain(caught).collect()
        }
        State::Choice(choice) => {
            let ways = choice.choices.iter().map(|rule| rule.next.clone());
            ways.chain([choice.default.clone()]).collect()
        }
        State::Map(map) => {
            holds(&map.item_processor.start_at, &map.item_processor.states);
            end(&map.next, map.end)
        }
        State::Wait(wait) => vec![wait.next.clone()],
        State::Pass(pass) => end(&pass.next, pass.end),
        State::Succeed(_) | State::Fail(_) => Vec::new(),
    });
    for name in named.chain([start.to_owned()]) {
        assert!(states.contains_key(&name), "there is no state {name}");
    }
}

impl Scope {
    fn of(name: &str, input: &Value, outer: BTreeMap<String, Value>) -> Scope {
        let context = json!({ "Execution": { "Name": name, "Input": input } });
        Scope { outer, own: BTreeMap::new(), context }
    }

    /// The scope of a map's item, which sees what is around it and can change nothing of it.
    fn of_item(&self, index: usize, item: &Value) -> Scope {
        let mut context = self.context.clone();
        context["Map"] = json!({ "Item": { "Index": index, "Value": item } });
        let known = self.outer.iter().chain(&self.own);
        let outer = known.map(|(name, value)| (name.clone(), value.clone())).collect();
        Scope { outer, own: BTreeMap::new(), context }
    }

    fn fill(&self, template: &Value, input: &Value, result: Option<&Value>) -> Result<Value, Failed> {
        let mut states = json!({ "input": input, "context": self.context });
        if let Some(result) = result {
            states["result"] = result.clone();
        }
        Names { states: &states, scopes: [&self.outer, &self.own] }.fill(template)
    }

    fn output(
        &self,
        template: Option<&Value>,
        input: &Value,
        result: Option<&Value>,
    ) -> Result<Value, Failed> {
        let output = match template {
            Some(template) => self.fill(template, input, result)?,
            None => result.unwrap_or(input).clone(),
        };
        small(&output)?;
        Ok(output)
    }

    /// What is assigned is computed from what was known before, all at once.
    fn assigned(
        &self,
        assign: &BTreeMap<String, Value>,
        input: &Value,
        result: Option<&Value>,
    ) -> Result<BTreeMap<String, Value>, Failed> {
        let mut assigned = BTreeMap::new();
        for (name, template) in assign {
            assert!(!self.outer.contains_key(name), "AWS refuses that an inner state assigns ${name}");
            assigned.insert(name.clone(), self.fill(template, input, result)?);
        }
        Ok(assigned)
    }
}

fn small(payload: &Value) -> Result<(), Failed> {
    if payload.to_string().len() <= MOST_PAYLOAD {
        return Ok(());
    }
    Err(Failed::new("States.DataLimitExceeded", "a payload is larger than 256 KB"))
}

/// An execution, or a part of one. An Express execution has no history whose length is limited.
struct Execution<'a> {
    host: &'a dyn Host,
    events: Option<&'a AtomicU64>,
}

impl<'a> Execution<'a> {
    /// Ends what takes too long.
    async fn limited(
        &self,
        work: impl Future<Output = Result<Value, Failed>>,
        most_ms: i64,
    ) -> Result<Value, Failed> {
        let limit = self.host.wait(most_ms);
        match select(pin!(work), limit).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Err(Failed::new("States.Timeout", "the execution takes too long")),
        }
    }

    fn count(&self, more: u64) -> Result<(), Failed> {
        let Some(events) = self.events else { return Ok(()) };
        if events.fetch_add(more, Ordering::Relaxed) + more <= MOST_EVENTS {
            return Ok(());
        }
        Err(Failed::new("States.Runtime", "the history has more than 25 000 events"))
    }

    /// From the first state to the last.
    fn walk(
        &'a self,
        start: &'a str,
        states: &'a BTreeMap<String, State>,
        input: Value,
        mut scope: Scope,
    ) -> BoxFuture<'a, Result<Value, Failed>> {
        Box::pin(async move {
            let (mut at, mut data) = (start, input);
            loop {
                self.count(2)?;
                self.host.entered(at);
                let way = match &states[at] {
                    State::Task(task) => self.task(task, &data, &mut scope).await?,
                    State::Map(map) => self.map(map, &data, &scope).await?,
                    State::Pass(pass) => take(pass, &data, &mut scope)?,
                    State::Choice(choice) => {
                        let mut next = choice.default.as_str();
                        for rule in choice.choices.iter().rev() {
                            let condition = Value::String(rule.condition.clone());
                            match scope.fill(&condition, &data, None)? {
                                Value::Bool(true) => next = &rule.next,
                                Value::Bool(false) => {}
                                other => panic!("{} comes to {other}", rule.condition),
                            }
                        }
                        Way { output: data, next: Some(next) }
                    }
                    State::Wait(wait) => {
                        let seconds = scope.fill(&wait.seconds, &data, None)?.as_i64();
                        self.host.wait(seconds.expect("whole seconds") * 1000).await;
                        Way { output: data, next: Some(&wait.next) }
                    }
                    State::Succeed(_) => Way { output: data, next: None },
                    State::Fail(fail) => return Err(Failed::new(&fail.error, at)),
                };
                match way.next {
                    Some(next) => (at, data) = (next, way.output),
                    None => return Ok(way.output),
                }
            }
        })
    }

    async fn task<'t>(&self, task: &'t Task, input: &Value, scope: &mut Scope) -> Result<Way<'t>, Failed> {
        let mut tried = vec![0; task.retry.len()];
        loop {
            let failed = match self.attempt(task, input, scope).await {
                Ok((output, assigned)) => {
                    scope.own.extend(assigned);
                    return Ok(Way { output, next: task.next.as_deref() });
                }
                Err(failed) => failed,
            };
            let found =
                task.retry.iter().zip(&mut tried).find(|(retrier, _)| is_of(&failed, &retrier.error_equals));
            if let Some((retrier, tried)) = found
                && *tried < retrier.max_attempts
            {
                self.host.wait(self.host.jitter(delay_ms(retrier, *tried))).await;
                *tried += 1;
                continue;
            }
            let catcher = task.catch.iter().find(|catcher| is_of(&failed, &catcher.error_equals));
            let catcher = catcher.ok_or_else(|| failed.clone())?;
            let output = json!({ "Error": failed.error, "Cause": failed.cause });
            return Ok(Way { output, next: Some(&catcher.next) });
        }
    }

    async fn attempt(
        &self,
        task: &Task,
        input: &Value,
        scope: &Scope,
    ) -> Result<(Value, BTreeMap<String, Value>), Failed> {
        self.count(3)?;
        let mut arguments = scope.fill(&task.arguments, input, None)?;
        small(&arguments)?;
        let function = arguments["FunctionName"].take();
        let call: StepCall = serde_json::from_value(arguments["Payload"].take()).expect("a step");
        let called = call.step.rsplit('.').next().unwrap_or_default();
        assert_eq!(function, format!("${{{called}}}"), "the function is not the step's");
        let payload = self.host.invoke(call, task.timeout_seconds * 1000).await?;
        small(&payload)?;
        let result = json!({ "StatusCode": 200, "Payload": payload });
        let output = scope.output(task.output.as_ref(), input, Some(&result))?;
        Ok((output, scope.assigned(&task.assign, input, Some(&result))?))
    }

    async fn map<'t>(&self, map: &'t Map, input: &Value, scope: &Scope) -> Result<Way<'t>, Failed> {
        let Value::Array(items) = scope.fill(&map.items, input, None)? else {
            return Err(Failed::new("States.QueryEvaluationError", "a map's items are an array"));
        };
        let mut given = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let within = scope.of_item(index, &item);
            let selected = match &map.item_selector {
                Some(selector) => within.fill(selector, input, None)?,
                None => item,
            };
            given.push((index, selected, within));
        }
        let processor = &map.item_processor;
        let results = match processor.processor_config {
            ProcessorConfig::Inline {} => {
                let work = given.into_iter().map(|(index, item, within)| async move {
                    let done = self.walk(&processor.start_at, &processor.states, item, within).await;
                    done.map(|output| (index, output))
                });
                let work: Vec<_> = work.collect();
                stream::iter(work)
                    .buffer_unordered(map.max_concurrency)
                    .try_collect::<BTreeMap<_, _>>()
                    .await?
            }
            ProcessorConfig::Distributed { .. } => self.children(map, given).await?,
        };
        let results = Value::Array(results.into_values().collect());
        let output = scope.output(map.output.as_ref(), input, Some(&results))?;
        Ok(Way { output, next: map.next.as_deref() })
    }

    /// Children are executions of their own: they know what they are given, and nothing else.
    async fn children(
        &self,
        map: &Map,
        given: Vec<(usize, Value, Scope)>,
    ) -> Result<BTreeMap<usize, Value>, Failed> {
        self.count(4)?;
        let all = given.len();
        let host = self.host;
        let work: Vec<_> = given
            .into_iter()
            .map(|(index, item, _)| async move { (index, child(host, &map.item_processor, item).await) })
            .collect();
        let ended: Vec<_> = stream::iter(work).buffer_unordered(map.max_concurrency).collect().await;
        let failed = ended.iter().filter(|(_, outcome)| outcome.is_err()).count();
        if failed * 100 > map.tolerated_failure_percentage * all {
            return Err(Failed::new("States.ExceedToleratedFailureThreshold", "too many children failed"));
        }
        Ok(ended.into_iter().filter_map(|(index, outcome)| Some((index, outcome.ok()?))).collect())
    }
}

/// An Express child, which may run several times at once; what the first run answers counts.
async fn child(host: &dyn Host, processor: &Processor, input: Value) -> Result<Value, Failed> {
    small(&input)?;
    let run = |input: Value| async move {
        let execution = Execution { host, events: None };
        let scope = Scope::of("a child", &input, BTreeMap::new());
        let work = execution.walk(&processor.start_at, &processor.states, input, scope);
        execution.limited(work, MOST_EXPRESS_MS).await
    };
    let runs = (0..host.runs_of_child()).map(|_| run(input.clone()));
    join_all(runs).await.into_iter().next().expect("a child runs at least once")
}

fn take<'t>(pass: &'t Pass, input: &Value, scope: &mut Scope) -> Result<Way<'t>, Failed> {
    let output = scope.output(pass.output.as_ref(), input, None)?;
    let assigned = scope.assigned(&pass.assign, input, None)?;
    scope.own.extend(assigned);
    Ok(Way { output, next: pass.next.as_deref() })
}

fn is_of(failed: &Failed, errors: &[String]) -> bool {
    // What AWS never lets anybody catch.
    let is_final = ["States.DataLimitExceeded", "States.Runtime"].contains(&failed.error.as_str());
    errors.iter().any(|error| *error == failed.error || error == "States.ALL" && !is_final)
}

fn delay_ms(retrier: &Retrier, tried: u32) -> i64 {
    let grown =
        (0..tried).fold(retrier.interval_seconds, |delay, _| delay.saturating_mul(retrier.backoff_rate));
    grown.min(retrier.max_delay_seconds) * 1000
}
