//! No personal data and no secret is in a log, an event or a message, nor in the clear in a table; what is sealed of
//! somebody who has left, no key opens; and no operation failed for a fault of its own.

use super::{Evidence, json_of, text};
use memchr::memmem;
use serde_json::Value;
use std::collections::BTreeSet;
use store::seal::ServiceKey;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let ended = evidence.ended;
    let events: String =
        ended.published.0.iter().map(|event| format!("{}{}\n", event.subject, event.data)).collect();
    let messages = ended.messages.join("\n");
    for (place, text) in [("the log", &ended.log), ("an event", &events), ("a message", &messages)] {
        search(place, text, &ended.seen.private, findings);
    }
    tables(evidence, findings);
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

fn search(place: &str, text: &str, wanted: &[String], findings: &mut Vec<String>) {
    let found = wanted.iter().filter(|private| memmem::find(text.as_bytes(), private.as_bytes()).is_some());
    findings.extend(found.map(|private| format!("{place} has {private:?}")));
}

/// The tables of Pay: the bank, which is not ours, knows its customers.
fn tables(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let members = evidence.items("membership", "member").iter();
    let closed = members.filter(|member| text(member, "state") == "closed");
    let gone: BTreeSet<&str> = closed.map(|member| text(member, "membershipId")).collect();
    for (service, items) in evidence.ended.items.iter().filter(|(service, _)| **service != "bank-simulator") {
        let key = ServiceKey::from_secret(&format!("secret of {service}-key"));
        let mut written = Vec::new();
        for item in items {
            let json = json_of(item);
            written.push(json.to_string());
            if gone.contains(text(&json, "membershipId")) {
                let owners = ["membershipId", "bankAccountId", "franchiseId"].map(|owner| text(&json, owner));
                unreadable(&json, &key, &owners, service, findings);
            }
        }
        search(&format!("{service}'s table"), &written.join("\n"), &evidence.ended.seen.private, findings);
    }
}

/// Fields by which somebody could be found or known: a closed member's items have none of them.
const TELLING: &[&str] = &["emailIndex", "passwordHash", "numberIndex", "terms", "holder"];

fn unreadable(item: &Value, key: &ServiceKey, owners: &[&str], service: &str, findings: &mut Vec<String>) {
    let fields = item.as_object().into_iter().flatten();
    for (name, value) in fields {
        let opens =
            value.as_str().is_some_and(|value| owners.iter().any(|owner| key.unwrap(owner, value).is_ok()));
        // A ledger entry's terms are a hash of amounts and ids.
        let tells = TELLING.contains(&name.as_str()) && !(service == "money" && name == "terms");
        if opens || tells {
            findings.push(format!("{service} still has the {name} of {}, who has left", owners[0]));
        }
        unreadable(value, key, owners, service, findings);
    }
}
