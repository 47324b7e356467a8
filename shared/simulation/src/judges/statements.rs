//! What operators and merchants are shown of settlements is what their lines and runs are: amounts never change once a
//! line is recorded, and an end that was shown is the end.

use super::{Evidence, number, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a line comes to: counts, and sums in won.
const TOTALS: [&str; 10] = [
    "payments",
    "paid",
    "cancellations",
    "canceled",
    "fee",
    "vat",
    "net",
    "carriedIn",
    "payout",
    "carriedOut",
];
/// What a line says of itself for ever, as far as it is shown.
const LASTING: [&str; 5] = ["franchiseId", "sequence", "businessDay", "through", "vatBps"];
/// How a line ends: what could not be paid out may be tried again.
const ENDS: [&str; 4] = ["paid", "carried", "settled", "empty"];

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let place = |item: &Value| (text(item, "franchiseId").to_owned(), number(item, "sequence"));
    let lines: BTreeMap<_, _> =
        evidence.items("settlement", "line").iter().map(|line| (place(line), line)).collect();
    let pointers = evidence.items("settlement", "pointer").iter();
    let lines: BTreeMap<&str, &Value> = pointers
        .filter_map(|pointer| Some((text(pointer, "settlementId"), *lines.get(&place(pointer))?)))
        .collect();
    let runs: BTreeMap<&str, &Value> =
        evidence.items("settlement", "run").iter().map(|run| (text(run, "businessDay"), run)).collect();
    for seen in &evidence.ended.seen.observations {
        let is_read = seen.ask.method == "GET" && seen.ask.path.starts_with("/v1/settlements");
        let Some(answer) = seen.answer.as_ref().filter(|answer| is_read && answer.is_success()) else {
            continue;
        };
        let listed = ["items", "pending", "failed"].iter().flat_map(|list| answer.body[*list].as_array());
        for shown in listed.flatten().chain([&answer.body]) {
            if let Some(id) = shown["settlementId"].as_str() {
                let is_so = lines.get(id).is_some_and(|line| is_line(shown, line));
                if !is_so {
                    findings.push(format!("{id} was shown as {shown}, and is {:?}", lines.get(id)));
                }
            } else if shown["startedAt"].is_string() {
                let day = text(shown, "businessDay");
                if !runs.get(day).is_some_and(|run| is_run(shown, run)) {
                    findings
                        .push(format!("the run of {day} was shown as {shown}, and is {:?}", runs.get(day)));
                }
            }
        }
    }
}

/// Whether this was shown of this line: wholly, in a list, or in a statement, which leaves some of it out.
fn is_line(shown: &Value, line: &Value) -> bool {
    let lasting = LASTING.iter().all(|field| shown[*field].is_null() || shown[*field] == line[*field]);
    let totals = &shown["totals"];
    let amount = |field: &str| match &totals[field] {
        Value::Object(amount) => amount["amount"].clone(),
        count => count.clone(),
    };
    let same = totals.is_null() || TOTALS.iter().all(|field| amount(field) == line["amounts"][*field]);
    let state = text(shown, "state");
    lasting && same && (!ENDS.contains(&state) || state == text(line, "state"))
}

fn is_run(shown: &Value, run: &Value) -> bool {
    let is_finished = text(shown, "state") == "finished";
    shown["startedAt"] == run["startedAt"]
        && number(shown, "attempt") <= number(run, "attempt")
        && is_finished == shown["finishedAt"].is_string()
        && (!is_finished || shown["finishedAt"] == run["ended"]["at"])
}
