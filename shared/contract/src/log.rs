//! What a log line may hold, and the metrics that are counted from lines.
//!
//! Both are declared here once. A line is one flat JSON object; shared/aws writes it, docs/observability.md explains
//! it, and tests hold every line of every function to it. A metric is a number in a line that also says so
//! (CloudWatch's embedded metric format): nothing is sent anywhere, and what does not happen costs nothing.

use crate::{Call, Caller, Context, Problem, Reply, Scope, Service, Trace, story::Story};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};
use tracing::Instrument;

/// A field of a log line.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Whether every line has it.
    pub always: bool,
    /// What it says.
    pub about: &'static str,
}

const fn always(name: &'static str, about: &'static str) -> Field {
    Field { name, always: true, about }
}

const fn sometimes(name: &'static str, about: &'static str) -> Field {
    Field { name, always: false, about }
}

/// Every field that a line may have.
pub static FIELDS: &[Field] = &[
    always("timestamp", "when, in UTC, with milliseconds; of a call's last line: when it ended"),
    always("level", "INFO, WARN (something has no answer yet) or ERROR (somebody should look)"),
    always("message", "what happened, for people"),
    always("service", "the service"),
    always("operation", "the operation; `none` outside of one"),
    sometimes("trace_id", "the trace: 32 hexadecimal digits; every line of a call has it"),
    sometimes(
        "caller",
        "who called: a member (never which), an operator by membership id, an operation's full name, the platform, or nobody known",
    ),
    sometimes("status", "the HTTP status, or what it would be"),
    sometimes("code", "why it was refused or failed: a stable code"),
    sometimes("cause", "what lies behind a failure, for the one who looks; never personal data"),
    sometimes("replayed", "the answer is an earlier one again, because the same request came again"),
    sometimes("millis", "how long the call took"),
    sometimes(
        "ids",
        "what the call was about: ids of payments, remittances, requests, firmbankings, settlements …",
    ),
    sometimes("days", "which business days it was about"),
    sometimes("steps", "what the call did, in order: calls, commits, messages, facts, the bank; see below"),
    sometimes("fact", "the type of the fact that set it going, or that is counted"),
    sometimes("record", "the kind of a record whose state is counted"),
    sometimes("state", "the state that records of this kind have come to"),
    sometimes("checked", "how many items an audit has looked at"),
    sometimes("rule", "the rule that an audit found broken"),
    sometimes("subject", "where it is broken: an id"),
    sometimes("detail", "how it is broken"),
    sometimes("about", "which id or queue a line within a call is about"),
    sometimes("place", "the source file and line of a panic"),
    sometimes("refusals", "metric: this call was refused"),
    sometimes("unanswered", "metric: how many of this call's own calls got no answer"),
    sometimes("reached", "metric: how many records have come to this state"),
    sometimes("won", "metric: the amounts of these facts, one number each"),
    sometimes("fees", "metric: what Pay kept of these payouts, one number each"),
    sometimes("unknowns", "metric: how many firmbankings have no certain end yet"),
    sometimes("unknown_age", "metric: the age of the oldest of them, in seconds"),
    sometimes("findings", "metric: how many differences an audit has found"),
    sometimes("suspended", "metric: won that went to suspense, because no wallet could take it"),
    sometimes("_aws", "which of the fields are metrics, as CloudWatch wants to be told"),
];

/// Fields whose text is JSON already.
pub const JSON_FIELDS: &[&str] = &["ids", "days", "steps", "won", "fees"];

/// A metric that is counted from lines.
pub struct Metric {
    /// Its name, and that of the field with its value.
    pub name: &'static str,
    /// The fields that tell its series apart. Each series costs 0.30 dollars a month while it is written.
    pub dimensions: &'static [&'static str],
    /// CloudWatch's unit.
    pub unit: &'static str,
}

/// Every metric.
pub static METRICS: &[Metric] = &[
    Metric { name: "refusals", dimensions: &["service", "code"], unit: "Count" },
    Metric { name: "unanswered", dimensions: &["service"], unit: "Count" },
    Metric { name: "reached", dimensions: &["record", "state"], unit: "Count" },
    Metric { name: "won", dimensions: &["fact"], unit: "None" },
    Metric { name: "fees", dimensions: &["fact"], unit: "None" },
    Metric { name: "unknowns", dimensions: &[], unit: "Count" },
    Metric { name: "unknown_age", dimensions: &[], unit: "Seconds" },
    Metric { name: "findings", dimensions: &[], unit: "Count" },
    Metric { name: "suspended", dimensions: &[], unit: "None" },
];

/// A call's outcome: its reply or the problem.
pub type Outcome = Result<Reply<Value>, Problem>;

/// Runs a call with all that it does noted, and writes the one line that it leaves in the log. Whatever is logged
/// within it carries its service, operation and trace.
pub async fn told<F>(
    service: &Service,
    operation: &str,
    context: &Context,
    trace: &Trace,
    work: impl FnOnce(Context, Arc<Story>) -> F,
) -> Outcome
where
    F: Future<Output = Outcome>,
{
    let span = tracing::info_span!("call", service = service.name, operation, trace_id = trace.id());
    let triggers = service.operation(operation).map_or(&[][..], |known| known.triggers);
    let (story, context) = Story::begin(context, trace, triggers);
    let outcome = work(context, story.clone()).instrument(span.clone()).await;
    let _in_call = span.enter();
    write(operation, &outcome, &story);
    outcome
}

fn write(operation: &str, outcome: &Outcome, story: &Story) {
    if let Ok(reply) = outcome {
        story.about(&reply.body);
    }
    let told = story.told();
    let (millis, unanswered) = (told.millis, told.unanswered);
    let (ids, days, steps) = (told.ids.as_deref(), told.days.as_deref(), told.steps.as_deref());
    let (caller, fact) = (told.caller.as_deref(), told.fact);
    let missed = unanswered.map(|_| "unanswered");
    match outcome {
        Ok(reply) => {
            let (status, replayed) = (reply.status, reply.replayed.then_some(true));
            tracing::info!(
                status,
                replayed,
                caller,
                fact,
                millis,
                ids,
                days,
                steps,
                unanswered,
                metrics = missed,
                "{operation} answered"
            );
        }
        Err(Problem { status, code, cause, .. }) if *status >= 500 => {
            tracing::error!(
                status, %code, cause = cause.as_deref(), caller, fact, millis, ids, days, steps, unanswered,
                metrics = missed, "{operation} failed"
            );
        }
        Err(Problem { status, code, .. }) => {
            let metrics = if unanswered.is_some() { "refusals,unanswered" } else { "refusals" };
            tracing::info!(
                status, %code, caller, fact, millis, ids, days, steps, unanswered, refusals = 1, metrics,
                "{operation} refused"
            );
        }
    }
}

/// Who called, without saying which member. Operators reach what is others', so a line tells which of them it was.
pub(crate) fn caller_of<I>(call: &Call<I>) -> String {
    match &call.caller {
        Caller::Member { .. } if !call.caller.has(Scope::Operator) => "member".to_owned(),
        other => other.to_string(),
    }
}

/// The prefixes of ids that lines name: what people ask about. Members, wallets and accounts are not among them.
const NAMED: &[&str] = &["pmt", "rmt", "mcr", "fbk", "stl", "cnl", "frc", "txf"];
/// How deep ids are looked for. Lists are left out: a list is not what a call is about.
const DEPTH: u32 = 3;

/// Gathers ids and business days from an input or an answer.
pub(crate) fn gather(value: &Value, ids: &mut BTreeSet<String>, days: &mut BTreeSet<String>) {
    gather_to(value, DEPTH, ids, days);
}

fn gather_to(value: &Value, depth: u32, ids: &mut BTreeSet<String>, days: &mut BTreeSet<String>) {
    let (Value::Object(fields), Some(deeper)) = (value, depth.checked_sub(1)) else { return };
    for (name, value) in fields {
        match value {
            Value::String(text) if name == "businessDay" && is_day(text) => {
                days.insert(text.clone());
            }
            Value::String(text) => ids.extend(id_in(text).map(str::to_owned)),
            other => gather_to(other, deeper, ids, days),
        }
    }
}

/// The id that a text is, or begins with, as references do: `pmt_…/pay/1`.
pub(crate) fn id_in(text: &str) -> Option<&str> {
    let id = text.split('/').next()?;
    let (prefix, digits) = id.split_once('_')?;
    let known = NAMED.contains(&prefix) && digits.len() == 26;
    let spelled = digits.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    (known && spelled).then_some(id)
}

/// Whether a text is written as days are. Ten digits alone could be somebody's telephone.
fn is_day(text: &str) -> bool {
    let fits = |(place, byte): (usize, u8)| {
        if matches!(place, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() }
    };
    text.len() == 10 && text.bytes().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_names_what_it_is_about_and_nobody() {
        let id = |prefix: &str| format!("{prefix}_01ARZ3NDEKTSV4RRFFQ69G5FAV");
        let input = json!({
            "paymentId": id("pmt"), "membershipId": id("mbr"), "walletId": id("wal"), "bankAccountId": id("bka"),
            "orderId": "pmt_hana", "name": "하나", "businessDay": "2026-11-22", "on": { "reference": format!("{}/pay/1", id("mcr")) },
            "list": [{ "paymentId": id("rmt") }], "deep": { "deep": { "deep": { "id": id("stl") } } },
        });
        let (mut ids, mut days) = (BTreeSet::new(), BTreeSet::new());
        gather(&input, &mut ids, &mut days);
        for no_day in ["0101234567", "2026-1-022", "----------", "2026-11-2２"] {
            gather(&json!({ "businessDay": no_day }), &mut ids, &mut days);
        }
        assert_eq!(ids.into_iter().collect::<Vec<_>>(), [id("mcr"), id("pmt")]);
        assert_eq!(days.into_iter().collect::<Vec<_>>(), ["2026-11-22"]);
    }

    #[test]
    fn every_metric_and_its_dimensions_are_fields() {
        let known: BTreeSet<_> = FIELDS.iter().map(|field| field.name).collect();
        for metric in METRICS {
            assert!(known.contains(metric.name));
            assert!(metric.dimensions.iter().all(|name| known.contains(name)), "{}", metric.name);
        }
        assert!(JSON_FIELDS.iter().all(|name| known.contains(name)));
        assert_eq!(known.len(), FIELDS.len());
    }
}
