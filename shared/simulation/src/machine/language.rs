//! Step Functions' language, as far as Pay's machines use it: whatever else stands in a file is refused loudly.
//!
//! The fields are those of the Amazon States Language with JSONata. A field that is not here is one that the
//! interpreter would have to ignore, and then it would run another machine than AWS does.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A whole machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Definition {
    /// Why it is there.
    pub comment: String,
    /// How expressions are written.
    pub query_language: QueryLanguage,
    /// Where it begins.
    pub start_at: String,
    /// When it is ended.
    pub timeout_seconds: i64,
    /// Its states.
    pub states: BTreeMap<String, State>,
}

/// How expressions are written.
#[derive(Debug, Deserialize)]
pub enum QueryLanguage {
    /// Between `{%` and `%}`.
    #[serde(rename = "JSONata")]
    JsonAta,
}

/// What a map does with each item: a machine within the machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Processor {
    /// As what it runs.
    pub processor_config: ProcessorConfig,
    /// Where it begins.
    pub start_at: String,
    /// Its states.
    pub states: BTreeMap<String, State>,
}

/// As what a map's items run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "Mode", rename_all = "UPPERCASE")]
pub enum ProcessorConfig {
    /// As a part of their execution.
    Inline {},
    /// As executions of their own.
    Distributed {
        /// Of this kind.
        #[serde(rename = "ExecutionType")]
        execution_type: ExecutionType,
    },
}

/// A kind of execution.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionType {
    /// At least once, and five minutes at most.
    Express,
}

/// A state.
#[derive(Debug, Deserialize)]
#[serde(tag = "Type")]
pub enum State {
    /// Calls a function.
    Task(Task),
    /// Goes one way or another.
    Choice(Choice),
    /// Does the same for many.
    Map(Map),
    /// Lets time pass.
    Wait(Wait),
    /// Keeps something in mind.
    Pass(Pass),
    /// Ends well.
    Succeed(Succeed),
    /// Ends badly.
    Fail(Fail),
}

/// Calls a function.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Task {
    /// Why it is there.
    pub comment: String,
    /// `arn:aws:states:::lambda:invoke`.
    pub resource: String,
    /// Which function, and with what.
    pub arguments: Value,
    /// How long it waits.
    pub timeout_seconds: i64,
    /// What it tries again.
    #[serde(default)]
    pub retry: Vec<Retrier>,
    /// What it does about the rest.
    #[serde(default)]
    pub catch: Vec<Catcher>,
    /// What it keeps in mind.
    #[serde(default)]
    pub assign: BTreeMap<String, Value>,
    /// What it hands on.
    pub output: Option<Value>,
    /// What comes next.
    pub next: Option<String>,
    /// Or nothing does.
    #[serde(default)]
    pub end: bool,
}

/// What is tried again, and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Retrier {
    /// These errors.
    pub error_equals: Vec<String>,
    /// After so long for the first time.
    pub interval_seconds: i64,
    /// So often.
    pub max_attempts: u32,
    /// So many times longer each time.
    pub backoff_rate: i64,
    /// But not longer than that.
    pub max_delay_seconds: i64,
    /// At a random moment of it.
    pub jitter_strategy: Jitter,
}

/// Where in its delay an attempt is made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Jitter {
    /// Anywhere.
    Full,
}

/// What is done about an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Catcher {
    /// These errors.
    pub error_equals: Vec<String>,
    /// What comes next.
    pub next: String,
}

/// Goes one way or another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Choice {
    /// Why it is there.
    pub comment: String,
    /// The first that holds is taken.
    pub choices: Vec<Rule>,
    /// Where none holds.
    pub default: String,
}

/// A way that may be taken.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Rule {
    /// When.
    pub condition: String,
    /// Where it leads.
    pub next: String,
}

/// Does the same for many.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Map {
    /// Why it is there.
    pub comment: String,
    /// What its executions are called.
    pub label: Option<String>,
    /// For what.
    pub items: Value,
    /// What each is given; the item itself if nothing is said.
    pub item_selector: Option<Value>,
    /// How many at once.
    pub max_concurrency: usize,
    /// How many may fail, of a hundred.
    #[serde(default)]
    pub tolerated_failure_percentage: usize,
    /// What is done.
    pub item_processor: Processor,
    /// What it hands on.
    pub output: Option<Value>,
    /// What comes next.
    pub next: Option<String>,
    /// Or nothing does.
    #[serde(default)]
    pub end: bool,
}

/// Lets time pass.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Wait {
    /// Why it is there.
    pub comment: String,
    /// How much.
    pub seconds: Value,
    /// What comes next.
    pub next: String,
}

/// Keeps something in mind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Pass {
    /// Why it is there.
    pub comment: String,
    /// What it keeps in mind.
    #[serde(default)]
    pub assign: BTreeMap<String, Value>,
    /// What it hands on.
    pub output: Option<Value>,
    /// What comes next.
    pub next: Option<String>,
    /// Or nothing does.
    #[serde(default)]
    pub end: bool,
}

/// Ends well.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Succeed {
    /// Why it is there.
    pub comment: String,
}

/// Ends badly.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub struct Fail {
    /// Why it is there.
    pub comment: String,
    /// With this error.
    pub error: String,
}
