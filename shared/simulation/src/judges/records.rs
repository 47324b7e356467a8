//! Every saga has ended, and its record says what the ledger says.

use super::{Evidence, Items, number, text};
use kernel::{
    SeoulDay, Timestamp,
    id::{MembershipId, WalletId},
};
use money::domain::{Entry, Kind};
use serde_json::Value;
use std::collections::BTreeMap;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    findings.extend(open(&evidence.all).into_iter().map(|what| format!("{what} has not ended")));
    for letter in &evidence.ended.lost {
        findings.push(format!("given up for good: {letter:?}"));
    }
    requests(evidence, findings);
    franchises(evidence, findings);
    members(evidence, findings);
    leavers(evidence, findings);
    accounts(evidence, findings);
}

/// Records that have an end: whose, their kind, their id, and the states in which they have ended.
const SAGAS: &[(&str, &str, &str, &[&str])] = &[
    ("money", "moneyRequest", "moneyRequestId", &["succeeded", "failed"]),
    ("banking", "firmbanking", "firmbankingId", &["succeeded", "failed"]),
    ("banking", "bankAccount", "bankAccountId", &["linked", "refused", "unlinked", "payee"]),
    ("remittance", "remittance", "remittanceId", &["completed", "failed"]),
    ("membership", "member", "membershipId", &["active", "closed"]),
    ("payment", PAYMENT, "paymentId", &["normal", "failed"]),
    ("settlement", "run", "businessDay", &["finished"]),
    ("settlement", "line", "franchiseId", &["paid", "carried", "settled", "empty", "failed"]),
    ("settlement", "entry", "franchiseId", &["done", "failed"]),
];
const PAYMENT: &str = "payment";
const FORMER: &str = "formerMember";

/// Whether items of this kind can wait for something.
pub fn can_be_open(kind: &str) -> bool {
    kind == FORMER || SAGAS.iter().any(|(_, known, ..)| *known == kind)
}

/// What is not final.
pub fn open(all: &Items) -> Vec<String> {
    let mut open = Vec::new();
    for (service, kind, id, ends) in SAGAS {
        for record in all.of(service, kind) {
            if !ends.contains(&text(record, "state")) {
                open.push(format!("{} {} ({})", kind, text(record, id), text(record, "state")));
            }
        }
    }
    for service in ["banking", "franchise"] {
        for former in all.of(service, FORMER).iter().filter(|former| former["settled"] != true) {
            open.push(format!("what {service} has of {}", text(&former["fact"], "membershipId")));
        }
    }
    for payment in all.of("payment", PAYMENT) {
        let parts = payment["cancellations"].as_array().into_iter().flatten();
        for part in parts.filter(|part| part["refundedAt"].is_null()) {
            open.push(format!("cancellation {}", text(part, "cancellationId")));
        }
    }
    open
}

/// What a request's record says is what the ledger holds: announced and closed once, each in the way that it says.
fn requests(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let mut effects: BTreeMap<(String, String), Vec<&Entry>> = BTreeMap::new();
    for entry in evidence.chains.values().flatten() {
        effects.entry((entry.wallet_id.to_string(), entry.reference.clone())).or_default().push(entry);
    }
    let mut known = 0;
    for record in evidence.items("money", "moneyRequest") {
        let id = text(record, "moneyRequestId");
        let (before, close, announced, moved) = match text(record, "direction") {
            "recharge" => ("expect", "close", Kind::Expect, Kind::Recharge),
            _ => ("hold", "hold/close", Kind::Hold, Kind::Withdrawal),
        };
        // In the wallet of the one who asked, and in no other.
        let Ok(owner) = text(record, "membershipId").parse() else { continue };
        let wallet = WalletId::of(owner).to_string();
        let effect = |step: &str| {
            effects.get(&(wallet.clone(), format!("{id}/{step}"))).map_or(&[][..], Vec::as_slice)
        };
        let purpose = |step: &str| effect(step).first().map(|entry| entry.purpose);
        let expected = match text(record, "state") {
            "succeeded" => (Some(announced), Some(moved)),
            "failed" if purpose(before) == Some(Kind::Refused) => (Some(Kind::Refused), None),
            "failed" => (Some(announced), Some(Kind::Release)),
            _ => continue,
        };
        let found = (purpose(before), purpose(close));
        if found != expected || effect(before).len() > 1 || effect(close).len() > 1 {
            findings.push(format!("{id} says {} and the ledger says {found:?}", text(record, "state")));
        }
        for entry in effect(close) {
            known += 1;
            if entry.amount.amount() != number(record, "amount") {
                findings.push(format!("{id} asked for another amount than {}", entry.amount.amount()));
            }
        }
    }
    let is_close =
        |entry: &&Entry| entry.reference.starts_with("mcr_") && entry.reference.ends_with("/close");
    let all = evidence.chains.values().flatten().filter(is_close).count();
    if all != known {
        findings.push(format!(
            "{all} requests were closed in the ledger, and {known} have a record that says so"
        ));
    }
}

/// Every change of a franchise was made on the one before: no two made the same version, and none was forgotten.
fn franchises(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let mut versions: BTreeMap<&str, BTreeMap<u64, &Value>> = BTreeMap::new();
    let observations = evidence.ended.seen.observations.iter();
    for seen in observations.filter(|seen| seen.ask.path.starts_with("/v1/franchises")) {
        let Some(answer) = seen.answer.as_ref().filter(|answer| answer.is_success()) else { continue };
        let Some(id) = answer.body["franchiseId"].as_str() else { continue };
        let version = number(&answer.body, "version");
        if let Some(before) = versions.entry(id).or_default().insert(version, &answer.body)
            && ["feeTerms", "state", "contact", "settlementCycle", "bankAccountId"]
                .iter()
                .any(|field| before[*field] != answer.body[*field])
        {
            findings.push(format!("{id} had two versions {version}"));
        }
    }
    let stored: BTreeMap<_, _> = evidence
        .items("franchise", "franchise")
        .iter()
        .map(|franchise| (text(franchise, "franchiseId"), franchise))
        .collect();
    for (id, versions) in versions {
        let Some(franchise) = stored.get(id) else {
            findings.push(format!("{id} was made and is not there"));
            continue;
        };
        let newest = versions.last_key_value().map(|(version, _)| *version).unwrap_or_default();
        if newest > number(franchise, "version") {
            findings.push(format!("{id} was at version {newest} and is at {}", number(franchise, "version")));
        }
        let closed = versions.values().any(|body| text(body, "state") == "closed");
        if closed && text(franchise, "state") != "closed" {
            findings.push(format!("{id} was closed and is open"));
        }
    }
}

/// One email, one member.
fn members(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for owner in evidence.items("membership", "emailOwner") {
        owners.insert(text(owner, "emailIndex"), text(owner, "membershipId"));
    }
    let all = evidence.items("membership", "member").iter();
    let members: Vec<_> = all.filter(|member| text(member, "state") != "closed").collect();
    for member in &members {
        let (id, email) = (text(member, "membershipId"), text(member, "emailIndex"));
        if owners.get(email) != Some(&id) {
            findings.push(format!("{id} does not own its email, {:?} does", owners.get(email)));
        }
    }
    if owners.len() != members.len() {
        findings.push(format!("{} emails belong to {} members", owners.len(), members.len()));
    }
}

/// Whoever has left has a wallet that has ended, and whose wallet has ended has left: nobody hangs between. Nothing
/// of theirs is linked or open.
fn leavers(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let mut gone = BTreeMap::new();
    for member in evidence.items("membership", "member") {
        let Ok(id) = text(member, "membershipId").parse::<MembershipId>() else { continue };
        let chain = evidence.chains.get(&WalletId::of(id).to_string()).map_or(&[][..], Vec::as_slice);
        let end = chain.iter().find(|entry| entry.purpose == Kind::Close).map(|entry| entry.time);
        let has_ended = end.is_some();
        let has_left = text(member, "state") == "closed";
        if has_ended != has_left {
            findings.push(format!("{id} is {} and its wallet has ended: {has_ended}", text(member, "state")));
        }
        gone.insert(id.to_string(), end.filter(|_| has_left));
    }
    let end_of = |item: &Value| gone.get(text(item, "membershipId")).copied().flatten();
    let left = |item: &Value| end_of(item).is_some();
    for account in evidence.items("banking", "bankAccount").iter().filter(|account| left(account)) {
        if !["unlinked", "refused"].contains(&text(account, "state")) {
            findings.push(format!("{} is its owner's, who has left", text(account, "bankAccountId")));
        }
    }
    for franchise in evidence.items("franchise", "franchise").iter().filter(|franchise| left(franchise)) {
        let id = text(franchise, "franchiseId");
        if text(franchise, "state") != "closed" {
            findings.push(format!("{id} is open, and its owner has left"));
        }
        // One that its owner registered while leaving, before the list showed it, is closed when the fact comes, and
        // nobody has asked what it is owed (docs/reliability.md). Clocks differ by a minute and a half either way.
        let closed = text(&franchise["closed"], "at").parse::<Timestamp>().ok();
        let was_known =
            |closed: Timestamp| end_of(franchise).is_none_or(|end| closed.plus_seconds(180) <= end);
        if closed.is_some_and(was_known) {
            paid_off(evidence, id, findings);
        }
    }
}

/// Nothing is owed to a franchise whose owner has left, and no line waits for an account that is gone. Where a day was
/// settled before it had ended, what was paid after that is owed without anybody's fault.
fn paid_off(evidence: &Evidence<'_>, franchise: &str, findings: &mut Vec<String>) {
    let lines =
        || evidence.items("settlement", "line").iter().filter(|line| text(line, "franchiseId") == franchise);
    let is_ahead = |line: &Value| {
        let ends: SeoulDay = text(line, "through").parse().expect("a day");
        let recorded: Timestamp = text(line, "recordedAt").parse().expect("a time");
        recorded < ends.plus_days(1).business_opens_at() && recorded < evidence.ended.rested_at
    };
    if lines().any(is_ahead) {
        return;
    }
    let owed = evidence.owed().get(franchise).copied().unwrap_or_default();
    if owed > 0 {
        findings.push(format!("{franchise} is owed {owed}, and its owner has left"));
    }
    for line in lines().filter(|line| text(line, "state") == "failed") {
        findings.push(format!("{franchise}'s owner has left, and {line} was not paid out"));
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
