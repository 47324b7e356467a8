//! An entry of a wallet's chain: journal, balance, statement, idempotency record and outbox in one item.
//!
//! Entries are never changed. Each carries the wallet's standing after it and the hash of the entry before it, so
//! that the newest entry is the balance and the chain shows tampering.

use crate::domain::{
    Account,
    link::{Link, Place},
};
use crate::refusals::Refusal;
use kernel::{
    Money, OutOfRange, SeoulDay, Timestamp,
    id::{MembershipId, WalletId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The wallet begins. Moves nothing.
    Open,
    /// A recharge is on its way from the bank: counts toward cap and limits. Moves nothing.
    Expect,
    /// Money came from a linked bank account.
    Recharge,
    /// Money is kept for something on its way: it cannot be spent. Moves nothing.
    Hold,
    /// What was held went to an account that is no wallet, or a part of it did and the rest is free again.
    Post,
    /// What was held went to a linked bank account.
    Withdrawal,
    /// What was expected will not come, or what was held is free again. Moves nothing.
    Release,
    /// Money went to, or came from, another member's wallet.
    Remittance,
    /// Money went to a franchise.
    Payment,
    /// Money of a payment came back from a franchise.
    Cancellation,
    /// The wallet ends: nothing is in it or on its way, and it takes nothing any more. Moves nothing.
    Close,
    /// A step was refused; later attempts of the same step find this. Moves nothing.
    Refused,
}

/// A wallet's standing after an entry: balances and the running totals that limits look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// What the member owns.
    #[serde(with = "kernel::money::won")]
    pub balance: Money,
    /// What of it is held for something on its way; never more than the balance.
    #[serde(with = "kernel::money::won")]
    pub held: Money,
    /// What recharges on their way will bring.
    #[serde(with = "kernel::money::won")]
    pub expected: Money,
    /// All that recharges ever brought.
    #[serde(with = "kernel::money::won")]
    pub recharged_total: Money,
    /// The day in Seoul that the next four belong to: the entry's.
    pub day: SeoulDay,
    /// Recharged today, what is expected included.
    #[serde(with = "kernel::money::won")]
    pub recharged_today: Money,
    /// Recharged this month, what is expected included.
    #[serde(with = "kernel::money::won")]
    pub recharged_this_month: Money,
    /// Gone out today, what is held included.
    #[serde(with = "kernel::money::won")]
    pub transferred_today: Money,
    /// Gone out this month, what is held included.
    #[serde(with = "kernel::money::won")]
    pub transferred_this_month: Money,
    /// Whether the wallet is closed: it takes nothing any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub closed: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Standing {
    /// The standing of a wallet that has no entry yet.
    pub fn new(day: SeoulDay) -> Standing {
        Standing {
            balance: Money::ZERO,
            held: Money::ZERO,
            expected: Money::ZERO,
            recharged_total: Money::ZERO,
            day,
            recharged_today: Money::ZERO,
            recharged_this_month: Money::ZERO,
            transferred_today: Money::ZERO,
            transferred_this_month: Money::ZERO,
            closed: false,
        }
    }

    /// The same standing on a later day: totals of days and months that are over begin anew.
    pub fn on(mut self, day: SeoulDay) -> Standing {
        if day != self.day {
            self.recharged_today = Money::ZERO;
            self.transferred_today = Money::ZERO;
        }
        if day.month() != self.day.month() {
            self.recharged_this_month = Money::ZERO;
            self.transferred_this_month = Money::ZERO;
        }
        Standing { day, ..self }
    }

    /// What the member may spend: balance less what is held.
    pub fn available(&self) -> Result<Money, OutOfRange> {
        self.balance.minus(self.held)
    }
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Whose chain.
    pub wallet_id: WalletId,
    /// Whose wallet.
    pub owner: MembershipId,
    /// The entry's place in the chain: 1, 2, 3 …
    pub sequence: u64,
    /// What it is for.
    pub purpose: Kind,
    /// How much it is about; zero for open, close and refused.
    #[serde(with = "kernel::money::won")]
    pub amount: Money,
    /// The account that the amount leaves; none if nothing moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debit: Option<Account>,
    /// The account that the amount comes to; none if nothing moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit: Option<Account>,
    /// Which step asked for it. A reference has at most one effect.
    pub reference: String,
    /// Since when the step may have been asked for.
    pub birth: Timestamp,
    /// The hash of what the step asked for, its birth included.
    pub terms: String,
    /// The place of the other wallet's entry in its chain, if this is one of the two entries of a transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterpart: Option<u64>,
    /// Why the step was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// When: never before the entry before it, nor before the step's birth.
    pub time: Timestamp,
    /// The standing after it.
    pub standing: Standing,
    /// The hash of the entry before it; empty for the first.
    pub previous: String,
    /// The trace of the request that made it.
    pub traceparent: String,
    /// The entry's own hash, which the next one carries; none before it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

impl Link for Entry {
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

    fn is_beside(&self, other: &Entry) -> bool {
        self.wallet_id == other.wallet_id
    }
}

impl Entry {
    /// The account of the chain that it stands in.
    pub fn own_account(&self) -> Account {
        Account::Wallet(self.wallet_id)
    }
}
