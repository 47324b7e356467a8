//! A remittance goes to whom its sender named: the member, the one whose email it was, or the number at the bank.
//! Between the name and the money are two services that answer with ids; nothing else holds one to the other.

use super::{Evidence, numbers::Numbers, text};
use crate::actions::newcomer;
use kernel::{
    Id,
    id::{MembershipId, RemittanceId},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use store::seal::ServiceKey;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let asked = asked_to(evidence);
    let owners = owners(evidence);
    let numbers = Numbers::of(evidence);
    for record in evidence.items("remittance", "remittance") {
        let id = text(record, "remittanceId");
        let Some(named) = asked.get(id) else {
            findings.push(format!("{id} goes to {}, and nobody asked for it", record["to"]));
            continue;
        };
        let to = &record["to"];
        let member = text(to, "membershipId");
        let holds = match text(named, "kind") {
            "member" => text(named, "membershipId") == member,
            "email" => {
                owners.get(&folded(text(named, "email"))).is_some_and(|owners| owners.contains(member))
            }
            _ => numbers.one(text(to, "bankAccountId")) == Ok(text(named, "accountNumber")),
        };
        if !holds {
            findings.push(format!("{id} goes to {to}, and its sender named {named}"));
        }
    }
}

/// Whom each remittance is to go to, as its sender named them, by the remittance's id.
pub fn asked_to<'a>(evidence: &'a Evidence<'_>) -> BTreeMap<String, &'a Value> {
    let asked = evidence.ended.seen.observations.iter().filter_map(|seen| {
        if (seen.ask.method, seen.ask.path.as_str()) != ("POST", "/v1/remittances") {
            return None;
        }
        let (member, key) = (evidence.member(seen.person?), seen.ask.key.as_ref()?);
        let id: RemittanceId = Id::derive(&[&member, "remittance.requestRemittance", key]);
        Some((id.to_string(), &seen.ask.body.as_ref()?["to"]))
    });
    asked.collect()
}

/// Who has ever asked to have an email: one email is one member at a time, and a member may have had several.
fn owners(evidence: &Evidence<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let seen = &evidence.ended.seen;
    let key = ServiceKey::from_secret("secret of membership-key");
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut learn = |email: &str, member: String| {
        owners.entry(folded(email)).or_default().insert(member);
    };
    for (number, person) in (0_u64..).zip(&seen.people[..=crate::history::MEMBERS]) {
        learn(&newcomer(number).email, person.membership_id.to_string());
    }
    for observation in &seen.observations {
        let ask = &observation.ask;
        let Some(email) = ask.body.as_ref().and_then(|body| body["email"].as_str()) else { continue };
        let operation = match (ask.method, ask.path.as_str()) {
            ("PATCH", path) => {
                learn(email, path.rsplit('/').next().unwrap_or_default().to_owned());
                continue;
            }
            ("POST", "/v1/memberships") => "membership.registerMembership",
            ("POST", "/v1/memberships/by-event") => "membership.registerMembershipByEvent",
            _ => continue,
        };
        let Some(under) = &ask.key else { continue };
        let id: MembershipId = Id::derive(&["anonymous", operation, &key.blind("registration", under)]);
        learn(email, id.to_string());
    }
    owners
}

/// One email is one member, however it is capitalised.
fn folded(email: &str) -> String {
    email.to_ascii_lowercase()
}
