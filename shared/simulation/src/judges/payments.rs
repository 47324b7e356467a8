//! Every payment has ended as the ledger says: paid once or not at all, taken back as its parts say and never beyond
//! the amount; and its lists have it in its place. What came back has a record for settlement, and what is settled is in
//! the manifest of one finished settlement.

use super::{Evidence, number, read, text};
use crate::people::{Answer, Observation};
use kernel::{
    Id, Timestamp,
    id::{CancellationId, MembershipId, MoneyRequestId, PaymentId, WalletId},
};
use money::domain::{Account, Entry, Kind};
use payment::items::{CollectedPage, SettledGroup};
use serde_json::Value;
use std::collections::BTreeMap;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let mut effects: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    let chains = evidence.chains.values().flatten();
    for entry in chains.filter(|entry| entry.reference.starts_with("pmt_")) {
        effects.entry(entry.reference.split('/').next().unwrap_or_default()).or_default().push(entry);
    }
    let settled = settled(evidence, findings);
    let mut known = BTreeMap::new();
    for payment in evidence.items("payment", "payment") {
        let id = text(payment, "paymentId");
        let entries = effects.remove(id).unwrap_or_default();
        paid(payment, &entries, findings);
        tried_again(evidence, payment, &entries, findings);
        taken_back(payment, &entries, findings);
        recorded(evidence, payment, findings);
        listed(payment, findings);
        known.insert(id, payment);
    }
    for id in effects.keys() {
        findings.push(format!("{id} is in the ledger and not stored"));
    }
    copies(evidence, findings);
    for seen in &evidence.ended.seen.observations {
        let Some(answer) = seen.answer.as_ref().filter(|answer| answer.is_certain()) else { continue };
        told(&answer.body, &known, &settled, findings);
        pages(seen, answer, findings);
        asked(evidence, seen, answer, &known, findings);
    }
}

fn is_approved(payment: &Value) -> bool {
    ["normal", "settled"].contains(&text(payment, "state"))
}

/// In which settlement each payment and each cancellation is, by its id: in one at most, whose manifest is whole.
fn settled(evidence: &Evidence<'_>, findings: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut settled = BTreeMap::new();
    for group in read::<SettledGroup>(evidence.ended, "payment") {
        let settlement = group.settlement_id.to_string();
        let pages = evidence.manifest(group.franchise_id, &group.name()).unwrap_or_else(|why| {
            findings.push(format!("{settlement} is finished {why}"));
            &[]
        });
        for (payment, cancellation) in pages.iter().flat_map(CollectedPage::ids) {
            let id = cancellation.map_or_else(|| payment.to_string(), |id| id.to_string());
            if let Some(other) = settled.insert(id.clone(), settlement.clone()) {
                findings.push(format!("{id} is settled in {other} and in {settlement}"));
            }
        }
    }
    settled
}

/// Each part that is back has a record that says the same, and nothing else has one.
fn recorded(evidence: &Evidence<'_>, payment: &Value, findings: &mut Vec<String>) {
    let id = text(payment, "paymentId");
    let records = evidence.items("payment", "cancellation").iter();
    let mut records: Vec<&Value> = records.filter(|record| text(record, "paymentId") == id).collect();
    let parts = payment["cancellations"].as_array().into_iter().flatten();
    for part in parts.filter(|part| part["refundedAt"].is_string()) {
        let same = |record: &&Value| {
            let of_part = ["cancellationId", "amount", "refundedAt"].iter();
            let of_payment = ["franchiseId", "orderId", "feeBps"].iter();
            of_part.clone().all(|field| record[*field] == part[*field])
                && of_payment.clone().all(|field| record[*field] == payment[*field])
        };
        match records.iter().position(same) {
            Some(place) => drop(records.remove(place)),
            None => findings.push(format!("{id} has no record of {part}")),
        }
    }
    if !records.is_empty() {
        findings.push(format!("{id} has records of what never came back: {records:?}"));
    }
}

/// When the ledger moved a record's money: it is listed under another moment if it came days late.
fn entered<'a>(record: &'a Value, listed: &str) -> &'a str {
    record["enteredAt"].as_str().unwrap_or_else(|| text(record, listed))
}

/// Paid exactly once if it says so, and not at all if it does not.
fn paid(payment: &Value, entries: &[&Entry], findings: &mut Vec<String>) {
    let id = text(payment, "paymentId");
    let payer: MembershipId = text(payment, "membershipId").parse().expect("an id");
    let franchise = text(payment, "franchiseId").parse().expect("an id");
    let legs = (Some(Account::Wallet(WalletId::of(payer))), Some(Account::Franchise(franchise)));
    let paid: Vec<_> = entries.iter().filter(|entry| entry.purpose == Kind::Payment).collect();
    let once = paid.len() == 1
        && paid.iter().all(|entry| {
            entry.amount.amount() == number(payment, "amount")
                && (entry.debit, entry.credit) == legs
                && entry.time.to_string() == entered(payment, "approvedAt")
        });
    let as_said = if is_approved(payment) { once } else { paid.is_empty() };
    if !as_said {
        findings.push(format!("{id} is {} and was paid by {paid:?}", text(payment, "state")));
    }
    let refused = entries.iter().any(|entry| entry.purpose == Kind::Refused);
    if text(payment, "state") == "failed" && !refused {
        findings.push(format!("{id} failed, and the ledger never refused it"));
    }
}

/// Whoever recharged for a payment tried it again: a second try that was refused is an entry of its own.
fn tried_again(evidence: &Evidence<'_>, payment: &Value, entries: &[&Entry], findings: &mut Vec<String>) {
    let id = text(payment, "paymentId");
    let recharge: MoneyRequestId = Id::derive(&["reference", &format!("{id}/recharge")]);
    let recharge = recharge.to_string();
    let is_recharge =
        |record: &&Value| text(record, "moneyRequestId") == recharge && text(record, "state") == "succeeded";
    let recharged = evidence.items("money", "moneyRequest").iter().any(|record| is_recharge(&record));
    let again = entries.iter().any(|entry| entry.reference == format!("{id}/pay/2"));
    if recharged && !again {
        findings.push(format!("{id} was recharged for, and never tried again"));
    }
}

/// Each part came back once, and nothing else did.
fn taken_back(payment: &Value, entries: &[&Entry], findings: &mut Vec<String>) {
    let id = text(payment, "paymentId");
    let parts = payment["cancellations"].as_array().map_or(&[][..], Vec::as_slice);
    let back: Vec<_> = entries.iter().filter(|entry| entry.purpose == Kind::Cancellation).collect();
    let sum: u64 = back.iter().map(|entry| entry.amount.amount()).sum();
    let payer = WalletId::of(text(payment, "membershipId").parse().expect("an id"));
    let franchise = Some(Account::Franchise(text(payment, "franchiseId").parse().expect("an id")));
    // What the wallet cannot take goes to suspense, and the model knows when that is.
    let to = [Some(Account::Wallet(payer)), Some(Account::Suspense)];
    if sum > number(payment, "amount") || !parts.is_empty() && !is_approved(payment) {
        findings.push(format!("{id} of {} was taken back by {sum}", number(payment, "amount")));
    }
    let mut missing = back.len();
    for part in parts {
        let reference = format!("{id}/cancellation/{}", text(part, "cancellationId"));
        let entry = back.iter().find(|entry| entry.reference == reference);
        let same = entry.is_some_and(|entry| {
            entry.amount.amount() == number(part, "amount")
                && entry.time.to_string() == entered(part, "refundedAt")
                && entry.wallet_id == payer
                && entry.debit == franchise
                && to.contains(&entry.credit)
        });
        if !same {
            findings.push(format!("{reference} says {part}, and the ledger says {entry:?}"));
        }
        missing = missing.saturating_sub(1);
    }
    if missing > 0 {
        findings.push(format!("{id} was taken back {missing} times more than it says"));
    }
}

/// It is in the lists exactly if it was paid, in one place.
fn listed(payment: &Value, findings: &mut Vec<String>) {
    let id = text(payment, "paymentId");
    let lists = ["paidBy", "paidTo", "approvedPlace"].map(|attribute| text(payment, attribute));
    let expected = if is_approved(payment) {
        let approved_at: Timestamp = text(payment, "approvedAt").parse().expect("a time");
        let number: PaymentId = id.parse().expect("an id");
        let franchise = text(payment, "franchiseId");
        let day = approved_at.business_day();
        [
            format!("payer#{}", text(payment, "membershipId")),
            format!("{franchise}#{day}#paid#{}", number.bits() % 8),
            format!("{approved_at}#{id}"),
        ]
    } else {
        Default::default()
    };
    if lists != expected.each_ref().map(String::as_str) {
        findings.push(format!("{id} is listed under {lists:?}"));
    }
}

/// The copy of each franchise is the franchise.
fn copies(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let copies: BTreeMap<&str, &Value> =
        evidence.items("payment", "franchise").iter().map(|copy| (text(copy, "franchiseId"), copy)).collect();
    for franchise in evidence.items("franchise", "franchise") {
        let id = text(franchise, "franchiseId");
        let same = copies.get(id).is_some_and(|copy| {
            // Versions may differ: what is forgotten of a closed franchise is told to nobody.
            ["state", "feeTerms", "membershipId"].iter().all(|field| copy[*field] == franchise[*field])
        });
        if !same {
            findings.push(format!("payment has {:?} for {id}", copies.get(id)));
        }
    }
}

/// What was shown of a payment is what it is: its terms never change, and what ended stays so.
fn told(
    body: &Value,
    known: &BTreeMap<&str, &Value>,
    settled: &BTreeMap<String, String>,
    findings: &mut Vec<String>,
) {
    let listed = body["items"].as_array().into_iter().flatten();
    for shown in listed.chain([body]) {
        let Some(id) = shown["paymentId"].as_str() else { continue };
        let Some(payment) = known.get(id) else {
            findings.push(format!("{id} was shown and is not stored"));
            continue;
        };
        let fields = ["franchiseId", "membershipId", "orderId", "feeBps", "requestedAt"];
        let same = fields.iter().all(|field| shown[*field] == payment[*field])
            && shown["amount"]["amount"] == payment["amount"];
        let (then, now) = (text(shown, "state"), text(payment, "state"));
        let goes_on = then == now || then == "requested" || (then, now) == ("settled", "normal");
        let settlement = settled.get(id).map(String::as_str);
        let is_settled = then == "settled" && settlement == shown["settlementId"].as_str();
        if then == "settled" && !is_settled {
            findings.push(format!("{id} was shown in {} and is in {settlement:?}", shown["settlementId"]));
        }
        let back = number(&shown["canceledAmount"], "amount");
        let parts = payment["cancellations"].as_array().into_iter().flatten();
        let back_now: u64 = parts.map(|part| number(part, "amount")).sum();
        if !same || !goes_on || back > back_now {
            findings.push(format!("{id} was shown as {shown} and is {payment}"));
        }
    }
}

/// A page is newest first, and shows nothing twice.
fn pages(seen: &Observation, answer: &Answer, findings: &mut Vec<String>) {
    let is_list = seen.ask.method == "GET"
        && (seen.ask.path.starts_with("/v1/payments?") || seen.ask.path.starts_with("/v1/payments/normal?"));
    let Some(items) = answer.body["items"].as_array().filter(|_| is_list) else { return };
    let places: Vec<_> =
        items.iter().map(|item| (text(item, "approvedAt"), text(item, "paymentId"))).collect();
    let is_normal = seen.ask.path.starts_with("/v1/payments/normal?");
    let belongs = |item: &Value| is_approved(item) && (!is_normal || text(item, "state") == "normal");
    if !places.windows(2).all(|two| two[0] > two[1]) || !items.iter().all(belongs) {
        findings.push(format!("{} shows {places:?}", seen.ask.path));
    }
}

/// What was answered to who asked for a payment, or for one to be taken back, is so.
fn asked(
    evidence: &Evidence<'_>,
    seen: &Observation,
    answer: &Answer,
    known: &BTreeMap<&str, &Value>,
    findings: &mut Vec<String>,
) {
    let (Some(person), Some(key), "POST") = (seen.person, &seen.ask.key, seen.ask.method) else { return };
    let member = evidence.ended.seen.people[person].membership_id.to_string();
    let holds = if seen.ask.path == "/v1/payments" {
        let id: PaymentId = Id::derive(&[&member, "payment.requestPayment", key]);
        let wanted = seen.ask.body.as_ref().and_then(|body| body["amount"]["amount"].as_u64());
        let payment = known.get(id.to_string().as_str());
        let same = payment.is_some_and(|payment| Some(number(payment, "amount")) == wanted);
        match answer.status {
            201 => same && payment.is_some_and(|payment| is_approved(payment)),
            202 => same,
            // A payment that failed says where it is kept; any other refusal left nothing behind.
            _ if answer.location.is_some() => {
                same && payment.is_some_and(|payment| text(payment, "state") == "failed")
            }
            _ if answer.code() == "idempotency_key_reused" => payment.is_some() && !same,
            _ => !same || payment.is_some_and(|payment| evidence.is_made_by_another(seen, payment)),
        }
    } else if let Some(payment) = seen.ask.path.strip_suffix("/cancellations") {
        let payment = payment.rsplit('/').next().unwrap_or_default();
        let id: CancellationId = Id::derive(&[&member, "payment.cancelPayment", payment, key]);
        let parts = known.get(payment).and_then(|payment| payment["cancellations"].as_array());
        let part = parts.into_iter().flatten().find(|part| text(part, "cancellationId") == id.to_string());
        match part {
            None => !answer.is_success(),
            Some(_) if answer.is_success() || answer.code() == "idempotency_key_reused" => true,
            Some(part) => evidence.is_made_by_another(seen, part),
        }
    } else {
        true
    };
    if !holds {
        let (status, code) = (answer.status, answer.code());
        findings.push(format!("{} under {key} was answered with {status} {code}", seen.ask.path));
    }
}
