//! The ledger's invariants, over the entries as they are stored.

use super::Evidence;
use money::domain::{Account, Entry, JournalEntry, JournalKind, Kind, Link};
use std::collections::{BTreeMap, BTreeSet};

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    let mut transfers: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for (wallet, chain) in &evidence.chains {
        judge_chain(wallet, chain, findings);
        for entry in chain {
            count(entry, &mut sums);
            if entry.purpose == Kind::Remittance {
                transfers.entry(&entry.reference).or_default().push(entry);
            }
        }
    }
    for (franchise, journal) in &evidence.journals {
        judge_journal(franchise, journal, findings);
        for entry in journal {
            let amount = i128::from(entry.amount.amount());
            *sums.entry(entry.debit.to_string()).or_default() -= amount;
            *sums.entry(entry.credit.to_string()).or_default() += amount;
        }
    }
    let total: i128 = sums.values().sum();
    if total != 0 {
        findings.push(format!("the accounts do not sum up to nothing but to {total}: {sums:?}"));
    }
    for (reference, legs) in transfers {
        let pair = legs.len() == 2
            && legs[0].wallet_id != legs[1].wallet_id
            && (legs[0].debit, legs[0].credit) == (legs[1].debit, legs[1].credit)
            && legs[0].amount == legs[1].amount
            && legs[0].time == legs[1].time;
        if !pair {
            findings.push(format!("the transfer {reference} is not one debit and one credit"));
        }
    }
}

fn judge_chain(wallet: &str, chain: &[Entry], findings: &mut Vec<String>) {
    let mut references = BTreeSet::new();
    let mut balance = 0_i128;
    let mut is_closed = false;
    for (place, entry) in (1_u64..).zip(chain) {
        let mut hold = |holds: bool, what: &str| {
            if !holds {
                findings.push(format!("{wallet} entry {}: {what}", entry.sequence));
            }
        };
        hold(entry.sequence == place, "the sequence has a gap");
        hold(references.insert(&entry.reference), "its reference has had its effect already");
        hold(entry.debit.is_some() == entry.credit.is_some(), "one leg is missing");
        hold((entry.purpose == Kind::Refused) == entry.refusal.is_some(), "refused without a reason");
        hold(entry.time >= entry.birth, "it is older than its birth");
        hold(entry.standing.day == entry.time.seoul_day(), "its day is not its time's");
        hold(entry.standing.held <= entry.standing.balance, "more is held than there is");
        let is_empty = [entry.standing.balance, entry.standing.held, entry.standing.expected]
            .iter()
            .all(|left| left.is_zero());
        is_closed |= entry.purpose == Kind::Close;
        hold(entry.standing.closed == is_closed, "closed without its end, or open after it");
        hold(!is_closed || is_empty, "something is left in a closed wallet");
        balance += own_effect(entry);
        hold(balance == i128::from(entry.standing.balance.amount()), "its balance is not the sum");
    }
    follow(wallet, chain, findings);
}

fn follow<L: Link>(name: &str, chain: &[L], findings: &mut Vec<String>) {
    for pair in chain.windows(2) {
        if !pair[0].is_followed_by(&pair[1]) {
            let place = pair[1].place().sequence;
            findings.push(format!("{name}: entry {place} does not follow on the one before"));
        }
    }
}

fn judge_journal(franchise: &str, journal: &[JournalEntry], findings: &mut Vec<String>) {
    let mut references = BTreeSet::new();
    let (mut paid_out, mut fee, mut vat) = (0_i128, 0_i128, 0_i128);
    let own = format!("franchise:{franchise}");
    for (place, entry) in (1_u64..).zip(journal) {
        let mut hold = |holds: bool, what: &str| {
            if !holds {
                findings.push(format!("{franchise}'s journal, entry {}: {what}", entry.sequence));
            }
        };
        hold(entry.sequence == place, "the sequence has a gap");
        hold(references.insert(&entry.reference), "its reference has had its effect already");
        hold(entry.time >= entry.birth, "it is older than its birth");
        hold(!entry.amount.is_zero(), "it moves nothing");
        let amount = i128::from(entry.amount.amount());
        let (debit, credit) = (entry.debit.to_string(), entry.credit.to_string());
        let (total, other) = match entry.purpose {
            JournalKind::Settlement => (&mut paid_out, "bank:corporate"),
            JournalKind::Fee => (&mut fee, "fee:revenue"),
            JournalKind::Vat => (&mut vat, "vat:payable"),
        };
        let (is_taken, is_back) = ((&debit, &*credit) == (&own, other), (&*debit, &credit) == (other, &own));
        hold(is_taken || (is_back && other != "bank:corporate"), "its accounts are not those of its kind");
        *total += if is_taken { amount } else { -amount };
        let told = &entry.totals;
        let told = (i128::from(told.paid_out.amount()), told.fee.amount().into(), told.vat.amount().into());
        hold(told == (paid_out, fee, vat), "its totals are not the sums");
    }
    follow(franchise, journal, findings);
}

fn own_effect(entry: &Entry) -> i128 {
    let own = Some(entry.own_account());
    let amount = i128::from(entry.amount.amount());
    match (entry.debit == own, entry.credit == own) {
        (true, false) => -amount,
        (false, true) => amount,
        _ => 0,
    }
}

/// Adds an entry to the accounts' sums: its own leg, and the other one if that account has no chain of its own.
fn count(entry: &Entry, sums: &mut BTreeMap<String, i128>) {
    let amount = i128::from(entry.amount.amount());
    let own = entry.own_account();
    for (account, effect) in [(entry.debit, -amount), (entry.credit, amount)] {
        let Some(account) = account else { continue };
        if account == own || !matches!(account, Account::Wallet(_)) {
            *sums.entry(account.to_string()).or_default() += effect;
        }
    }
}
