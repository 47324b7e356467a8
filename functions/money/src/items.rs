//! What money stores, and where.
//!
//! | item | partition | sort |
//! |---|---|---|
//! | entry | the wallet's id | the sequence number, 12 digits |
//! | journal entry | `journal#` and the franchise's id | the sequence number, 12 digits |
//! | money request | its id | `request` |
//! | how long a sweep is alive | `sweep#` and the operation's name | `alive` |
//!
//! There is no balance item and no index: the newest entry is the balance, and a request is found by its id. What Pay
//! owes a franchise has no item either: it is the sum of what wallets' entries and its journal's say.

use crate::domain::{Entry, JournalEntry};
use contract::peers::{BankParty, Direction, FirmbankingOrder, MoneyRequestState};
use kernel::{
    Money, Timestamp,
    id::{BankAccountId, FranchiseId, MembershipId, MoneyRequestId, WalletId},
};
use serde::{Deserialize, Serialize};
use store::{Key, Record};

/// Every kind of record in the table.
pub const RECORDS: &[store::Kind] = &[
    store::Kind::of::<Entry>(),
    store::Kind::of::<JournalEntry>(),
    store::Kind::of::<MoneyRequest>(),
    store::Kind::of::<contract::sweeping::Sweeping>(),
];

impl Record for Entry {
    const KIND: &'static str = "entry";

    fn key(&self) -> Key {
        entry_key(self.wallet_id, self.sequence)
    }
}

/// Where the entry with this sequence number stands.
pub fn entry_key(wallet: WalletId, sequence: u64) -> Key {
    Key::new(wallet.to_string(), format!("{sequence:012}"))
}

impl Record for JournalEntry {
    const KIND: &'static str = "journalEntry";

    fn key(&self) -> Key {
        journal_key(self.franchise_id, self.sequence)
    }
}

/// What the name of a journal's partition begins with.
const JOURNAL: &str = "journal#";

/// The partition of a franchise's journal.
pub fn journal_name(franchise: FranchiseId) -> String {
    format!("{JOURNAL}{franchise}")
}

/// The franchise whose journal a partition is; none if it is no journal.
pub fn journal_owner(partition: &str) -> Option<FranchiseId> {
    partition.strip_prefix(JOURNAL)?.parse().ok()
}

/// Where the entry with this sequence number stands.
pub fn journal_key(franchise: FranchiseId, sequence: u64) -> Key {
    Key::new(journal_name(franchise), format!("{sequence:012}"))
}

/// A recharge or a withdrawal: the saga's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoneyRequest {
    /// Its id, derived from caller, operation and key.
    pub money_request_id: MoneyRequestId,
    /// Whose.
    pub membership_id: MembershipId,
    /// Which way.
    pub direction: Direction,
    /// The linked account.
    pub bank_account_id: BankAccountId,
    /// How much.
    #[serde(with = "kernel::money::won")]
    pub amount: Money,
    /// When it was asked for: the birth of all its steps.
    pub requested_at: Timestamp,
    /// The hash of the request, to tell a repetition from a reuse of its key.
    pub fingerprint: String,
    /// Whether an event handler does the work.
    pub by_event: bool,
    /// How far it is.
    pub state: MoneyRequestState,
    /// Why it failed: a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// The wallet's balance after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance_after: Option<u64>,
    /// When it became final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Counts every change of this record; a change is conditional on it.
    pub version: u64,
    /// How often the bank was asked in vain.
    pub attempts: u32,
    /// Until when the one who works on it may not be disturbed by a repetition.
    pub leased_until: Timestamp,
    /// The trace of the request.
    pub traceparent: String,
}

impl Record for MoneyRequest {
    const KIND: &'static str = "moneyRequest";

    fn key(&self) -> Key {
        MoneyRequest::key_of(self.money_request_id)
    }
}

impl MoneyRequest {
    /// Where the request with this id is.
    pub fn key_of(id: MoneyRequestId) -> Key {
        Key::new(id.to_string(), "request")
    }

    /// Where it can be read over HTTP.
    pub fn location(&self) -> String {
        format!("/v1/money/requests/{}", self.money_request_id)
    }

    /// Whether nothing will change any more.
    pub fn is_final(&self) -> bool {
        matches!(self.state, MoneyRequestState::Succeeded | MoneyRequestState::Failed)
    }

    /// The reference of one of its steps.
    pub fn reference(&self, step: &str) -> contract::Reference {
        contract::Reference { id: format!("{}/{step}", self.money_request_id), birth: self.requested_at }
    }

    /// What it asks of the bank.
    pub fn bank_order(&self) -> FirmbankingOrder {
        let linked =
            BankParty::Linked { bank_account_id: self.bank_account_id, membership_id: self.membership_id };
        match self.direction {
            Direction::Recharge => {
                FirmbankingOrder { source: linked, destination: BankParty::Corporate {}, amount: self.amount }
            }
            Direction::Withdrawal => {
                FirmbankingOrder { source: BankParty::Corporate {}, destination: linked, amount: self.amount }
            }
        }
    }
}
