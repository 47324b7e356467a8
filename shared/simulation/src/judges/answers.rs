//! What a caller was answered is still true: a success is in the tables, a refusal left nothing, and the same request
//! under the same key never had two ends.

use super::{CLOCKS_APART_MS, Evidence, number, text};
use crate::people::{Answer, Observation};
use contract::problem::IDEMPOTENCY_KEY_REUSED;
use kernel::{
    Id, Timestamp,
    id::{MoneyRequestId, WalletId},
};
use money::domain::{Entry, Kind};
use serde_json::Value;
use std::collections::BTreeMap;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    requests(evidence, findings);
    firmbankings(evidence, findings);
    transfers(evidence, findings);
    holds(evidence, findings);
    balances(evidence, findings);
    histories(evidence, findings);
    made(evidence, findings);
    left(evidence, findings);
    if evidence.ended.refused_tokens > 0 {
        findings.push(format!("{} good tokens were refused", evidence.ended.refused_tokens));
    }
    for seen in &evidence.ended.seen.observations {
        if seen.answer.as_ref().is_some_and(|answer| answer.status == 500) {
            findings.push(format!("{} {} was answered with 500", seen.ask.method, seen.ask.path));
        }
    }
}

/// Certain answers, with their observation.
fn certain<'a>(evidence: &'a Evidence<'_>) -> impl Iterator<Item = (&'a Observation, &'a Answer)> {
    let all = evidence.ended.seen.observations.iter();
    all.filter_map(|seen| Some((seen, seen.answer.as_ref().filter(|answer| answer.is_certain())?)))
}

fn by_id<'a>(items: &'a [Value], field: &str) -> BTreeMap<&'a str, &'a Value> {
    items.iter().map(|item| (text(item, field), item)).collect()
}

fn requests(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let records = by_id(evidence.items("money", "moneyRequest"), "moneyRequestId");
    for (seen, answer) in certain(evidence) {
        let operation = match seen.ask.path.as_str() {
            "/v1/money/increases" => "money.increaseMoneyRequest",
            "/v1/money/increases/by-event" => "money.increaseMoneyRequestByEvent",
            "/v1/money/decreases" => "money.decreaseMoneyRequest",
            "/v1/money/decreases/by-event" => "money.decreaseMoneyRequestByEvent",
            _ => continue,
        };
        let (Some(person), Some(key)) = (seen.person, &seen.ask.key) else { continue };
        let member = evidence.ended.seen.people[person].membership_id.to_string();
        let id: MoneyRequestId = Id::derive(&[&member, operation, key]);
        let record = records.get(id.to_string().as_str());
        let wanted = seen.ask.body.as_ref().and_then(|body| body["amount"]["amount"].as_u64());
        let same = record.is_some_and(|record| Some(number(record, "amount")) == wanted);
        let state = record.map_or("not there", |record| text(record, "state"));
        let holds = match answer.status {
            201 => same && state == "succeeded",
            202 => same,
            // A refusal of the whole request says where it is kept; any other one left nothing behind.
            _ if answer.location.is_some() => same && state == "failed",
            _ if answer.code() == IDEMPOTENCY_KEY_REUSED.code => record.is_some() && !same,
            _ => !same,
        };
        if !holds {
            let (status, code) = (answer.status, answer.code());
            findings
                .push(format!("{id} of {wanted:?} won is {state}, and was answered with {status} {code}"));
        }
    }
}

fn firmbankings(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let records = by_id(evidence.items("banking", "firmbanking"), "firmbankingId");
    let mut ends: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for (seen, answer) in certain(evidence).filter(|(_, answer)| answer.is_success()) {
        let told = &answer.body;
        let Some(id) = told["firmbankingId"].as_str() else { continue };
        let Some(record) = records.get(id) else {
            findings.push(format!("{id} was answered and is not stored"));
            continue;
        };
        let (state, now) = (text(told, "state"), text(record, "state"));
        if ["succeeded", "failed"].contains(&state) && state != now {
            findings.push(format!("{id} was answered as {state} and is {now}"));
        }
        if let (Some(key), "POST") = (&seen.ask.key, seen.ask.method)
            && ends.insert((&seen.ask.path, key), id).is_some_and(|before| before != id)
        {
            findings.push(format!("{key} made {id} and another firmbanking"));
        }
    }
}

fn transfers(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    for transfer in &evidence.ended.seen.transfers {
        let chain =
            |member| evidence.chains.get(&WalletId::of(member).to_string()).map_or(&[][..], Vec::as_slice);
        let find =
            |chain: &[Entry]| chain.iter().find(|entry| entry.reference == transfer.reference).cloned();
        let (debit, credit) = (find(chain(transfer.payer)), find(chain(transfer.payee)));
        let is_moved = |entry: &Option<Entry>| {
            entry.as_ref().is_some_and(|entry| {
                entry.purpose == Kind::Remittance && entry.amount.amount() == transfer.amount
            })
        };
        let is_refused =
            debit.as_ref().is_some_and(|entry| entry.purpose == Kind::Refused) && credit.is_none();
        let moved = is_moved(&debit) && is_moved(&credit);
        for answer in &transfer.answers {
            let holds = match answer {
                Ok(()) => moved,
                Err(_) => is_refused,
            };
            if !holds {
                findings.push(format!(
                    "{} was answered {answer:?}; debit {:?}, credit {:?}",
                    transfer.reference,
                    debit.as_ref().map(|entry| entry.purpose),
                    credit.as_ref().map(|entry| entry.purpose),
                ));
            }
        }
    }
}

/// A hold is closed in one way, and what its saga heard is so.
fn holds(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    for hold in &evidence.ended.seen.holds {
        let wallet = WalletId::of(hold.membership_id).to_string();
        let chain = evidence.chains.get(&wallet).map_or(&[][..], Vec::as_slice);
        let find = |reference: &str| chain.iter().find(|entry| entry.reference == reference);
        let made = find(&hold.reference).map(|entry| entry.purpose);
        let close = find(&format!("{}/close", hold.reference));
        let closed = close.map(|entry| (entry.purpose, entry.amount.amount()));
        let is_made = match &hold.made {
            Some(Ok(())) => made == Some(Kind::Hold),
            Some(Err(_)) => made == Some(Kind::Refused),
            None => true,
        };
        let is_closed = hold.closed.iter().all(|answer| match (answer, hold.posted) {
            (Ok(()), Some(posted)) if made == Some(Kind::Hold) => {
                closed == Some((Kind::Post, posted)) || closed == Some((Kind::Release, hold.held))
            }
            (Ok(()), None) if made == Some(Kind::Hold) => closed == Some((Kind::Release, hold.held)),
            (Ok(()), _) => closed == Some((Kind::Release, 0)),
            (Err(_), _) => false,
        });
        if !is_made || !is_closed {
            findings.push(format!("{hold:?} is {made:?} and {closed:?}"));
        }
    }
}

/// A balance is the one of its entry, and is never older than what was known before it was asked for.
fn balances(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let mut known: BTreeMap<usize, Vec<(i64, u64)>> = BTreeMap::new();
    let mut seen_balances: Vec<_> = certain(evidence)
        .filter(|(seen, answer)| seen.ask.path.contains("/balance") && answer.status == 200)
        .collect();
    seen_balances.sort_by_key(|(seen, _)| seen.answered_ms);
    for (seen, answer) in seen_balances {
        let Some(person) = seen.person else { continue };
        let wallet = WalletId::of(evidence.ended.seen.people[person].membership_id).to_string();
        let chain = evidence.chains.get(&wallet).map_or(&[][..], Vec::as_slice);
        let sequence = number(&answer.body, "sequence");
        let entry = chain.iter().find(|entry| entry.sequence == sequence);
        let told = answer.body["balance"]["amount"].as_u64();
        if told != Some(entry.map_or(0, |entry| entry.standing.balance.amount())) {
            findings.push(format!("{wallet} was answered {told:?} at entry {sequence}"));
        }
        match seen.ask.path.split_once("?at=") {
            Some((_, at)) => {
                let at: Timestamp = at.parse().expect("a time was asked for");
                let last = chain.iter().filter(|entry| entry.time <= at).map(|entry| entry.sequence).max();
                let is_settled = at.millis() + CLOCKS_APART_MS < seen.sent_ms;
                if is_settled && last.unwrap_or_default() != sequence {
                    findings.push(format!("{wallet} at {at}: answered entry {sequence}, it was {last:?}"));
                }
            }
            None => {
                let before = known.entry(person).or_default();
                let newest =
                    before.iter().filter(|(at_ms, _)| *at_ms <= seen.sent_ms).map(|(_, known)| *known).max();
                if newest.is_some_and(|newest| newest > sequence) {
                    findings.push(format!("{wallet} was at entry {newest:?} and then at {sequence}"));
                }
                before.push((seen.answered_ms, sequence));
            }
        }
    }
}

/// A statement's lines are the ledger's entries.
fn histories(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    for (seen, answer) in certain(evidence).filter(|(seen, _)| seen.ask.path.contains("/transactions")) {
        let (Some(person), Some(lines)) = (seen.person, answer.body["items"].as_array()) else { continue };
        let wallet = WalletId::of(evidence.ended.seen.people[person].membership_id).to_string();
        let chain = evidence.chains.get(&wallet).map_or(&[][..], Vec::as_slice);
        for pair in lines.windows(2) {
            if number(&pair[0], "sequence") != number(&pair[1], "sequence") + 1 {
                findings.push(format!("{wallet}: a statement skips from {} to {}", pair[0], pair[1]));
            }
        }
        for line in lines {
            let entry = chain.iter().find(|entry| entry.sequence == number(line, "sequence"));
            let same = entry.is_some_and(|entry| {
                entry.reference == text(line, "reference")
                    && Some(entry.standing.balance.amount()) == line["balance"]["amount"].as_u64()
            });
            if !same {
                findings.push(format!("{wallet}: a statement has {line}"));
            }
        }
    }
}

/// What was made is there, as it was said.
fn made(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let members = by_id(evidence.items("membership", "member"), "membershipId");
    let accounts = by_id(evidence.items("banking", "bankAccount"), "bankAccountId");
    let mut keys: BTreeMap<(&str, &str, Option<usize>), &str> = BTreeMap::new();
    for (seen, answer) in certain(evidence).filter(|(_, answer)| answer.is_success()) {
        let path = seen.ask.path.as_str();
        let (made, id) = match path {
            "/v1/memberships" | "/v1/memberships/by-event" => (&members, text(&answer.body, "membershipId")),
            "/v1/bank-accounts" | "/v1/bank-accounts/by-event" if seen.ask.method == "POST" => {
                (&accounts, text(&answer.body, "bankAccountId"))
            }
            "/v1/money/wallets" => {
                let wallet = text(&answer.body, "walletId");
                if !evidence.chains.contains_key(wallet) {
                    findings.push(format!("{wallet} was opened and has no entry"));
                }
                continue;
            }
            _ => {
                unlinked(seen, &accounts, findings);
                continue;
            }
        };
        if !made.contains_key(id) {
            findings.push(format!("{id} was made and is not there"));
        }
        if let Some(key) = &seen.ask.key
            && keys.insert((path, key, seen.person), id).is_some_and(|before| before != id)
        {
            findings.push(format!("{key} made {id} and something else"));
        }
    }
}

/// Who was told that they are out is out: no refresh token and no password of theirs works after that.
fn left(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let members = by_id(evidence.items("membership", "member"), "membershipId");
    let mut gone: BTreeMap<&str, i64> = BTreeMap::new();
    for (seen, answer) in certain(evidence).filter(|(seen, _)| seen.ask.method == "DELETE") {
        let Some(id) = seen.ask.path.strip_prefix("/v1/memberships/") else { continue };
        let state = members.get(id).map_or("not there", |member| text(member, "state"));
        if answer.status == 204 {
            gone.insert(id, seen.answered_ms);
        }
        if answer.status == 204 && state != "closed" {
            findings.push(format!("{id} was told to be out and is {state}"));
        }
    }
    for (seen, answer) in certain(evidence).filter(|(_, answer)| answer.is_success()) {
        let has_token = ["/v1/auth/refresh", "/v1/auth/login"].contains(&seen.ask.path.as_str());
        let id = text(&answer.body, "membershipId");
        if has_token && gone.get(id).is_some_and(|at_ms| *at_ms < seen.sent_ms) {
            findings.push(format!("{id} was out and got tokens"));
        }
    }
}

/// What was unlinked stays so.
fn unlinked(seen: &Observation, accounts: &BTreeMap<&str, &Value>, findings: &mut Vec<String>) {
    let Some(id) = seen.ask.path.strip_prefix("/v1/bank-accounts/").filter(|_| seen.ask.method == "DELETE")
    else {
        return;
    };
    if accounts.get(id).is_none_or(|account| text(account, "state") != "unlinked") {
        findings.push(format!("{id} was unlinked and is not"));
    }
}
