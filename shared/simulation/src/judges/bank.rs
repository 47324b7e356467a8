//! What banking says happened at the bank is what the bank says happened, and no won was made or lost there.

use super::{Evidence, number, text};
use money::domain::{Account, Kind};
use std::collections::BTreeMap;

/// What the bank's client has in its account at first, in won.
const OWN_BALANCE: i128 = 1_000_000_000_000;
const OWN_NUMBER: &str = "99900011122";

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let transfers: BTreeMap<&str, &str> = evidence
        .items("bank-simulator", "transfer")
        .iter()
        .map(|transfer| (text(transfer, "transferId"), text(transfer, "state")))
        .collect();
    let mut net = 0_i128;
    let mut known = 0_usize;
    let mut moved: BTreeMap<&str, i128> = BTreeMap::new();
    for firmbanking in evidence.items("banking", "firmbanking") {
        let state = text(firmbanking, "state");
        let told = transfers.get(text(firmbanking, "transferId")).copied();
        let id = text(firmbanking, "firmbankingId");
        if (state == "succeeded") != (told == Some("done")) {
            findings.push(format!("{id} is {state}, and the bank says {told:?}"));
        }
        let amount = i128::from(number(firmbanking, "amount"));
        let amount = if text(firmbanking, "direction") == "toCorporate" { amount } else { -amount };
        if told == Some("done") {
            known += 1;
            net += amount;
        }
        if let (true, Some(request)) =
            (state == "succeeded", text(firmbanking, "reference").strip_suffix("/bank"))
        {
            moved.insert(request, amount);
        }
    }
    let done = transfers.values().filter(|state| **state == "done").count();
    if done != known {
        findings.push(format!("the bank did {done} transfers, and banking knows of {known}"));
    }
    requests(evidence, &moved, findings);
    balances(evidence, net, findings);
}

/// A wallet was credited and debited exactly for what the bank moved for it.
fn requests(evidence: &Evidence<'_>, moved: &BTreeMap<&str, i128>, findings: &mut Vec<String>) {
    let corporate = Some(Account::BankCorporate);
    let mut booked: BTreeMap<&str, i128> = BTreeMap::new();
    for entry in evidence.chains.values().flatten() {
        let amount = i128::from(entry.amount.amount());
        let effect = match entry.purpose {
            Kind::Recharge if entry.debit == corporate => amount,
            Kind::Withdrawal | Kind::Post if entry.credit == corporate => -amount,
            _ => continue,
        };
        *booked.entry(entry.reference.split('/').next().unwrap_or_default()).or_default() += effect;
    }
    let without = |ours: &BTreeMap<&str, i128>, theirs: &BTreeMap<&str, i128>| -> Vec<String> {
        let differs = ours.iter().filter(|(id, amount)| theirs.get(**id) != Some(*amount));
        differs.map(|(id, amount)| format!("{amount} for {id}")).collect()
    };
    let (missing, surplus) = (without(moved, &booked), without(&booked, moved));
    if !missing.is_empty() || !surplus.is_empty() {
        findings.push(format!("the bank moved {missing:?}, and the wallets' books say {surplus:?}"));
    }
}

fn balances(evidence: &Evidence<'_>, net: i128, findings: &mut Vec<String>) {
    let accounts = evidence.items("bank-simulator", "account");
    let balance = |account: &serde_json::Value| i128::from(number(account, "balance"));
    let own = accounts.iter().find(|account| text(account, "accountNumber") == OWN_NUMBER).map(balance);
    if own.is_some_and(|own| own != OWN_BALANCE + net) {
        findings.push(format!("the corporate account has {own:?}, and {net} came in on balance"));
    }
    let others: i128 =
        accounts.iter().filter(|account| text(account, "accountNumber") != OWN_NUMBER).map(balance).sum();
    let opened = i128::try_from(accounts.len()).expect("few") - i128::from(own.is_some());
    if others + net != opened * i128::from(crate::actions::BANK_BALANCE) {
        findings.push(format!("the members' accounts have {others} and paid {net} on balance"));
    }
}
