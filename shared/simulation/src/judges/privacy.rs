//! No personal data and no secret is in a log, an event or a message, and no operation failed for a fault of its own.

use super::Evidence;
use serde_json::Value;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let ended = evidence.ended;
    let events: String =
        ended.published.0.iter().map(|event| format!("{}{}\n", event.subject, event.data)).collect();
    let messages = ended.messages.join("\n");
    for private in &ended.seen.private {
        for (place, text) in [("the log", &ended.log), ("an event", &events), ("a message", &messages)] {
            if text.contains(private) {
                findings.push(format!("{place} has {private:?}"));
            }
        }
    }
    for line in ended.log.lines().filter(|line| line.contains("\"level\":\"ERROR\"")) {
        let fields: Value = serde_json::from_str(line).unwrap_or_default();
        let is_own = fields["status"].as_u64() == Some(500);
        // A message that nobody can read is meant to fail, and is told apart by what it says.
        let is_poison = fields["cause"].as_str().is_some_and(|cause| cause.contains("spoilt"));
        if (is_own && !is_poison) || line.contains("told two executors") || line.contains("unknown here") {
            findings.push(format!("an operation failed by itself: {line}"));
        }
    }
}
