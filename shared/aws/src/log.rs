//! The log: one JSON object a line, on standard output, with the fields that shared/contract/src/log.rs declares.
//!
//! A line's fields are flat, so that one query finds them in every line. What is logged within a call carries the
//! call's service, operation and trace. There is no filter to parse at start: information and above. A line that
//! counts something says so in CloudWatch's embedded metric format, and costs a metric only when it is written.

use crate::{config::Environment, local::SystemClock};
use contract::{
    log::{FIELDS, JSON_FIELDS, METRICS},
    ports::Clock,
};
use serde_json::json;
use std::{fmt, io::Write, panic::PanicHookInfo};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// The events' field that names the metrics among the others, divided by commas.
const METRICS_FIELD: &str = "metrics";

/// Starts writing for this service. Does nothing if somebody has started before.
pub fn start(service: &'static str, environment: Option<&Environment>) {
    let lines = Lines {
        service,
        operation: environment.and_then(|known| known.handler.clone()).unwrap_or_else(|| "none".to_owned()),
        namespace: environment.map_or_else(|| "pay".to_owned(), |known| known.prefix.clone()),
        write: |line: &str| {
            // A log that cannot be written cannot be told of.
            let _ = std::io::stdout().lock().write_all(line.as_bytes());
        },
    };
    // A subscriber that is there already is as good.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines));
}

/// Writes lines.
struct Lines<W> {
    service: &'static str,
    operation: String,
    namespace: String,
    write: W,
}

/// What a call's span adds to every line within it: fields, ready to be written.
struct OfCall(String);

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&str) + 'static,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if *metadata.level() <= Level::INFO { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(OfCall(fields.text));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let now = SystemClock.now();
        let mut line = Fields::default();
        line.text("timestamp", &now.to_string());
        line.text("level", event.metadata().level().as_str());
        let span = context.event_span(event);
        let spans = span.iter().flat_map(|span| span.scope());
        let of_call =
            spans.filter_map(|span| span.extensions().get::<OfCall>().map(|fields| fields.0.clone()));
        match of_call.last() {
            Some(fields) => line.append(&fields),
            None => {
                line.text("service", self.service);
                line.text("operation", &self.operation);
            }
        }
        event.record(&mut line);
        if let Some(names) = line.metrics.take() {
            line.append(&format!("\"_aws\":{}", metrics(&self.namespace, now.millis(), &names)));
        }
        (self.write)(&format!("{{{}}}\n", line.text));
    }
}

/// What CloudWatch has to know to take these fields of a line as metrics.
fn metrics(namespace: &str, millis: i64, names: &str) -> serde_json::Value {
    let wanted = METRICS.iter().filter(|metric| names.split(',').any(|name| name == metric.name));
    let directives = wanted.map(|metric| {
        json!({
            "Namespace": namespace,
            "Dimensions": [metric.dimensions],
            "Metrics": [{ "Name": metric.name, "Unit": metric.unit }],
        })
    });
    json!({ "Timestamp": millis, "CloudWatchMetrics": directives.collect::<Vec<_>>() })
}

/// Fields as they are written, divided by commas.
#[derive(Default)]
struct Fields {
    text: String,
    metrics: Option<String>,
}

impl Fields {
    fn append(&mut self, fields: &str) {
        if !self.text.is_empty() && !fields.is_empty() {
            self.text.push(',');
        }
        self.text.push_str(fields);
    }

    /// A field that is not declared is not written: the set of fields is a promise. A test holds every call of the
    /// log to the declaration, so that nothing is lost by it.
    fn json(&mut self, name: &str, value: &str) {
        if FIELDS.iter().any(|field| field.name == name) {
            self.append(&format!("\"{name}\":{value}"));
        }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.json(name, &serde_json::Value::from(value).to_string());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            METRICS_FIELD => self.metrics = Some(value.to_owned()),
            name if JSON_FIELDS.contains(&name) => self.json(name, value),
            name => self.text(name, value),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.json(field.name(), &value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.json(field.name(), &value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.json(field.name(), &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), &format!("{value:?}"));
    }
}

/// Makes a panic end the process in every build, as it does in release builds, where panics abort.
///
/// After a panic nobody knows what state the process is in, and Lambda starts another one. The line says where it
/// happened but not the message, which may quote personal data.
pub fn die_on_panic() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let place =
            info.location().map_or_else(|| "unknown".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
        tracing::error!(place, "panicked");
        std::process::abort();
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::sync::{Arc, Mutex};

    fn lines(work: impl FnOnce()) -> Vec<Value> {
        let written = Arc::new(Mutex::new(String::new()));
        let kept = written.clone();
        let lines = Lines {
            service: "money",
            operation: "holdMoney".to_owned(),
            namespace: "pay".to_owned(),
            write: move |line: &str| kept.lock().unwrap().push_str(line),
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), work);
        let text = written.lock().unwrap().clone();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn lines_within_a_call_carry_its_service_operation_and_trace() {
        let lines = lines(|| {
            tracing::warn!(cause = "a \"quoted\" cause", unheard_of = 1, "outside");
            let span = tracing::info_span!(
                "call",
                service = "payment",
                operation = "requestPayment",
                trace_id = "ab"
            );
            span.in_scope(|| {
                tracing::info_span!("inner")
                    .in_scope(|| tracing::info!(steps = "[{\"at\":1}]", millis = 3, "inside"));
            });
        });
        assert_eq!(lines[0]["service"], "money");
        assert_eq!(lines[0]["operation"], "holdMoney");
        assert_eq!(lines[0]["cause"], "a \"quoted\" cause");
        assert_eq!(lines[0]["message"], "outside");
        assert_eq!(lines[0].get("unheard_of"), None);
        assert_eq!((&lines[1]["service"], &lines[1]["trace_id"]), (&json!("payment"), &json!("ab")));
        assert_eq!((&lines[1]["steps"], &lines[1]["millis"]), (&json!([{ "at": 1 }]), &json!(3)));
        assert_eq!(lines[1].get("_aws"), None);
    }

    #[test]
    fn a_line_that_counts_says_so_as_cloudwatch_wants_it() {
        let lines =
            lines(|| tracing::info!(code = "too_late", refusals = 1, metrics = "refusals", "refused"));
        let told = &lines[0]["_aws"]["CloudWatchMetrics"];
        assert_eq!(
            *told,
            json!([{ "Namespace": "pay", "Dimensions": [["service", "code"]], "Metrics": [{ "Name": "refusals", "Unit": "Count" }] }])
        );
        assert!(lines[0]["_aws"]["Timestamp"].as_i64().unwrap() > 0);
        for name in ["service", "code", "refusals"] {
            assert!(lines[0].get(name).is_some(), "{name}");
        }
        assert_eq!(lines[0].get("metrics"), None);
    }
}
