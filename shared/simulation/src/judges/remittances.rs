//! What a remittance says is what the ledger and the bank say: completed is one effect of its amount, failed is none.

use super::{Evidence, number, text};
use contract::problem::IDEMPOTENCY_KEY_REUSED;
use kernel::{
    Id,
    id::{MoneyRequestId, RemittanceId, WalletId},
};
use money::domain::{Account, Entry, Kind};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Effects<'a> = BTreeMap<&'a str, Vec<&'a Entry>>;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let mut effects: Effects<'_> = BTreeMap::new();
    for entry in evidence.chains.values().flatten().filter(|entry| entry.reference.starts_with("rmt_")) {
        effects.entry(&entry.reference).or_default().push(entry);
    }
    let firmbankings = evidence.items("banking", "firmbanking").iter();
    let at_bank: BTreeMap<&str, &str> =
        firmbankings.map(|item| (text(item, "reference"), text(item, "state"))).collect();
    let records = evidence.items("remittance", "remittance");
    for record in records {
        let id = text(record, "remittanceId");
        let found = if text(&record["to"], "kind") == "member" {
            moved(record, &effects)
        } else {
            paid_out(record, &effects, &at_bank)
        };
        if let Err(why) = found.and_then(|()| topped_up(evidence, record, &effects)) {
            findings.push(format!("{id} is {}: {why}", text(record, "state")));
        }
        if !is_listed_rightly(record) {
            findings.push(format!("{id} is {} and listed as {record}", text(record, "state")));
        }
    }
    let known: BTreeSet<&str> = records.iter().map(|record| text(record, "remittanceId")).collect();
    for reference in effects.keys().chain(at_bank.keys()).filter(|it| it.starts_with("rmt_")) {
        if !known.contains(reference.split('/').next().unwrap_or_default()) {
            findings.push(format!("{reference} has no remittance"));
        }
    }
    answers(evidence, records, findings);
    shown(evidence, records, findings);
}

fn entries<'a>(effects: &Effects<'a>, record: &Value, step: &str) -> Vec<&'a Entry> {
    let reference = format!("{}/{step}", text(record, "remittanceId"));
    effects.get(reference.as_str()).cloned().unwrap_or_default()
}

fn wallet_of(member: &str) -> Result<WalletId, String> {
    member.parse().map(WalletId::of).map_err(|_| format!("{member} is no member"))
}

/// To a member: one pair of entries, from the sender's wallet to the receiver's, or none.
fn moved(record: &Value, effects: &Effects<'_>) -> Result<(), String> {
    let tries = ["move/1", "move/2"].map(|step| entries(effects, record, step));
    let legs: Vec<&Entry> =
        tries.iter().flatten().copied().filter(|entry| entry.purpose == Kind::Remittance).collect();
    if text(record, "state") == "failed" {
        return if legs.is_empty() { Ok(()) } else { Err("money was moved".to_owned()) };
    }
    let sender = Account::Wallet(wallet_of(text(record, "membershipId"))?);
    let receiver = Account::Wallet(wallet_of(text(&record["to"], "membershipId"))?);
    let is_right = |entry: &&Entry| {
        [sender, receiver].contains(&entry.own_account())
            && (entry.debit, entry.credit) == (Some(sender), Some(receiver))
            && entry.amount.amount() == number(record, "amount")
            && entry.time.to_string() == text(record, "completedAt")
    };
    if legs.len() == 2 && legs.iter().all(is_right) {
        Ok(())
    } else {
        Err(format!("its entries are {:?}", kinds(&legs)))
    }
}

/// To an account at the bank: one hold, posted because the bank moved it; or none, or all released.
fn paid_out(record: &Value, effects: &Effects<'_>, at_bank: &BTreeMap<&str, &str>) -> Result<(), String> {
    let (mut holds, mut posts, mut releases) = (0, Vec::new(), 0);
    let sender = wallet_of(text(record, "membershipId"))?;
    for step in ["hold/1", "hold/2"] {
        let made = entries(effects, record, step);
        let closed = entries(effects, record, &format!("{step}/close"));
        if let Some(other) = made.iter().chain(&closed).find(|entry| entry.wallet_id != sender) {
            return Err(format!("{} is touched, which is not its sender's", other.wallet_id));
        }
        holds += made.iter().filter(|entry| entry.purpose == Kind::Hold).count();
        for close in closed {
            match close.purpose {
                Kind::Post => posts.push(close),
                _ => releases += 1,
            }
        }
    }
    let reference = format!("{}/bank", text(record, "remittanceId"));
    let bank = at_bank.get(reference.as_str()).copied();
    let is_right = |post: &&Entry| {
        post.credit == Some(Account::BankCorporate)
            && post.amount.amount() == number(record, "amount")
            && post.time.to_string() == text(record, "completedAt")
    };
    let holds_true = if text(record, "state") == "failed" {
        posts.is_empty() && holds == releases && bank.is_none_or(|state| state == "failed")
    } else {
        holds == 1
            && releases == 0
            && posts.len() == 1
            && posts.iter().all(is_right)
            && bank == Some("succeeded")
    };
    if holds_true {
        Ok(())
    } else {
        Err(format!("{holds} holds, posts {:?}, {releases} releases, the bank says {bank:?}", kinds(&posts)))
    }
}

fn kinds(entries: &[&Entry]) -> Vec<(Kind, u64)> {
    entries.iter().map(|entry| (entry.purpose, entry.amount.amount())).collect()
}

/// A second try comes after a first one that was short, and after a recharge that has come.
fn topped_up(evidence: &Evidence<'_>, record: &Value, effects: &Effects<'_>) -> Result<(), String> {
    let id = text(record, "remittanceId");
    let reference = format!("{id}/recharge");
    let recharge_id: MoneyRequestId = Id::derive(&["reference", &reference]);
    let recharge = evidence.items("money", "moneyRequest").iter();
    let recharge = recharge
        .filter(|request| text(request, "moneyRequestId") == recharge_id.to_string())
        .map(|request| (number(request, "amount"), text(request, "state")))
        .next();
    let planned = record["topUp"]["amount"].as_u64();
    let tried_twice = ["move/2", "hold/2"].iter().any(|step| !entries(effects, record, step).is_empty());
    let is_right = match (planned, recharge) {
        (None, None) => !tried_twice,
        (Some(0), None) => tried_twice,
        (Some(planned), Some((asked, state))) => {
            asked == planned && planned % 10_000 == 0 && tried_twice == (state == "succeeded")
        }
        (Some(_), None) => !tried_twice,
        (None, Some(_)) => false,
    };
    if is_right { Ok(()) } else { Err(format!("planned {planned:?}, recharged {recharge:?}")) }
}

/// What is completed is listed, once in each direction, and nothing else.
fn is_listed_rightly(record: &Value) -> bool {
    let listed = |field: &str| record[field].as_str();
    if text(record, "state") != "completed" {
        return [listed("sentBy"), listed("receivedBy"), listed("completedPlace")] == [None; 3];
    }
    let place = format!("{}#{}", text(record, "completedAt"), text(record, "remittanceId"));
    let sent_by = format!("member#{}", text(record, "membershipId"));
    let receiver = record["to"]["membershipId"].as_str().map(|member| format!("member#{member}"));
    [listed("sentBy"), listed("receivedBy"), listed("completedPlace")]
        == [Some(sent_by.as_str()), receiver.as_deref(), Some(place.as_str())]
}

/// What the one who asked was told is so.
fn answers(evidence: &Evidence<'_>, records: &[Value], findings: &mut Vec<String>) {
    let records: BTreeMap<&str, &Value> =
        records.iter().map(|record| (text(record, "remittanceId"), record)).collect();
    for seen in &evidence.ended.seen.observations {
        let Some(answer) = seen.answer.as_ref().filter(|answer| answer.is_certain()) else { continue };
        if (seen.ask.method, seen.ask.path.as_str()) != ("POST", "/v1/remittances") {
            continue;
        }
        let (Some(person), Some(key)) = (seen.person, &seen.ask.key) else { continue };
        let member = evidence.ended.seen.people[person].membership_id.to_string();
        let id: RemittanceId = Id::derive(&[&member, "remittance.requestRemittance", key]);
        let record = records.get(id.to_string().as_str());
        let wanted = seen.ask.body.as_ref().and_then(|body| body["amount"]["amount"].as_u64());
        let same = record.is_some_and(|record| Some(number(record, "amount")) == wanted);
        let state = record.map_or("not there", |record| text(record, "state"));
        let holds = match answer.status {
            201 => same && state == "completed",
            202 => same,
            _ if answer.location.is_some() => same && state == "failed",
            _ if answer.code() == IDEMPOTENCY_KEY_REUSED.code => record.is_some() && !same,
            // Who cannot receive leaves nothing, and the key is free for another try, which may have gone well.
            _ => !same || record.is_some_and(|record| evidence.is_made_by_another(seen, record)),
        };
        if !holds {
            let (status, code) = (answer.status, answer.code());
            findings.push(format!("{id} of {wanted:?} is {state}, and was answered with {status} {code}"));
        }
    }
}

/// Whoever reads a remittance has sent it, or has received it for good; an end that was shown is the end.
fn shown(evidence: &Evidence<'_>, records: &[Value], findings: &mut Vec<String>) {
    let records: BTreeMap<&str, &Value> =
        records.iter().map(|record| (text(record, "remittanceId"), record)).collect();
    for seen in
        evidence.ended.seen.observations.iter().filter(|seen| seen.ask.path.starts_with("/v1/remittances"))
    {
        let Some(answer) = seen.answer.as_ref().filter(|answer| answer.is_success()) else { continue };
        let reader = seen.person.map(|person| evidence.ended.seen.people[person].membership_id.to_string());
        let reader = reader.unwrap_or_default();
        let page = answer.body["items"].as_array();
        let (is_page, items) = (page.is_some(), page.cloned().unwrap_or_else(|| vec![answer.body.clone()]));
        let place =
            |item: &Value| (text(item, "completedAt").to_owned(), text(item, "remittanceId").to_owned());
        if is_page && items.windows(2).any(|pair| place(&pair[0]) <= place(&pair[1])) {
            findings.push(format!("a page is not newest first: {}", answer.body));
        }
        for item in items {
            let Some(record) = records.get(text(&item, "remittanceId")) else {
                findings.push(format!("{item} was shown and is not stored"));
                continue;
            };
            let ended = ["completed", "failed"].contains(&text(&item, "state"));
            let completed = text(&item, "state") == "completed";
            let is_sender = text(record, "membershipId") == reader && text(&item, "direction") == "sent";
            let is_receiver = record["to"]["membershipId"].as_str() == Some(reader.as_str())
                && text(&item, "direction") == "received"
                && completed;
            if (ended && text(&item, "state") != text(record, "state"))
                || !(is_sender || is_receiver)
                || (is_page && !completed)
            {
                findings.push(format!("{item} was shown to {reader} and is {record}"));
            }
        }
    }
}
