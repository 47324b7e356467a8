//! Every saga has ended, and its record says what the ledger says.

use super::{Evidence, Items, number, text};
use money::domain::{Entry, Kind};
use std::collections::BTreeMap;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    findings.extend(open(&evidence.all).into_iter().map(|what| format!("{what} has not ended")));
    for letter in &evidence.ended.lost {
        findings.push(format!("given up for good: {letter:?}"));
    }
    money_requests(evidence, findings);
    members(evidence, findings);
    accounts(evidence, findings);
}

/// What is not final.
pub fn open(all: &Items) -> Vec<String> {
    let mut open = Vec::new();
    let kinds = [
        ("money", "moneyRequest", "moneyRequestId", &["succeeded", "failed"][..]),
        ("banking", "firmbanking", "firmbankingId", &["succeeded", "failed"]),
        ("banking", "bankAccount", "bankAccountId", &["linked", "refused", "unlinked"]),
        ("membership", "member", "membershipId", &["active"]),
    ];
    for (service, kind, id, ends) in kinds {
        for record in all.of(service, kind) {
            if !ends.contains(&text(record, "state")) {
                open.push(format!("{} {} ({})", kind, text(record, id), text(record, "state")));
            }
        }
    }
    open
}

/// What a recharge's or withdrawal's record says is what the ledger holds: one booking or none.
fn money_requests(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let mut effects: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in evidence.chains.values().flatten() {
        effects.entry(&entry.reference).or_default().push(entry);
    }
    let mut known = 0;
    for record in evidence.items("money", "moneyRequest") {
        let id = text(record, "moneyRequestId");
        let effect = |step: &str| effects.get(format!("{id}/{step}").as_str()).map_or(&[][..], Vec::as_slice);
        let purpose = |step: &str| effect(step).first().map(|entry| entry.purpose);
        let (first, last, begun, booked) = match text(record, "direction") {
            "withdrawal" => ("hold", "hold/close", Kind::Hold, Kind::Withdrawal),
            _ => ("expect", "close", Kind::Expect, Kind::Recharge),
        };
        let expected = match text(record, "state") {
            "succeeded" => (Some(begun), Some(booked)),
            "failed" if purpose(first) == Some(Kind::Refused) => (Some(Kind::Refused), None),
            "failed" => (Some(begun), Some(Kind::Release)),
            _ => continue,
        };
        let found = (purpose(first), purpose(last));
        if found != expected || effect(first).len() > 1 || effect(last).len() > 1 {
            findings.push(format!("{id} says {} and the ledger says {found:?}", text(record, "state")));
        }
        for entry in effect(last) {
            known += 1;
            if entry.amount.amount() != number(record, "amount") {
                findings.push(format!("{id} asked for another amount than {}", entry.amount.amount()));
            }
        }
    }
    let closed = |entry: &&Entry| {
        entry.reference.starts_with("mcr_")
            && matches!(entry.purpose, Kind::Recharge | Kind::Withdrawal | Kind::Release)
    };
    let all = evidence.chains.values().flatten().filter(closed).count();
    if all != known {
        findings.push(format!(
            "{all} requests were closed in the ledger, and {known} have a record that says so"
        ));
    }
}

/// One email, one member.
fn members(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for owner in evidence.items("membership", "emailOwner") {
        owners.insert(text(owner, "emailIndex"), text(owner, "membershipId"));
    }
    let members = evidence.items("membership", "member");
    for member in members {
        let (id, email) = (text(member, "membershipId"), text(member, "emailIndex"));
        if owners.get(email) != Some(&id) {
            findings.push(format!("{id} does not own its email, {:?} does", owners.get(email)));
        }
    }
    if owners.len() != members.len() {
        findings.push(format!("{} emails belong to {} members", owners.len(), members.len()));
    }
}

/// One account number, one linked account.
fn accounts(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let mut claims: BTreeMap<&str, &str> = BTreeMap::new();
    for claim in evidence.items("banking", "claim") {
        claims.insert(text(claim, "numberIndex"), text(claim, "bankAccountId"));
    }
    let all = evidence.items("banking", "bankAccount").iter();
    let linked: Vec<_> = all.filter(|account| text(account, "state") == "linked").collect();
    for account in &linked {
        let id = text(account, "bankAccountId");
        if claims.get(text(&account["sealed"], "numberIndex")) != Some(&id) {
            findings.push(format!("{id} is linked and does not have its number"));
        }
    }
    if claims.len() != linked.len() {
        findings.push(format!("{} numbers are taken by {} linked accounts", claims.len(), linked.len()));
    }
}
