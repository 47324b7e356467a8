//! One story: whatever a saga brings about in other services bears the trace of the request that began the saga, whoever
//! went on with it. So one trace finds all of it in the log.

use super::{Evidence, number, text};
use kernel::{Id, id::MoneyRequestId};
use serde_json::Value;
use std::collections::BTreeMap;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let stories = stories(evidence);
    let mut hold = |what: &str, reference: &str, traceparent: &str| {
        let Some(expected) = stories.of(reference) else { return };
        if trace_id(expected) != trace_id(traceparent) {
            findings.push(format!("{what} of {reference} is in another trace than its saga"));
        }
    };
    for entry in evidence.chains.values().flatten() {
        hold("an entry", &entry.reference, &entry.traceparent);
    }
    for entry in evidence.journals.values().flatten() {
        hold("a journal's entry", &entry.reference, &entry.traceparent);
    }
    for transfer in evidence.items("banking", "firmbanking") {
        hold("a firmbanking", text(transfer, "reference"), text(transfer, "traceparent"));
    }
    let requests = evidence.items("money", "moneyRequest");
    let requests: BTreeMap<_, _> = requests.iter().map(|item| (text(item, "moneyRequestId"), item)).collect();
    for (service, kind, id) in
        [("payment", "payment", "paymentId"), ("remittance", "remittance", "remittanceId")]
    {
        for record in evidence.items(service, kind) {
            // A planned recharge has the id that its reference gives it.
            let reference = format!("{}/recharge", text(record, id));
            let recharge: MoneyRequestId = Id::derive(&["reference", &reference]);
            if let Some(request) = requests.get(recharge.to_string().as_str()) {
                hold("a recharge", &reference, text(request, "traceparent"));
            }
        }
    }
}

/// The trace of each saga, by what its steps' references begin with.
struct Stories(BTreeMap<String, String>);

impl Stories {
    fn of(&self, reference: &str) -> Option<&str> {
        // A cancellation has a trace of its own, and is named by the last of three parts.
        let named = reference.split_once("/cancellation/").map(|(_, id)| id);
        self.0.get(named.or_else(|| reference.split('/').next())?).map(String::as_str)
    }
}

fn stories(evidence: &Evidence<'_>) -> Stories {
    let mut stories = BTreeMap::new();
    let mut tell =
        |id: &str, item: &Value| stories.insert(id.to_owned(), text(item, "traceparent").to_owned());
    for (service, kind, id) in [
        ("money", "moneyRequest", "moneyRequestId"),
        ("remittance", "remittance", "remittanceId"),
        ("payment", "payment", "paymentId"),
    ] {
        for item in evidence.items(service, kind) {
            tell(text(item, id), item);
            for part in item["cancellations"].as_array().into_iter().flatten() {
                tell(text(part, "cancellationId"), part);
            }
        }
    }
    let lines = evidence.items("settlement", "line");
    let place = |item: &Value| (text(item, "franchiseId").to_owned(), number(item, "sequence"));
    let lines: BTreeMap<_, _> = lines.iter().map(|line| (place(line), line)).collect();
    for pointer in evidence.items("settlement", "pointer") {
        if let Some(line) = lines.get(&place(pointer)) {
            tell(text(pointer, "settlementId"), line);
        }
    }
    Stories(stories)
}

fn trace_id(traceparent: &str) -> &str {
    traceparent.split('-').nth(1).unwrap_or_default()
}
