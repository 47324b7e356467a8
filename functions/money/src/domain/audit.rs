//! A walk along a wallet's chain, oldest entry first: it tells again what every entry says, and trusts none of them.
//! What holds in every chain, and what accounts are summed up, is a journal's walk's too.

use crate::domain::{Account, Entry, Kind, Link};
use contract::audit::{Finding, Sums, payable_booked};
use kernel::{
    IdKind, Money, OutOfRange, Timestamp,
    id::{WalletId, kinds},
};
use std::collections::{BTreeMap, BTreeSet};

/// How far a walk along any chain is.
pub struct Trail<L> {
    name: String,
    last: Option<L>,
    references: BTreeSet<String>,
    findings: Vec<Finding>,
}

impl<L: Link> Trail<L> {
    /// Before the first entry of the chain of this name.
    pub fn of(name: impl Into<String>) -> Trail<L> {
        Trail { name: name.into(), last: None, references: BTreeSet::new(), findings: Vec::new() }
    }

    /// Notes that an entry breaks a rule, if it does.
    pub fn hold(&mut self, entry: &L, holds: bool, rule: &str, detail: &str) {
        if !holds {
            let subject = format!("{}/{}", self.name, entry.place().sequence);
            self.findings.push(Finding::new(rule, subject, detail));
        }
    }

    /// Holds an entry to its place: after the entry before it, in number, time and hash.
    pub fn follow(&mut self, entry: &L) {
        let (place, last) = (entry.place(), self.last.take());
        let before = last.as_ref().map(L::place);
        let expected = before.map_or(1, |before| before.sequence.saturating_add(1));
        self.hold(entry, place.sequence == expected, "sequence_gap", "an entry before it is missing");
        let hash = last.as_ref().map(L::hash).unwrap_or_default();
        self.hold(entry, place.previous == hash, "broken_hash", "the entry before it was changed");
        self.hold(entry, entry.is_unchanged(), "broken_hash", "it was changed");
        let is_later = before.is_none_or(|before| before.time <= place.time);
        let detail = "it is too old for its place";
        self.hold(entry, is_later && place.birth <= place.time, "time_reversed", detail);
        let is_new = self.references.insert(place.reference.to_owned());
        self.hold(entry, is_new, "reference_twice", "its reference has had its effect before");
        self.last = last;
    }

    /// The entry before the one that is looked at.
    pub fn last(&self) -> Option<&L> {
        self.last.as_ref()
    }

    /// Goes on to the next entry.
    pub fn pass(&mut self, entry: L) {
        self.last = Some(entry);
    }

    /// What is not as it must be.
    pub fn end(self) -> Vec<Finding> {
        self.findings
    }
}

/// What a wallet is told to have, entry by entry.
pub struct Walk {
    trail: Trail<Entry>,
    balance: i64,
    recharged: i64,
    expected: BTreeMap<String, Money>,
    held: BTreeMap<String, Money>,
    is_closed: bool,
}

impl Walk {
    /// Before the first entry.
    pub fn of(wallet_id: WalletId) -> Walk {
        Walk {
            trail: Trail::of(wallet_id.to_string()),
            balance: 0,
            recharged: 0,
            expected: BTreeMap::new(),
            held: BTreeMap::new(),
            is_closed: false,
        }
    }

    /// Takes the next entry, and counts it if it is from before the cut.
    pub fn take(&mut self, entry: Entry, cut: Timestamp, sums: &mut Sums) -> Result<(), OutOfRange> {
        self.follow(&entry);
        self.count(&entry)?;
        self.hold_to_standing(&entry)?;
        if entry.time < cut {
            add_legs([entry.debit, entry.credit], entry.amount, sums)?;
            add_booked(&entry, sums)?;
            add_standing(&entry, self.trail.last(), sums)?;
        }
        self.trail.pass(entry);
        Ok(())
    }

    /// What is not as it must be.
    pub fn end(self) -> Vec<Finding> {
        self.trail.end()
    }

    fn hold(&mut self, entry: &Entry, holds: bool, rule: &str, detail: &str) {
        self.trail.hold(entry, holds, rule, detail);
    }

    /// Its place, and that it says what it must.
    fn follow(&mut self, entry: &Entry) {
        self.trail.follow(entry);
        let legs = entry.debit.is_some() == entry.credit.is_some();
        self.hold(entry, legs, "one_leg", "it has a debit or a credit account only");
        let reasoned = (entry.purpose == Kind::Refused) == entry.refusal.is_some();
        self.hold(entry, reasoned, "refusal_without_reason", "refused and its reason go together");
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

/// Accounts without a balance of their own: each leg that is no wallet. What is owed to franchises is also summed up by
/// their buckets, so that what is one's is not taken for another's.
pub fn add_legs(legs: [Option<Account>; 2], amount: Money, sums: &mut Sums) -> Result<(), OutOfRange> {
    let names = |account: Option<Account>| match account {
        None | Some(Account::Wallet(_)) => Vec::new(),
        Some(Account::Franchise(id)) => vec!["ledger.franchises".to_owned(), payable_booked(id)],
        Some(other) => vec![format!("ledger.{other}")],
    };
    let [debit, credit] = legs.map(names);
    debit.iter().try_for_each(|name| sums.minus(name, amount))?;
    credit.iter().try_for_each(|name| sums.plus(name, amount))
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
