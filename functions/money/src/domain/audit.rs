//! A walk along a wallet's chain, oldest entry first: it tells again what every entry says, and trusts none of them.

use crate::domain::{Account, Entry, Kind};
use contract::audit::{Finding, Sums};
use kernel::{
    IdKind, Money, OutOfRange, Timestamp,
    id::{WalletId, kinds},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a wallet is told to have, entry by entry.
pub struct Walk {
    wallet_id: WalletId,
    last: Option<Entry>,
    balance: i64,
    recharged: i64,
    references: BTreeSet<String>,
    expected: BTreeMap<String, Money>,
    held: BTreeMap<String, Money>,
    is_closed: bool,
    findings: Vec<Finding>,
}

impl Walk {
    /// Before the first entry.
    pub fn of(wallet_id: WalletId) -> Walk {
        Walk {
            wallet_id,
            last: None,
            balance: 0,
            recharged: 0,
            references: BTreeSet::new(),
            expected: BTreeMap::new(),
            held: BTreeMap::new(),
            is_closed: false,
            findings: Vec::new(),
        }
    }

    /// Takes the next entry, and counts it if it is from before the cut.
    pub fn take(&mut self, entry: Entry, cut: Timestamp, sums: &mut Sums) -> Result<(), OutOfRange> {
        self.follow(&entry);
        self.count(&entry)?;
        self.hold_to_standing(&entry)?;
        if entry.time < cut {
            add_others(&entry, sums)?;
            add_booked(&entry, sums)?;
            add_standing(&entry, self.last.as_ref(), sums)?;
        }
        self.last = Some(entry);
        Ok(())
    }

    /// What is not as it must be.
    pub fn end(self) -> Vec<Finding> {
        self.findings
    }

    fn hold(&mut self, entry: &Entry, holds: bool, rule: &str, detail: &str) {
        if !holds {
            let subject = format!("{}/{}", self.wallet_id, entry.sequence);
            self.findings.push(Finding::new(rule, subject, detail));
        }
    }

    /// Its place: after the entry before it, in number, time and hash.
    fn follow(&mut self, entry: &Entry) {
        let last = self.last.take();
        let expected = last.as_ref().map_or(1, |last| last.sequence.saturating_add(1));
        self.hold(entry, entry.sequence == expected, "sequence_gap", "an entry before it is missing");
        let hash = last.as_ref().map(Entry::hash).unwrap_or_default();
        self.hold(entry, entry.previous == hash, "broken_hash", "the entry before it was changed");
        let is_later = last.as_ref().is_none_or(|last| last.time <= entry.time);
        self.hold(
            entry,
            is_later && entry.birth <= entry.time,
            "time_reversed",
            "it is too old for its place",
        );
        let is_new = self.references.insert(entry.reference.clone());
        self.hold(entry, is_new, "reference_twice", "its reference has had its effect before");
        let legs = entry.debit.is_some() == entry.credit.is_some();
        self.hold(entry, legs, "one_leg", "it has a debit or a credit account only");
        let reasoned = (entry.purpose == Kind::Refused) == entry.refusal.is_some();
        self.hold(entry, reasoned, "refusal_without_reason", "refused and its reason go together");
        self.last = last;
    }

    /// Its effect on what the wallet has, expects and holds.
    fn count(&mut self, entry: &Entry) -> Result<(), OutOfRange> {
        let own = Some(entry.own_account());
        let amount = i64::try_from(entry.amount.amount()).map_err(|_| OutOfRange)?;
        if entry.debit == own {
            self.balance = self.balance.checked_sub(amount).ok_or(OutOfRange)?;
        }
        if entry.credit == own {
            self.balance = self.balance.checked_add(amount).ok_or(OutOfRange)?;
        }
        if entry.purpose == Kind::Recharge {
            self.recharged = self.recharged.checked_add(amount).ok_or(OutOfRange)?;
        }
        let saga = |suffix: &str| entry.reference.strip_suffix(suffix).map(str::to_owned);
        match entry.purpose {
            Kind::Expect => {
                self.expected.insert(saga("/expect").unwrap_or_default(), entry.amount);
            }
            Kind::Hold => {
                self.held.insert(entry.reference.clone(), entry.amount);
            }
            Kind::Recharge | Kind::Release | Kind::Withdrawal | Kind::Post => {
                self.close(entry, saga("/close"))
            }
            _ => {}
        }
        Ok(())
    }

    /// What was expected or held is not any more.
    fn close(&mut self, entry: &Entry, what: Option<String>) {
        let what = what.unwrap_or_default();
        if let Some(held) = self.held.remove(&what) {
            let fits = entry.amount <= held && (entry.purpose != Kind::Release || entry.amount == held);
            self.hold(entry, fits, "closes_too_much", "it closes a hold of another amount");
        } else if let Some(expected) = self.expected.remove(&what) {
            let fits = entry.amount == expected;
            self.hold(entry, fits, "closes_too_much", "it closes an expected recharge of another amount");
        } else {
            // Who gives up without knowing whether the hold was made releases it all the same.
            let is_nothing = entry.purpose == Kind::Release && entry.amount.is_zero();
            self.hold(entry, is_nothing, "closes_nothing", "it closes what was neither expected nor held");
        }
    }

    /// What it says of the wallet.
    fn hold_to_standing(&mut self, entry: &Entry) -> Result<(), OutOfRange> {
        let standing = &entry.standing;
        let is = |told: Money, own: i64| i64::try_from(told.amount()).is_ok_and(|told| told == own);
        let balance = is(standing.balance, self.balance);
        let recharged = is(standing.recharged_total, self.recharged);
        let sum = |open: &BTreeMap<String, Money>| {
            open.values().try_fold(Money::ZERO, |sum, amount| sum.plus(*amount))
        };
        let (held, expected) = (sum(&self.held)?, sum(&self.expected)?);
        self.hold(entry, balance, "wrong_balance", "its balance is not the sum of the entries");
        self.hold(entry, recharged, "wrong_recharged_total", "its recharged total is not the recharges' sum");
        self.hold(entry, standing.held == held, "wrong_held", "what it says is held is not what is held");
        let is_expected = standing.expected == expected;
        self.hold(entry, is_expected, "wrong_expected", "what it says is expected is not what is expected");
        self.is_closed |= entry.purpose == Kind::Close;
        let is_closed = standing.closed == self.is_closed;
        self.hold(entry, is_closed, "wrong_closed", "it is closed from its close on, and not before");
        let is_empty = standing.balance.is_zero() && held.is_zero() && expected.is_zero();
        self.hold(
            entry,
            is_empty || !self.is_closed,
            "closed_not_empty",
            "something is left in a closed wallet",
        );
        let covered = standing.available().is_ok();
        self.hold(entry, covered, "held_not_covered", "more is held than there is");
        let day = standing.day == entry.time.seoul_day();
        self.hold(entry, day, "wrong_day", "its day is not that of its time");
        Ok(())
    }
}

/// Accounts without a chain of their own: each entry's other leg.
fn add_others(entry: &Entry, sums: &mut Sums) -> Result<(), OutOfRange> {
    let name = |account: Option<Account>| match account {
        None | Some(Account::Wallet(_)) => None,
        Some(Account::Franchise(_)) => Some("ledger.franchises".to_owned()),
        Some(other) => Some(format!("ledger.{other}")),
    };
    if let Some(debit) = name(entry.debit) {
        sums.minus(&debit, entry.amount)?;
    }
    if let Some(credit) = name(entry.credit) {
        sums.plus(&credit, entry.amount)?;
    }
    Ok(())
}

/// What other services' sagas have moved: each says so in a record of its own.
fn add_booked(entry: &Entry, sums: &mut Sums) -> Result<(), OutOfRange> {
    let saga = entry.reference.split('_').next().unwrap_or_default();
    let name = match (saga, entry.purpose) {
        (kinds::Remittance::PREFIX, Kind::Remittance) if entry.debit == Some(entry.own_account()) => {
            "booked.remitted"
        }
        (kinds::Remittance::PREFIX, Kind::Post) => "booked.remitted",
        (kinds::Payment::PREFIX, Kind::Payment) => "booked.paid",
        (kinds::Payment::PREFIX, Kind::Cancellation) => "booked.refunded",
        _ => return Ok(()),
    };
    sums.plus(name, entry.amount)
}

/// The wallet's standing, in place of the one before.
fn add_standing(entry: &Entry, before: Option<&Entry>, sums: &mut Sums) -> Result<(), OutOfRange> {
    let named = |entry: &Entry| {
        let standing = &entry.standing;
        [
            ("ledger.wallets", standing.balance),
            ("open.held", standing.held),
            ("open.expected", standing.expected),
        ]
    };
    for (name, amount) in before.map(named).into_iter().flatten() {
        sums.minus(name, amount)?;
    }
    for (name, amount) in named(entry) {
        sums.plus(name, amount)?;
    }
    Ok(())
}
