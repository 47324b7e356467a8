//! Whose a settlement line is, where its pay-out goes, and which fee a payment has: the franchise's own, as its facts and
//! its operators' answers tell it. What settlement and payment keep of a franchise is held to the franchise.

use super::{CLOCKS_APART_MS, Evidence, number, text};
use crate::people::Observation;
use kernel::{FeeSchedule, SeoulDay, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// A franchise as one of its facts tells it.
struct Told {
    at_ms: i64,
    account: String,
    fees: FeeSchedule,
}

/// Each franchise's facts, by the version that they tell of.
type Facts<'a> = BTreeMap<&'a str, BTreeMap<u64, Told>>;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let facts = facts(evidence);
    lines(evidence, &facts, findings);
    for (franchise, told) in &facts {
        the_past_stays(franchise, told, findings);
    }
    fees(evidence, &facts, findings);
    for seen in &evidence.ended.seen.observations {
        let Some(answer) = seen.answer.as_ref().filter(|answer| answer.is_success()) else { continue };
        let (Some(asked), Some(id)) = (&seen.ask.body, answer.body["franchiseId"].as_str()) else { continue };
        if !seen.ask.path.starts_with("/v1/franchises") {
            continue;
        }
        // A registration that is answered once more is shown as it is by now.
        let version = if seen.ask.method == "POST" { 1 } else { number(&answer.body, "version") };
        let told = facts.get(id).and_then(|told| told.get(&version));
        let account = asked["bankAccountId"].as_str();
        if account.is_some_and(|account| told.is_none_or(|told| told.account != account)) {
            let told = told.map(|told| &told.account);
            findings.push(format!("{id} was given {account:?}, and others were told of {told:?}"));
        }
        if asked["feeBps"].is_number() && !has_fee(seen, asked, &answer.body) {
            findings.push(format!("{} was asked for {asked}, and answered {}", seen.ask.path, answer.body));
        }
    }
}

fn facts<'a>(evidence: &'a Evidence<'_>) -> Facts<'a> {
    let (relayed, republished) = &evidence.ended.published;
    let mut facts = Facts::new();
    for event in relayed.iter().chain(republished).filter(|event| event.kind.starts_with("franchise.")) {
        let told = Told {
            at_ms: event.time.millis(),
            account: text(&event.data, "bankAccountId").to_owned(),
            fees: schedule(&event.data),
        };
        facts.entry(&event.subject).or_default().insert(number(&event.data, "version"), told);
    }
    facts
}

fn schedule(body: &Value) -> FeeSchedule {
    serde_json::from_value(body["feeTerms"].clone()).expect("a schedule")
}

/// A line, and its entry in a run, belong to the franchise's owner; a pay-out goes to the account that the franchise had
/// when the attempt was stored, and that account is its owner's.
fn lines(evidence: &Evidence<'_>, facts: &Facts<'_>, findings: &mut Vec<String>) {
    let owners: BTreeMap<&str, &str> = evidence
        .items("franchise", "franchise")
        .iter()
        .map(|franchise| (text(franchise, "franchiseId"), text(franchise, "membershipId")))
        .collect();
    let holders: BTreeMap<&str, &str> = evidence
        .items("banking", "bankAccount")
        .iter()
        .map(|account| (text(account, "bankAccountId"), text(account, "membershipId")))
        .collect();
    let (lines, entries) = (evidence.items("settlement", "line"), evidence.items("settlement", "entry"));
    for item in lines.iter().chain(entries) {
        let (id, owner) = (text(item, "franchiseId"), text(item, "membershipId"));
        if owners.get(id) != Some(&owner) {
            findings.push(format!("{id} is {:?}'s, and settled as {owner}'s: {item}", owners.get(id)));
        }
    }
    for line in lines.iter().filter(|line| line["payout"].is_object()) {
        let (id, payout) = (text(line, "franchiseId"), &line["payout"]);
        let account = text(payout, "bankAccountId");
        if holders.get(account) != Some(&text(line, "membershipId")) {
            findings.push(format!("{id} is paid out to {account}, which is {:?}'s", holders.get(account)));
        }
        let stored_at: Timestamp = text(payout, "bornAt").parse().expect("a time");
        let told = facts.get(id).into_iter().flat_map(|told| around(told, stored_at));
        if !told.into_iter().any(|told| told.account == account) {
            findings.push(format!("{id} is paid out to {account}, which was not its account at {stored_at}"));
        }
    }
}

/// What was told last before a moment, and whatever was told near it: clocks differ.
fn around(told: &BTreeMap<u64, Told>, moment: Timestamp) -> Vec<&Told> {
    let (first, last) = (moment.millis() - CLOCKS_APART_MS, moment.millis() + CLOCKS_APART_MS);
    let before = told.values().rfind(|told| told.at_ms <= first);
    let near = told.values().filter(|told| told.at_ms > first && told.at_ms <= last);
    before.into_iter().chain(near).collect()
}

/// No change ever gives another fee to a moment that is past.
fn the_past_stays(franchise: &str, told: &BTreeMap<u64, Told>, findings: &mut Vec<String>) {
    let facts: Vec<(&u64, &Told)> = told.iter().collect();
    for pair in facts.windows(2) {
        let ((_, before), (version, after)) = (pair[0], pair[1]);
        let moments = before.fees.terms().chain(after.fees.terms()).map(|terms| terms.since);
        let mut past = moments.filter(|moment| moment.millis() <= after.at_ms - CLOCKS_APART_MS);
        if let Some(moment) =
            past.find(|moment| before.fees.in_force(*moment) != after.fees.in_force(*moment))
        {
            findings
                .push(format!("{franchise}'s version {version} changes its fee at {moment}, which was over"));
        }
    }
}

/// A payment's fee was in force when it was asked for, by a schedule that there was by then.
fn fees(evidence: &Evidence<'_>, facts: &Facts<'_>, findings: &mut Vec<String>) {
    for payment in evidence.items("payment", "payment") {
        let requested_at: Timestamp = text(payment, "requestedAt").parse().expect("a time");
        let fee = number(payment, "feeBps");
        let told = facts.get(text(payment, "franchiseId")).into_iter().flat_map(BTreeMap::values);
        let known = told.filter(|told| told.at_ms <= requested_at.millis() + CLOCKS_APART_MS);
        let mut fees = known.map(|told| u64::from(told.fees.in_force(requested_at).get()));
        if !fees.any(|known| known == fee) {
            findings.push(format!("{} has a fee of {fee} that never was", text(payment, "paymentId")));
        }
    }
}

/// An operator who was told that a fee is changed was told of a schedule with that fee, from the day that they named or,
/// if it had begun, from when they asked.
fn has_fee(seen: &Observation, asked: &Value, answered: &Value) -> bool {
    let fees = schedule(answered);
    let day: Option<SeoulDay> = asked["feeFrom"].as_str().and_then(|day| day.parse().ok());
    let opens_ms = day.map_or(i64::MIN, |day| day.business_opens_at().millis());
    let first_ms = opens_ms.max(seen.sent_ms - CLOCKS_APART_MS);
    let last_ms = opens_ms.max(seen.answered_ms + CLOCKS_APART_MS);
    let begun = fees.terms().map(|terms| terms.since);
    let begun = begun.filter(|since| (first_ms..=last_ms).contains(&since.millis()));
    let mut moments = begun.chain([first_ms, last_ms].map(Timestamp::from_millis));
    moments.any(|moment| u64::from(fees.in_force(moment).get()) == number(asked, "feeBps"))
}
