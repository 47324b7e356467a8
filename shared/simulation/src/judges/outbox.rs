//! Every fact that the tables state was published, and whoever listens never saw one fact told in two ways.

use super::Evidence;
use std::collections::BTreeMap;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let (relayed, republished) = &evidence.ended.published;
    let mut told = BTreeMap::new();
    for event in relayed {
        if let Some(before) = told.insert(&event.id, event).filter(|before| *before != event) {
            findings.push(format!("{} was told as {before:?} and as {event:?}", event.id));
        }
    }
    for event in republished {
        match told.get(&event.id) {
            None => findings.push(format!("{} of {} was never published", event.kind, event.subject)),
            Some(before) if *before != event => {
                findings
                    .push(format!("{} of {} is told otherwise when republished", event.kind, event.subject));
            }
            Some(_) => {}
        }
    }
}
