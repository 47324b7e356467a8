//! A walk along a wallet's chain, oldest entry first: it tells again what every entry says, and trusts none of them.
//! What holds in every chain, and what accounts are summed up, is a journal's walk's too.
//!
//! A chain may be longer than one run of the audit has time for, so a walk is a value that travels from run to run. It
//! keeps no more of what is behind it than the next entries are held to.

use crate::domain::{Account, Entry, Kind, Link};
use contract::audit::{Finding, Sums, payable_booked};
use kernel::{
    IdKind, Money, OutOfRange, Timestamp,
    id::{WalletId, kinds},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How many references a walk keeps: the window of most steps, few enough to travel in a message.
const KEPT: usize = 100;

/// How far a walk along any chain is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trail {
    /// The partition of the chain.
    name: String,
    /// The sort key of the last item that was looked at, readable or not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    after: Option<String>,
    /// The entry before the next one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    last: Option<Last>,
    /// The newest of the references behind it, oldest first.
    recent: VecDeque<Recent>,
    /// What was found since somebody asked.
    #[serde(skip)]
    findings: Vec<Finding>,
}

/// What an entry is held to of the one before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Last {
    sequence: u64,
    time: Timestamp,
    hash: String,
}

/// A reference that has had its effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Recent {
    sequence: u64,
    time: Timestamp,
    reference: String,
}

impl Trail {
    /// Before the first entry of the chain of this name.
    pub fn of(name: impl Into<String>) -> Trail {
        Trail { name: name.into(), after: None, last: None, recent: VecDeque::new(), findings: Vec::new() }
    }

    /// The partition of the chain.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The sort key of the last item that was looked at.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// Notes that the item with this sort key was looked at.
    pub fn looked_at(&mut self, sort: String) {
        self.after = Some(sort);
    }

    /// Notes what is not as it must be.
    pub fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Takes what was found since the last time.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Notes that an entry breaks a rule, if it does.
    pub fn hold<L: Link>(&mut self, entry: &L, holds: bool, rule: &str, detail: &str) {
        if !holds {
            let subject = format!("{}/{}", self.name, entry.place().sequence);
            self.findings.push(Finding::new(rule, subject, detail));
        }
    }

    /// The place before which references must still be looked at to know whether this entry's is new; none if all of
    /// them are kept.
    ///
    /// A step's own append reads back to its birth and no further, so a reference can have had its effect before and
    /// not have been seen there only within that window. Nothing older is looked at.
    pub fn unknown_before<L: Link>(&self, entry: &L) -> Option<u64> {
        let oldest = self.recent.front()?;
        let is_whole = oldest.sequence <= 1 || oldest.time < entry.place().birth;
        (!is_whole).then_some(oldest.sequence)
    }

    /// Holds an entry to its place: after the entry before it, in number, time and hash. `is_repeated` says whether its
    /// reference is among those that are not kept.
    pub fn follow<L: Link>(&mut self, entry: &L, is_repeated: bool) {
        let (place, last) = (entry.place(), self.last.take());
        let expected = last.as_ref().map_or(1, |last| last.sequence.saturating_add(1));
        self.hold(entry, place.sequence == expected, "sequence_gap", "an entry before it is missing");
        let hash = last.as_ref().map(|last| last.hash.as_str()).unwrap_or_default();
        self.hold(entry, place.previous == hash, "broken_hash", "the entry before it was changed");
        self.hold(entry, entry.is_unchanged(), "broken_hash", "it was changed");
        let is_later = last.is_none_or(|last| last.time <= place.time);
        let detail = "it is too old for its place";
        self.hold(entry, is_later && place.birth <= place.time, "time_reversed", detail);
        let is_new = !is_repeated && self.recent.iter().all(|recent| recent.reference != place.reference);
        self.hold(entry, is_new, "reference_twice", "its reference has had its effect before");
        self.last = Some(Last { sequence: place.sequence, time: place.time, hash: entry.hash() });
        let reference = place.reference.to_owned();
        self.recent.push_back(Recent { sequence: place.sequence, time: place.time, reference });
        if self.recent.len() > KEPT {
            self.recent.pop_front();
        }
    }
}

/// A walk along some chain.
pub trait Walk {
    /// What stands in it.
    type Entry: Link;

    /// What holds in every chain.
    fn trail(&mut self) -> &mut Trail;

    /// Takes the next entry, and counts it if it is from before the cut. `is_repeated` says whether its reference is
    /// among those that are not kept.
    fn take(
        &mut self,
        entry: &Self::Entry,
        is_repeated: bool,
        cut: Timestamp,
        sums: &mut Sums,
    ) -> Result<(), OutOfRange>;

    /// The entry, if it is a wallet's: other items tell of it too.
    fn of_wallet(entry: &Self::Entry) -> Option<&Entry>;
}

/// What a wallet is told to have, entry by entry. What is open in it is carried along: one thing for each saga of the
/// member that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WalletWalk {
    trail: Trail,
    balance: i64,
    recharged: i64,
    expected: BTreeMap<String, Money>,
    held: BTreeMap<String, Money>,
    is_closed: bool,
    /// What it has added to the sums.
    counted: Counted,
}

/// A wallet's standing as it is in the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Counted {
    balance: Money,
    held: Money,
    expected: Money,
}

impl WalletWalk {
    /// Before the first entry.
    pub fn of(wallet_id: WalletId) -> WalletWalk {
        WalletWalk {
            trail: Trail::of(wallet_id.to_string()),
            balance: 0,
            recharged: 0,
            expected: BTreeMap::new(),
            held: BTreeMap::new(),
            is_closed: false,
            counted: Counted::default(),
        }
    }

    fn hold(&mut self, entry: &Entry, holds: bool, rule: &str, detail: &str) {
        self.trail.hold(entry, holds, rule, detail);
    }

    /// Its place, and that it says what it must.
    fn follow(&mut self, entry: &Entry, is_repeated: bool) {
        self.trail.follow(entry, is_repeated);
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

    /// Its standing, in place of the one that was counted before.
    fn add_standing(&mut self, entry: &Entry, sums: &mut Sums) -> Result<(), OutOfRange> {
        let standing = &entry.standing;
        let now = Counted { balance: standing.balance, held: standing.held, expected: standing.expected };
        let before = std::mem::replace(&mut self.counted, now);
        for (name, before, now) in [
            ("ledger.wallets", before.balance, now.balance),
            ("open.held", before.held, now.held),
            ("open.expected", before.expected, now.expected),
        ] {
            sums.minus(name, before)?;
            sums.plus(name, now)?;
        }
        Ok(())
    }
}

impl Walk for WalletWalk {
    type Entry = Entry;

    fn trail(&mut self) -> &mut Trail {
        &mut self.trail
    }

    fn take(
        &mut self,
        entry: &Entry,
        is_repeated: bool,
        cut: Timestamp,
        sums: &mut Sums,
    ) -> Result<(), OutOfRange> {
        self.follow(entry, is_repeated);
        self.count(entry)?;
        self.hold_to_standing(entry)?;
        if entry.time < cut {
            add_legs([entry.debit, entry.credit], entry.amount, sums)?;
            add_booked(entry, sums)?;
            self.add_standing(entry, sums)?;
        }
        Ok(())
    }

    fn of_wallet(entry: &Entry) -> Option<&Entry> {
        Some(entry)
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
