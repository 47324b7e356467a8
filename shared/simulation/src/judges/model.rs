//! A sequential reference model: it is told, in the ledger's order, what was asked, and says what must come of it.
//!
//! It knows limits and balances, but no chains, references, clocks or retries: what is left when all of that works.

use super::{Evidence, number, text};
use kernel::SeoulDay;
use money::{
    domain::{Entry, Kind, Limits},
    refusals::Refusal,
};
use std::collections::BTreeMap;

/// A wallet as the model knows it.
#[derive(Default)]
struct Wallet {
    balance: u64,
    expected: BTreeMap<String, (u64, SeoulDay)>,
    recharged: BTreeMap<String, u64>,
    sent: BTreeMap<String, u64>,
    held: BTreeMap<String, (u64, SeoulDay)>,
}

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let limits = limits(evidence);
    let asked = asked(evidence);
    for (name, chain) in &evidence.chains {
        let mut wallet = Wallet::default();
        for entry in chain {
            let saga = entry.reference.split('/').next().unwrap_or_default();
            let asked = asked.get(saga).copied().unwrap_or_default();
            if let Err(why) = wallet.take(entry, asked, &limits) {
                findings.push(format!("{name} entry {}: {why}", entry.sequence));
            }
            let told =
                (wallet.balance, wallet.expected.values().map(|(amount, _)| amount).sum(), wallet.held());
            let standing = &entry.standing;
            if told != (standing.balance.amount(), standing.expected.amount(), standing.held.amount()) {
                findings.push(format!("{name} entry {}: the model has {told:?}", entry.sequence));
            }
        }
        if !wallet.expected.is_empty() {
            findings.push(format!("{name} still expects {:?}", wallet.expected));
        }
        // Whoever harnesses a hold from outside may die; a withdrawal never leaves one.
        let left: Vec<_> = wallet.held.keys().filter(|hold| hold.starts_with("mcr_")).collect();
        if !left.is_empty() {
            findings.push(format!("{name} still holds {left:?}"));
        }
    }
}

fn limits(evidence: &Evidence<'_>) -> Limits {
    let config = evidence.ended.config.get("money").map(|config| config["limits"].clone());
    config.map_or_else(Limits::default, |limits| serde_json::from_value(limits).expect("limits"))
}

/// The amount that each saga asked for.
fn asked(evidence: &Evidence<'_>) -> BTreeMap<String, u64> {
    let requests = evidence.items("money", "moneyRequest").iter();
    let recharges =
        requests.map(|record| (text(record, "moneyRequestId").to_owned(), number(record, "amount")));
    let transfers = evidence.ended.seen.transfers.iter();
    let transfers = transfers.map(|transfer| {
        (transfer.reference.split('/').next().unwrap_or_default().to_owned(), transfer.amount)
    });
    let holds = evidence.ended.seen.holds.iter();
    let holds =
        holds.map(|held| (held.reference.split('/').next().unwrap_or_default().to_owned(), held.amount));
    recharges.chain(transfers).chain(holds).collect()
}

/// The reference of the hold that an entry closes.
fn hold_of(close: &Entry) -> &str {
    close.reference.strip_suffix("/close").unwrap_or_default()
}

impl Wallet {
    /// Takes the next entry, or says why there should be none such.
    fn take(&mut self, entry: &Entry, asked: u64, limits: &Limits) -> Result<(), String> {
        let amount = entry.amount.amount();
        let day = entry.standing.day.clone();
        let saga = entry.reference.split('/').next().unwrap_or_default().to_owned();
        // What is posted may be a part of what was held, and a release may come before its hold.
        let is_free = matches!(entry.purpose, Kind::Refused | Kind::Open | Kind::Post)
            || (entry.purpose == Kind::Release && amount == 0);
        if !is_free && amount != asked {
            return Err(format!("it is about {amount} won, and {asked} were asked for"));
        }
        match entry.purpose {
            Kind::Open => {}
            Kind::Expect => {
                self.hold_to_recharge(amount, &day, limits)?;
                *self.recharged.entry(day.to_string()).or_default() += amount;
                *self.recharged.entry(day.month().to_owned()).or_default() += amount;
                self.expected.insert(saga, (amount, day));
            }
            Kind::Recharge => {
                self.expected.remove(&saga).ok_or("it was not expected")?;
                self.balance += amount;
            }
            Kind::Hold => {
                self.hold_to_sending(amount, &day, limits)?;
                *self.sent.entry(day.to_string()).or_default() += amount;
                *self.sent.entry(day.month().to_owned()).or_default() += amount;
                self.held.insert(entry.reference.clone(), (amount, day));
            }
            Kind::Withdrawal | Kind::Post => {
                self.free(entry, amount)?;
                self.balance -= amount;
            }
            Kind::Release if entry.reference.ends_with("/hold/close") => {
                if amount > 0 {
                    self.free(entry, 0)?;
                } else if self.held.contains_key(hold_of(entry)) {
                    return Err("it frees nothing of a hold that is there".to_owned());
                }
            }
            Kind::Release => {
                let (_, used) = self.expected.remove(&saga).ok_or("it was not expected")?;
                for period in [used.to_string(), used.month().to_owned()] {
                    if let Some(sum) = self.recharged.get_mut(&period) {
                        *sum -= amount;
                    }
                }
            }
            Kind::Remittance if entry.debit == Some(entry.own_account()) => {
                self.hold_to_sending(amount, &day, limits)?;
                self.balance -= amount;
                *self.sent.entry(day.to_string()).or_default() += amount;
                *self.sent.entry(day.month().to_owned()).or_default() += amount;
            }
            Kind::Remittance => {
                self.hold_to_cap(amount, limits)?;
                self.balance += amount;
            }
            Kind::Refused => self.justify(entry.refusal, asked, &day, limits)?,
        }
        Ok(())
    }

    fn held(&self) -> u64 {
        self.held.values().map(|(amount, _)| amount).sum()
    }

    /// Closes a hold of which so much has gone, and gives the limits of the rest back to the hold's own day.
    fn free(&mut self, close: &Entry, gone: u64) -> Result<(), String> {
        let (held, used) = self.held.remove(hold_of(close)).ok_or("it was not held")?;
        let rest = held.checked_sub(gone).ok_or("more has gone than was held")?;
        for period in [used.to_string(), used.month().to_owned()] {
            if let Some(sum) = self.sent.get_mut(&period) {
                *sum -= rest;
            }
        }
        Ok(())
    }

    fn used(sums: &BTreeMap<String, u64>, period: &str) -> u128 {
        u128::from(sums.get(period).copied().unwrap_or_default())
    }

    fn hold_to_cap(&self, amount: u64, limits: &Limits) -> Result<(), String> {
        let expected: u128 = self.expected.values().map(|(amount, _)| u128::from(*amount)).sum();
        let holding = u128::from(self.balance) + expected + u128::from(amount);
        if holding > u128::from(limits.wallet_cap.amount()) {
            Err("it passes the cap".to_owned())
        } else {
            Ok(())
        }
    }

    fn hold_to_recharge(&self, amount: u64, day: &SeoulDay, limits: &Limits) -> Result<(), String> {
        let over = |period: &str, limit: u64| {
            Wallet::used(&self.recharged, period) + u128::from(amount) > u128::from(limit)
        };
        if amount > limits.recharge_each.amount()
            || over(day.as_str(), limits.recharge_per_day.amount())
            || over(day.month(), limits.recharge_per_month.amount())
        {
            return Err("it passes a recharge limit".to_owned());
        }
        self.hold_to_cap(amount, limits)
    }

    fn hold_to_sending(&self, amount: u64, day: &SeoulDay, limits: &Limits) -> Result<(), String> {
        let over = |period: &str, limit: u64| {
            Wallet::used(&self.sent, period) + u128::from(amount) > u128::from(limit)
        };
        if amount > self.balance - self.held() {
            return Err("there is not so much".to_owned());
        }
        if amount > limits.transfer_each.amount()
            || over(day.as_str(), limits.transfer_per_day.amount())
            || over(day.month(), limits.transfer_per_month.amount())
        {
            return Err("it passes a transfer limit".to_owned());
        }
        Ok(())
    }

    /// A refusal must have its reason. Those for the other wallet's sake are judged by its owner's chain alone.
    fn justify(
        &self,
        why: Option<Refusal>,
        asked: u64,
        day: &SeoulDay,
        limits: &Limits,
    ) -> Result<(), String> {
        let over = |sums: &BTreeMap<String, u64>, period: &str, limit: u64| {
            Wallet::used(sums, period) + u128::from(asked) > u128::from(limit)
        };
        let (recharged, sent) = (&self.recharged, &self.sent);
        let holds = match why {
            None => false,
            Some(Refusal::InsufficientBalance) => asked > self.balance - self.held(),
            Some(Refusal::EachLimitExceeded) => {
                asked > limits.recharge_each.amount().min(limits.transfer_each.amount())
            }
            Some(Refusal::DayLimitExceeded) => {
                over(recharged, day.as_str(), limits.recharge_per_day.amount())
                    || over(sent, day.as_str(), limits.transfer_per_day.amount())
            }
            Some(Refusal::MonthLimitExceeded) => {
                over(recharged, day.month(), limits.recharge_per_month.amount())
                    || over(sent, day.month(), limits.transfer_per_month.amount())
            }
            Some(Refusal::WalletCapExceeded) => self.hold_to_cap(asked, limits).is_err(),
            Some(_) => true,
        };
        if holds { Ok(()) } else { Err(format!("it was refused without reason: {why:?}")) }
    }
}
