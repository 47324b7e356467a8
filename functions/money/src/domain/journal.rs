//! A franchise's journal: the chain of what settlement has done with what Pay owes it.
//!
//! Its entries move money between accounts that have no chain of their own, so they stand in one of the franchise's.
//! They follow on a settlement that is recorded already, or on money that has left the bank: what is asked for is a
//! matter of fact, and nothing refuses it but other terms under the same reference.

use crate::domain::{
    Account,
    link::{self, Link, Place},
};
use contract::Reference;
use kernel::{Money, OutOfRange, SignedMoney, Timestamp, id::FranchiseId};
use serde::{Deserialize, Serialize};
use store::seal;

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JournalKind {
    /// What the franchise was owed has left for its bank account.
    Settlement,
    /// What Pay keeps of it, or gives back of what it kept.
    Fee,
    /// The VAT on that, likewise.
    Vat,
}

/// What is asked of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalStep {
    /// Book what was paid out at the bank.
    PayOut,
    /// Keep a fee.
    TakeFee,
    /// Give a fee back, because more was taken back than paid.
    ReturnFee,
    /// Keep the VAT on a fee.
    TakeVat,
    /// Give VAT back.
    ReturnVat,
}

impl JournalStep {
    /// All of them.
    pub const ALL: [JournalStep; 5] = [
        JournalStep::PayOut,
        JournalStep::TakeFee,
        JournalStep::ReturnFee,
        JournalStep::TakeVat,
        JournalStep::ReturnVat,
    ];

    /// The step that moves money from one account to another, and the franchise in whose journal it stands; none if
    /// no journal has such a step.
    pub fn between(debit: Account, credit: Account) -> Option<(FranchiseId, JournalStep)> {
        let ((Account::Franchise(franchise), _) | (_, Account::Franchise(franchise))) = (debit, credit)
        else {
            return None;
        };
        let step = JournalStep::ALL.into_iter().find(|step| step.legs(franchise) == (debit, credit))?;
        Some((franchise, step))
    }

    /// Debit and credit.
    pub fn legs(self, franchise: FranchiseId) -> (Account, Account) {
        let own = Account::Franchise(franchise);
        match self {
            JournalStep::PayOut => (own, Account::BankCorporate),
            JournalStep::TakeFee => (own, Account::FeeRevenue),
            JournalStep::ReturnFee => (Account::FeeRevenue, own),
            JournalStep::TakeVat => (own, Account::VatPayable),
            JournalStep::ReturnVat => (Account::VatPayable, own),
        }
    }

    /// The kind of its entry.
    pub fn kind(self) -> JournalKind {
        match self {
            JournalStep::PayOut => JournalKind::Settlement,
            JournalStep::TakeFee | JournalStep::ReturnFee => JournalKind::Fee,
            JournalStep::TakeVat | JournalStep::ReturnVat => JournalKind::Vat,
        }
    }

    /// What audits call the sum of such steps.
    pub fn sum(self) -> &'static str {
        match self {
            JournalStep::PayOut => "paidOut",
            JournalStep::TakeFee => "feeTaken",
            JournalStep::ReturnFee => "feeReturned",
            JournalStep::TakeVat => "vatTaken",
            JournalStep::ReturnVat => "vatReturned",
        }
    }
}

/// A step and who asks for it.
#[derive(Clone, Debug)]
pub struct JournalOrder {
    /// What is asked.
    pub step: JournalStep,
    /// How much.
    pub amount: Money,
    /// Under which reference, and since when.
    pub reference: Reference,
    /// In which trace.
    pub traceparent: String,
}

impl JournalOrder {
    /// The hash of what is asked of this franchise's journal, birth included: a reference stands for one such hash
    /// for ever.
    pub fn terms(&self, franchise: FranchiseId) -> String {
        let (debit, credit) = self.step.legs(franchise);
        let amount = self.amount.amount().to_string();
        let birth = self.reference.birth.to_string();
        seal::digest(&["journal terms", &debit.to_string(), &credit.to_string(), &amount, &birth])
    }
}

/// What a journal's entries sum up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// All that was ever paid out.
    #[serde(with = "kernel::money::won")]
    pub paid_out: Money,
    /// All fees, less what was given back of them.
    #[serde(with = "kernel::signed_money::signed_won")]
    pub fee: SignedMoney,
    /// All VAT, likewise.
    #[serde(with = "kernel::signed_money::signed_won")]
    pub vat: SignedMoney,
}

impl Totals {
    /// The totals after one more step.
    pub fn and(self, step: JournalStep, amount: Money) -> Result<Totals, OutOfRange> {
        let mut after = self;
        match step {
            JournalStep::PayOut => after.paid_out = after.paid_out.plus(amount)?,
            JournalStep::TakeFee => after.fee = after.fee.plus(amount.into())?,
            JournalStep::ReturnFee => after.fee = after.fee.minus(amount.into())?,
            JournalStep::TakeVat => after.vat = after.vat.plus(amount.into())?,
            JournalStep::ReturnVat => after.vat = after.vat.minus(amount.into())?,
        }
        Ok(after)
    }
}

/// An entry of a journal: never changed, like a wallet's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalEntry {
    /// Whose journal.
    pub franchise_id: FranchiseId,
    /// The entry's place in it: 1, 2, 3 …
    pub sequence: u64,
    /// What it is for.
    pub purpose: JournalKind,
    /// How much.
    #[serde(with = "kernel::money::won")]
    pub amount: Money,
    /// The account that the amount leaves.
    pub debit: Account,
    /// The account that it comes to.
    pub credit: Account,
    /// Which step asked for it. A reference has at most one effect.
    pub reference: String,
    /// Since when the step may have been asked for.
    pub birth: Timestamp,
    /// The hash of what the step asked for, its birth included.
    pub terms: String,
    /// When: never before the entry before it, nor before the step's birth.
    pub time: Timestamp,
    /// The totals after it.
    pub totals: Totals,
    /// The hash of the entry before it; empty for the first.
    pub previous: String,
    /// The trace of the request that made it.
    pub traceparent: String,
    /// The entry's own hash, which the next one carries; none before it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

impl Link for JournalEntry {
    fn place(&self) -> Place<'_> {
        Place {
            sequence: self.sequence,
            time: self.time,
            birth: self.birth,
            reference: &self.reference,
            previous: &self.previous,
            hash: self.hash.as_deref(),
        }
    }

    fn own_hash(&mut self) -> &mut Option<String> {
        &mut self.hash
    }

    fn is_beside(&self, other: &JournalEntry) -> bool {
        self.franchise_id == other.franchise_id
    }
}

/// A journal's newest entries without gap, back to the first that is older than a step's birth or to the first of all.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Whose.
    pub franchise_id: FranchiseId,
    /// Newest first.
    pub entries: Vec<JournalEntry>,
}

/// What becomes of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Booking {
    /// It was done before: this is its entry.
    Done(JournalEntry),
    /// The reference stands for something else.
    OtherTerms,
    /// This entry must be appended.
    Append(JournalEntry),
}

/// Decides a step.
pub fn decide(journal: &Journal, order: &JournalOrder, now: Timestamp) -> Result<Booking, OutOfRange> {
    let terms = order.terms(journal.franchise_id);
    if let Some(known) = link::find(&journal.entries, &order.reference.id) {
        let is_same = known.terms == terms;
        return Ok(if is_same { Booking::Done(known.clone()) } else { Booking::OtherTerms });
    }
    let tip = journal.entries.first();
    let (sequence, previous) = link::after(tip)?;
    let before = tip.map(|tip| tip.totals).unwrap_or_default();
    let (debit, credit) = order.step.legs(journal.franchise_id);
    Ok(Booking::Append(JournalEntry {
        franchise_id: journal.franchise_id,
        sequence,
        purpose: order.step.kind(),
        amount: order.amount,
        debit,
        credit,
        reference: order.reference.id.clone(),
        birth: order.reference.birth,
        terms,
        time: link::time_after(tip, order.reference.birth, now),
        totals: before.and(order.step, order.amount)?,
        previous,
        traceparent: order.traceparent.clone(),
        hash: None,
    }))
}
