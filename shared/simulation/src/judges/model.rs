//! A sequential reference model: it is told, in the ledger's order, what was asked, and says what must come of it.
//!
//! It knows limits and balances, but no chains, references, clocks or retries: what is left when all of that works.

use super::{Evidence, number, text};
use kernel::{Money, SeoulDay};
use money::{
    domain::{Entry, Kind},
    refusals::Refusal,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// How much may move, in won, where nobody has set anything else. Written out and not taken from the ledger, which would
/// agree with itself whatever it says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// What a wallet may hold, what is expected included: the most of a prepaid instrument without a name on it.
    pub wallet_cap: u64,
    /// What one recharge may bring.
    recharge_each: u64,
    /// What a day's recharges may bring, in Seoul.
    recharge_per_day: u64,
    /// What a month's recharges may bring.
    recharge_per_month: u64,
    /// What one transfer, payment, withdrawal or hold may move out of a wallet.
    transfer_each: u64,
    /// What may move out of a wallet in a day; what is held counts.
    transfer_per_day: u64,
    /// What may move out of a wallet in a month.
    transfer_per_month: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wallet_cap: 2_000_000,
            recharge_each: 2_000_000,
            recharge_per_day: 5_000_000,
            recharge_per_month: 30_000_000,
            transfer_each: 2_000_000,
            transfer_per_day: 5_000_000,
            transfer_per_month: 30_000_000,
        }
    }
}

/// A wallet as the model knows it.
#[derive(Default)]
struct Wallet {
    balance: u64,
    expected: BTreeMap<String, (u64, SeoulDay)>,
    held: BTreeMap<String, (u64, SeoulDay)>,
    recharged: BTreeMap<String, u64>,
    sent: BTreeMap<String, u64>,
    closed: bool,
}

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    let limits = limits(evidence);
    let asked = asked(evidence);
    for (name, chain) in &evidence.chains {
        let mut wallet = Wallet::default();
        for entry in chain {
            let saga = entry.reference.split('/').next().unwrap_or_default();
            // The steps of a payment are about different amounts.
            let asked = asked.get(&entry.reference).or_else(|| asked.get(saga)).copied().unwrap_or_default();
            if let Err(why) = wallet.take(entry, asked, &limits) {
                findings.push(format!("{name} entry {}: {why}", entry.sequence));
            }
            let (own, told) = (wallet.standing(&entry.standing.day), told(entry));
            if own != told {
                findings.push(format!(
                    "{name} entry {}: the model has {own:?}, it says {told:?}",
                    entry.sequence
                ));
            }
        }
        if !wallet.expected.is_empty() {
            findings.push(format!("{name} still expects {:?}", wallet.expected));
        }
        // What people hold in place of a service may stay open.
        if let Some(saga) = wallet.held.keys().find(|saga| !saga.starts_with("sim_")) {
            findings.push(format!("{name} still holds money for {saga}"));
        }
    }
}

/// Balance, expected, held; recharged and sent, each on the entry's day and in its month.
type Numbers = [u64; 7];

fn told(entry: &Entry) -> Numbers {
    let standing = &entry.standing;
    [
        standing.balance,
        standing.expected,
        standing.held,
        standing.recharged_today,
        standing.recharged_this_month,
        standing.transferred_today,
        standing.transferred_this_month,
    ]
    .map(|amount| amount.amount())
}

fn sum(open: &BTreeMap<String, (u64, SeoulDay)>) -> u64 {
    open.values().map(|(amount, _)| amount).sum()
}

/// The limits of a history.
pub fn limits(evidence: &Evidence<'_>) -> Limits {
    let limits = evidence.ended.config.get("money").and_then(|config| config.get("limits")).cloned();
    limits.map_or_else(Limits::default, |limits| serde_json::from_value(limits).expect("limits"))
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
        holds.map(|hold| (hold.reference.split('/').next().unwrap_or_default().to_owned(), hold.held));
    let remittances = evidence.items("remittance", "remittance").iter();
    let remittances =
        remittances.map(|record| (text(record, "remittanceId").to_owned(), number(record, "amount")));
    let payments = evidence.items("payment", "payment").iter().flat_map(steps_of);
    recharges.chain(transfers).chain(holds).chain(remittances).chain(payments).collect()
}

/// The references of a payment's steps, and the amount of each.
fn steps_of(payment: &Value) -> Vec<(String, u64)> {
    let (id, amount) = (text(payment, "paymentId"), number(payment, "amount"));
    let parts = payment["cancellations"].as_array().into_iter().flatten();
    let parts = parts.map(|part| {
        let reference = format!("{id}/cancellation/{}", text(part, "cancellationId"));
        (reference, number(part, "amount"))
    });
    let tries = ["pay/1", "pay/2"].map(|step| (format!("{id}/{step}"), amount));
    parts.chain(tries).collect()
}

fn count(sums: &mut BTreeMap<String, u64>, day: &SeoulDay, amount: u64) {
    for period in [day.to_string(), day.month().to_owned()] {
        *sums.entry(period).or_default() += amount;
    }
}

fn give_back(sums: &mut BTreeMap<String, u64>, day: &SeoulDay, amount: u64) {
    for period in [day.to_string(), day.month().to_owned()] {
        if let Some(sum) = sums.get_mut(&period) {
            *sum -= amount;
        }
    }
}

impl Wallet {
    /// Takes the next entry, or says why there should be none such.
    fn take(&mut self, entry: &Entry, asked: u64, limits: &Limits) -> Result<(), String> {
        let amount = entry.amount.amount();
        let day = entry.standing.day.clone();
        let saga = entry.reference.split('/').next().unwrap_or_default().to_owned();
        let is_whole =
            !matches!(entry.purpose, Kind::Refused | Kind::Open | Kind::Post | Kind::Release | Kind::Close);
        if is_whole && amount != asked {
            return Err(format!("it is about {amount} won, and {asked} were asked for"));
        }
        match entry.purpose {
            Kind::Open => {}
            Kind::Close if self.balance > 0 || !self.expected.is_empty() || !self.held.is_empty() => {
                return Err("it ends, and something is left".to_owned());
            }
            Kind::Close => self.closed = true,
            Kind::Expect | Kind::Remittance if self.closed => return Err("the wallet is closed".to_owned()),
            Kind::Expect => {
                self.hold_to_recharge(amount, &day, limits)?;
                count(&mut self.recharged, &day, amount);
                self.expected.insert(saga, (amount, day));
            }
            Kind::Recharge => {
                self.expected.remove(&saga).ok_or("it was not expected")?;
                self.take_certain(amount);
            }
            Kind::Hold => {
                self.hold_to_sending(amount, &day, limits)?;
                count(&mut self.sent, &day, amount);
                self.held.insert(saga, (amount, day));
            }
            Kind::Withdrawal | Kind::Post => {
                let (held, used) = self.held.remove(&saga).ok_or("it was not held")?;
                let rest = held.checked_sub(amount).ok_or("more than was held")?;
                give_back(&mut self.sent, &used, rest);
                self.balance -= amount;
            }
            Kind::Release => self.release(&saga, amount)?,
            Kind::Payment => {
                self.hold_to_sending(amount, &day, limits)?;
                self.balance -= amount;
                count(&mut self.sent, &day, amount);
            }
            // Never refused, not even for the cap.
            Kind::Cancellation => self.take_certain(amount),
            Kind::Remittance if entry.debit == Some(entry.own_account()) => {
                self.hold_to_sending(amount, &day, limits)?;
                self.balance -= amount;
                count(&mut self.sent, &day, amount);
            }
            Kind::Remittance => {
                self.hold_to_cap(amount, limits)?;
                self.balance += amount;
            }
            Kind::Refused => self.justify(entry, asked, &day, limits)?,
        }
        Ok(())
    }

    /// Money that is never refused: what the wallet cannot hold, or not any more, goes to suspense.
    fn take_certain(&mut self, amount: u64) {
        if !self.closed && self.balance + amount <= Money::MAX.amount() {
            self.balance += amount;
        }
    }

    fn standing(&self, day: &SeoulDay) -> Numbers {
        let of = |sums: &BTreeMap<String, u64>, period: &str| sums.get(period).copied().unwrap_or_default();
        [
            self.balance,
            sum(&self.expected),
            sum(&self.held),
            of(&self.recharged, day.as_str()),
            of(&self.recharged, day.month()),
            of(&self.sent, day.as_str()),
            of(&self.sent, day.month()),
        ]
    }

    /// What was expected will not come, or what was held is free; a hold that was never made releases nothing.
    fn release(&mut self, saga: &str, amount: u64) -> Result<(), String> {
        let (open, sums) = if self.expected.contains_key(saga) {
            (self.expected.remove(saga), &mut self.recharged)
        } else {
            (self.held.remove(saga), &mut self.sent)
        };
        match open {
            Some((kept, used)) if kept == amount => give_back(sums, &used, amount),
            None if amount == 0 => {}
            other => return Err(format!("it releases {amount} of {other:?}")),
        }
        Ok(())
    }

    fn available(&self) -> u64 {
        self.balance.saturating_sub(sum(&self.held))
    }

    fn used(sums: &BTreeMap<String, u64>, period: &str) -> u128 {
        u128::from(sums.get(period).copied().unwrap_or_default())
    }

    fn hold_to_cap(&self, amount: u64, limits: &Limits) -> Result<(), String> {
        let expected: u128 = self.expected.values().map(|(amount, _)| u128::from(*amount)).sum();
        let holding = u128::from(self.balance) + expected + u128::from(amount);
        if holding > u128::from(limits.wallet_cap) { Err("it passes the cap".to_owned()) } else { Ok(()) }
    }

    fn hold_to_recharge(&self, amount: u64, day: &SeoulDay, limits: &Limits) -> Result<(), String> {
        let over = |period: &str, limit: u64| {
            Wallet::used(&self.recharged, period) + u128::from(amount) > u128::from(limit)
        };
        if amount > limits.recharge_each
            || over(day.as_str(), limits.recharge_per_day)
            || over(day.month(), limits.recharge_per_month)
        {
            return Err("it passes a recharge limit".to_owned());
        }
        self.hold_to_cap(amount, limits)
    }

    fn hold_to_sending(&self, amount: u64, day: &SeoulDay, limits: &Limits) -> Result<(), String> {
        let over = |period: &str, limit: u64| {
            Wallet::used(&self.sent, period) + u128::from(amount) > u128::from(limit)
        };
        if amount > self.available() {
            return Err("there is not so much".to_owned());
        }
        if amount > limits.transfer_each
            || over(day.as_str(), limits.transfer_per_day)
            || over(day.month(), limits.transfer_per_month)
        {
            return Err("it passes a transfer limit".to_owned());
        }
        Ok(())
    }

    /// A refusal must have its reason. Those for the other wallet's sake, for time's and for what is closed are judged
    /// for themselves.
    fn justify(&self, entry: &Entry, asked: u64, day: &SeoulDay, limits: &Limits) -> Result<(), String> {
        let (sums, each, per_day, per_month) = if entry.reference.ends_with("/expect") {
            (&self.recharged, limits.recharge_each, limits.recharge_per_day, limits.recharge_per_month)
        } else {
            (&self.sent, limits.transfer_each, limits.transfer_per_day, limits.transfer_per_month)
        };
        let over =
            |period: &str, limit: u64| Wallet::used(sums, period) + u128::from(asked) > u128::from(limit);
        let holds = match entry.refusal {
            None => false,
            Some(Refusal::InsufficientBalance) => asked > self.available(),
            Some(Refusal::EachLimitExceeded) => asked > each,
            Some(Refusal::DayLimitExceeded) => over(day.as_str(), per_day),
            Some(Refusal::MonthLimitExceeded) => over(day.month(), per_month),
            Some(Refusal::MoneyHeld) => !self.held.is_empty(),
            Some(Refusal::RechargeExpected) => !self.expected.is_empty(),
            Some(Refusal::WalletNotEmpty) => self.balance > 0,
            Some(Refusal::WalletCapExceeded) => self.hold_to_cap(asked, limits).is_err(),
            Some(Refusal::WalletClosed) => self.closed,
            Some(
                Refusal::ReceiverCapExceeded
                | Refusal::ReceiverClosed
                | Refusal::ReceiverNotFound
                | Refusal::Expired
                | Refusal::HoldClosed,
            ) => true,
        };
        if holds { Ok(()) } else { Err(format!("it was refused without reason: {:?}", entry.refusal)) }
    }
}
