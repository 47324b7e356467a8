//! The items of the bank's table.
//!
//! An account's partition holds the account and its entries by sequence; a transfer is found by its id alone.

use crate::domain::{Decline, Mode, Terms, TransferState};
use kernel::{Money, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Key, Record};

/// Every kind of record in the table.
pub const RECORDS: &[store::Kind] =
    &[store::Kind::of::<Account>(), store::Kind::of::<Entry>(), store::Kind::of::<Transfer>()];

/// An account.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its number: digits only.
    pub account_number: String,
    /// Whose it is.
    pub holder: String,
    /// What is in it.
    #[serde(with = "kernel::money::won")]
    pub balance: Money,
    /// How transfers are treated.
    #[serde(default)]
    pub mode: Mode,
    /// For how many more transfer requests; none = until changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode_transfers: Option<u32>,
    /// How long answers are held back.
    pub delay_millis: u32,
    /// How many entries it has.
    pub entries: u64,
    /// The time of its last entry.
    pub moved_at: Timestamp,
    /// Counts its changes.
    pub version: u64,
}

impl Record for Account {
    const KIND: &'static str = "account";

    fn key(&self) -> Key {
        Account::key_of(&self.account_number)
    }
}

impl Account {
    /// Where the account with this number is.
    pub fn key_of(number: &str) -> Key {
        Key::new(format!("account#{number}"), "account")
    }
}

/// Which way an entry changed a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// Less.
    Debit,
    /// More.
    Credit,
}

/// One leg of a transfer, in one account.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The account.
    pub account_number: String,
    /// Its place among the account's entries, from 1.
    pub sequence: u64,
    /// The transfer.
    pub transfer_id: String,
    /// Which way.
    pub direction: Direction,
    /// The account on the other side.
    pub counterparty: String,
    /// How much.
    #[serde(with = "kernel::money::won")]
    pub amount: Money,
    /// The balance after it.
    #[serde(with = "kernel::money::won")]
    pub balance_after: Money,
    /// When.
    pub moved_at: Timestamp,
}

impl Record for Entry {
    const KIND: &'static str = "entry";

    fn key(&self) -> Key {
        Key::new(Account::key_of(&self.account_number).partition, Entry::sort_of(self.sequence))
    }
}

impl Entry {
    /// The sort key of the entry with this sequence.
    pub fn sort_of(sequence: u64) -> String {
        format!("entry#{sequence:012}")
    }
}

/// What became of a transfer id.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// The client's id.
    pub transfer_id: String,
    /// How it ended.
    pub state: TransferState,
    /// Why it was declined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Decline>,
    /// What was asked; a voided id may never have had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<StoredTerms>,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// The terms of a transfer as they are stored and answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredTerms {
    /// The account debited.
    pub source: String,
    /// The account credited.
    pub destination: String,
    /// How much.
    pub amount: Money,
}

impl From<&Terms> for StoredTerms {
    fn from(terms: &Terms) -> StoredTerms {
        let Terms { source, destination, amount } = terms.clone();
        StoredTerms { source, destination, amount }
    }
}

impl Record for Transfer {
    const KIND: &'static str = "transfer";

    fn key(&self) -> Key {
        Transfer::key_of(&self.transfer_id)
    }
}

impl Transfer {
    /// Where the transfer with this id is.
    pub fn key_of(id: &str) -> Key {
        Key::new(format!("transfer#{id}"), "transfer")
    }

    /// Whether it was asked for with these terms.
    pub fn is_for(&self, terms: &Terms) -> bool {
        self.terms.as_ref().is_none_or(|known| *known == StoredTerms::from(terms))
    }
}
