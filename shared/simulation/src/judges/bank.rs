//! What banking says happened at the bank is what the bank says happened, to the very account that is meant, and no won
//! was made or lost there.

use super::{Evidence, number, numbers::Numbers, text};
use kernel::id::WalletId;
use money::domain::{Account, Kind};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the bank's client has in its account at first, in won.
const OWN_BALANCE: i128 = 1_000_000_000_000;
const OWN_NUMBER: &str = "99900011122";

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let numbers = Numbers::of(evidence);
    let transfers: BTreeMap<&str, &Value> = evidence
        .items("bank-simulator", "transfer")
        .iter()
        .map(|transfer| (text(transfer, "transferId"), transfer))
        .collect();
    let is_done = |transfer: &Value| text(transfer, "state") == "done";
    let mut known = 0_usize;
    let mut moved = Moved::new();
    let mut balances: BTreeMap<&str, i128> = BTreeMap::new();
    for firmbanking in evidence.items("banking", "firmbanking") {
        let state = text(firmbanking, "state");
        let transfer = transfers.get(text(firmbanking, "transferId")).copied();
        let id = text(firmbanking, "firmbankingId");
        if (state == "succeeded") != transfer.is_some_and(is_done) {
            let told = transfer.map(|transfer| text(transfer, "state"));
            findings.push(format!("{id} is {state}, and the bank says {told:?}"));
        }
        let amount = i128::from(number(firmbanking, "amount"));
        let amount = if text(firmbanking, "direction") == "toCorporate" { amount } else { -amount };
        let theirs = transfer.and_then(|transfer| between(firmbanking, transfer, &numbers, findings));
        if transfer.is_some_and(is_done) {
            known += 1;
            *balances.entry(OWN_NUMBER).or_default() += amount;
            *balances.entry(theirs.unwrap_or_default()).or_default() -= amount;
        }
        if let (true, Some(request)) =
            (state == "succeeded", text(firmbanking, "reference").strip_suffix("/bank"))
        {
            let owner = text(firmbanking, "membershipId").parse().map(WalletId::of);
            moved
                .insert((owner.map_or_else(|_| String::new(), |wallet| wallet.to_string()), request), amount);
        }
    }
    let done = transfers.values().filter(|transfer| is_done(transfer)).count();
    if done != known {
        findings.push(format!("the bank did {done} transfers, and banking knows of {known}"));
    }
    requests(evidence, &moved, findings);
    compare(evidence, &balances, findings);
}

/// The bank was asked to move what the firmbanking is about, between Pay's own account and the very number that the
/// linked account or the payee stands for. Answers that number.
fn between<'a>(
    firmbanking: &Value,
    transfer: &Value,
    numbers: &'a Numbers,
    findings: &mut Vec<String>,
) -> Option<&'a str> {
    let id = text(firmbanking, "firmbankingId");
    let theirs = match numbers.one(text(firmbanking, "bankAccountId")) {
        Ok(theirs) => theirs,
        Err(why) => {
            findings.push(format!("{id}: {why}"));
            return None;
        }
    };
    let route = match text(firmbanking, "direction") {
        "toCorporate" => (theirs, OWN_NUMBER),
        _ => (OWN_NUMBER, theirs),
    };
    // An id that was voided before anything came has no terms.
    let terms = &transfer["terms"];
    let told = (text(terms, "source"), text(terms, "destination"));
    let same = told == route && number(&terms["amount"], "amount") == number(firmbanking, "amount");
    if terms.is_object() && !same {
        findings.push(format!("{id} is between {route:?}, and the bank was asked for {terms}"));
    }
    Some(theirs)
}

/// What came in for a request, by the wallet that it is about.
type Moved<'a> = BTreeMap<(String, &'a str), i128>;

/// A wallet was credited and debited exactly for what the bank moved for it: its owner's, and no other.
fn requests(evidence: &Evidence<'_>, moved: &Moved<'_>, findings: &mut Vec<String>) {
    let corporate = Some(Account::BankCorporate);
    let mut booked = Moved::new();
    for entry in evidence.chains.values().flatten() {
        let amount = i128::from(entry.amount.amount());
        let effect = match entry.purpose {
            Kind::Recharge if entry.debit == corporate => amount,
            Kind::Withdrawal | Kind::Post if entry.credit == corporate => -amount,
            _ => continue,
        };
        let request = entry.reference.split('/').next().unwrap_or_default();
        *booked.entry((entry.wallet_id.to_string(), request)).or_default() += effect;
    }
    let without = |ours: &Moved<'_>, theirs: &Moved<'_>| -> Vec<String> {
        let differs = ours.iter().filter(|(place, amount)| theirs.get(place) != Some(*amount));
        differs.map(|((wallet, id), amount)| format!("{amount} for {id} in {wallet}")).collect()
    };
    let (missing, surplus) = (without(moved, &booked), without(&booked, moved));
    if !missing.is_empty() || !surplus.is_empty() {
        findings.push(format!("the bank moved {missing:?}, and the wallets' books say {surplus:?}"));
    }
}

/// Each account at the bank has what it had at first, and what banking says was moved.
fn compare(evidence: &Evidence<'_>, moved: &BTreeMap<&str, i128>, findings: &mut Vec<String>) {
    for account in evidence.items("bank-simulator", "account") {
        let name = text(account, "accountNumber");
        let first = if name == OWN_NUMBER { OWN_BALANCE } else { crate::actions::BANK_BALANCE.into() };
        let expected = first + moved.get(name).copied().unwrap_or_default();
        let balance = i128::from(number(account, "balance"));
        if balance != expected {
            findings.push(format!("{name} has {balance} at the bank, and should have {expected}"));
        }
    }
}
