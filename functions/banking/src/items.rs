//! The items of banking's table, and where they lie.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | [`BankAccount`] | `account#bka_…` | `head` |
//! | [`Firmbanking`], [`Closing`] | `account#bka_…` | `entry#` sequence |
//! | [`Claim`] | `number#` blind index | `claim` |
//! | [`Request`] | `request#` hash of its reference | `request` |
//! | [`contract::former::FormerMember`] | `former#mbr_…` | `member` |
//! | [`contract::sweeping::Sweeping`] | `sweep#` and the operation's name | `alive` |
//!
//! The firmbankings of an account are a chain: each takes the next sequence, by a put on condition that nothing is
//! there. A [`Closing`] takes a sequence too, which makes unlinking proof against a firmbanking that starts at the
//! same moment without a transaction on the hot path: of the two, one finds its place taken and looks again. A query
//! of the partition's end answers account, newest firmbankings and whether the reference was there before, in one
//! read.
//!
//! A firmbanking that goes well costs two puts of less than 1 KB and their two changes of the index: 4 write units,
//! 1 read unit (a consistent query within 4 KB), and three calls of the table in sequence.

use crate::domain::firmbanking_id;
use contract::{Caller, Context, Problem, Scope, peers};
use kernel::{
    Money, Timestamp,
    id::{BankAccountId, FirmbankingId, MembershipId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Condition, Index, Key, Query, Read, Record, Write};

/// Every kind of record in the table.
pub const RECORDS: &[store::Kind] = &[
    store::Kind::of::<BankAccount>(),
    store::Kind::of::<Claim>(),
    store::Kind::of::<Firmbanking>(),
    store::Kind::of::<Closing>(),
    store::Kind::of::<Request>(),
    store::Kind::of::<contract::former::FormerMember>(),
    store::Kind::of::<contract::sweeping::Sweeping>(),
];

/// Lists, newest first: a member's accounts, a member's payees, and firmbankings over a few shards.
pub static NEWEST_FIRST: Index = Index { name: "newestFirst", partition: "listed", sort: "listedAt" };

/// How far a bank account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BankAccountState {
    /// The request is stored; the bank was not asked yet, or has not answered.
    Requested,
    /// The bank has confirmed it: it can be used.
    Linked,
    /// The bank has not confirmed it, or its number is linked already.
    Refused,
    /// Its owner has unlinked it; its number is unreadable and free.
    Unlinked,
    /// Nobody has linked it: the member remits to it, and it can be used for nothing else.
    Payee,
}

/// A bank account of a member. It has no Debug, so that it cannot be logged.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BankAccount {
    /// Its id.
    pub bank_account_id: BankAccountId,
    /// Whose.
    pub membership_id: MembershipId,
    /// How far it is.
    pub state: BankAccountState,
    /// The number, but for its last four digits hidden.
    pub masked_number: String,
    /// The number, sealed; gone when the account is refused or unlinked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedNumber>,
    /// Why it was refused: a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was linked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_at: Option<Timestamp>,
    /// When it was unlinked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlinked_at: Option<Timestamp>,
    /// Whether it was asked for by event.
    #[serde(default)]
    pub by_event: bool,
    /// The blinded fingerprint of the request that made it, if that had a key; gone when its owner has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// How often the bank was asked in vain.
    #[serde(default)]
    pub inquiries: u32,
    /// Counts its changes; a change is conditional on it.
    pub version: u64,
    /// The trace of the request.
    pub traceparent: String,
}

/// A number at rest: sealed under a key of the account's own, and found by its blind index.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedNumber {
    /// The account's data key, wrapped.
    pub data_key: String,
    /// The number.
    pub number: String,
    /// The blind index of the number.
    pub number_index: String,
    /// The holder's name, only until the bank has confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
}

impl Record for BankAccount {
    const KIND: &'static str = "bankAccount";

    fn key(&self) -> Key {
        BankAccount::key_of(self.bank_account_id)
    }

    fn index_keys(&self) -> Vec<(&'static str, String)> {
        if self.state == BankAccountState::Unlinked {
            return Vec::new();
        }
        let place = format!("{}#{}", self.requested_at, self.bank_account_id);
        let listed = match self.state {
            BankAccountState::Payee => BankAccount::payees_listed_under(self.membership_id),
            _ => BankAccount::listed_under(self.membership_id),
        };
        vec![(NEWEST_FIRST.partition, listed), (NEWEST_FIRST.sort, place)]
    }
}

impl BankAccount {
    /// Where the account with this id is.
    pub fn key_of(id: BankAccountId) -> Key {
        Key::new(partition_of(id), "head")
    }

    /// Where a member's accounts are listed.
    pub fn listed_under(member: MembershipId) -> String {
        format!("member#{member}")
    }

    /// Where the accounts that a member remits to are listed: apart from the member's own, so that nothing takes them
    /// for linked ones. Whoever erases a member's personal data finds them here.
    pub fn payees_listed_under(member: MembershipId) -> String {
        format!("payees#{member}")
    }

    /// Whether it is one of its owner's accounts, and not only one that they remit to.
    pub fn is_own(&self) -> bool {
        self.state != BankAccountState::Payee
    }

    /// Where it can be read over HTTP.
    pub fn location(&self) -> String {
        format!("/v1/bank-accounts/{}", self.bank_account_id)
    }

    /// The change of this account as it was read.
    pub fn change(&self, changed: BankAccount) -> Result<Write, Problem> {
        let next = BankAccount { version: self.version.saturating_add(1), ..changed };
        Ok(Write::put(&next, Condition::number("version", self.version))?)
    }
}

/// A bank account as its owner sees it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BankAccountView {
    /// Its id.
    pub bank_account_id: BankAccountId,
    /// Whose.
    pub membership_id: MembershipId,
    /// The number, but for its last four digits hidden.
    #[schemars(example = "**********8901")]
    pub masked_account_number: String,
    /// How far it is.
    pub state: BankAccountState,
    /// Why it was refused, as a stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was linked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked_at: Option<Timestamp>,
    /// When it was unlinked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlinked_at: Option<Timestamp>,
}

impl From<&BankAccount> for BankAccountView {
    fn from(account: &BankAccount) -> BankAccountView {
        BankAccountView {
            bank_account_id: account.bank_account_id,
            membership_id: account.membership_id,
            masked_account_number: account.masked_number.clone(),
            state: account.state,
            failure_reason: account.failure_reason.clone(),
            requested_at: account.requested_at,
            linked_at: account.linked_at,
            unlinked_at: account.unlinked_at,
        }
    }
}

/// Says that a number is linked, and by which account: one account number in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The blind index of the number.
    pub number_index: String,
    /// By which account.
    pub bank_account_id: BankAccountId,
}

impl Record for Claim {
    const KIND: &'static str = "claim";

    fn key(&self) -> Key {
        Claim::key_of(&self.number_index)
    }
}

impl Claim {
    /// Where the claim of the number with this blind index is.
    pub fn key_of(number_index: &str) -> Key {
        Key::new(format!("number#{number_index}"), "claim")
    }
}

/// Which way a firmbanking moves money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// From the linked account to the corporate one.
    ToCorporate,
    /// From the corporate account to the linked one.
    FromCorporate,
}

/// A transfer between a linked account and the corporate one: an entry of the account's chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Firmbanking {
    /// Its id.
    pub firmbanking_id: FirmbankingId,
    /// The linked account.
    pub bank_account_id: BankAccountId,
    /// Its place in the account's chain, from 1.
    pub sequence: u64,
    /// For which member.
    pub membership_id: MembershipId,
    /// Which way.
    pub direction: Direction,
    /// How much.
    #[serde(with = "kernel::money::won")]
    pub amount: Money,
    /// The step that asked. Asking twice under one reference is asking once.
    pub reference: String,
    /// The id at the bank.
    pub transfer_id: String,
    /// Which try under the reference this is: it is part of the id at the bank.
    pub attempt: u32,
    /// The blind index of account numbers and amount, by which the bank's answers are held to our terms; none if it
    /// failed before there was anything to send, and none any more when it is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// How far it is.
    pub state: peers::FirmbankingState,
    /// Why it failed: a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it was asked for; not before the entry before it, nor before the reference's birth.
    pub requested_at: Timestamp,
    /// When it became certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// How often the bank was asked in vain.
    pub inquiries: u32,
    /// Whether it was asked for by event.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_event: bool,
    /// Whether the account was unlinked before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// Counts its changes; a change is conditional on it.
    pub version: u64,
    /// The trace of the request.
    pub traceparent: String,
}

impl Record for Firmbanking {
    const KIND: &'static str = "firmbanking";

    fn key(&self) -> Key {
        entry_key(self.bank_account_id, self.sequence)
    }

    fn index_keys(&self) -> Vec<(&'static str, String)> {
        let shard = Firmbanking::listed_under(firmbanking_id::shard_of(self.firmbanking_id));
        vec![(NEWEST_FIRST.partition, shard), (NEWEST_FIRST.sort, self.firmbanking_id.to_string())]
    }
}

impl Firmbanking {
    /// Where the firmbankings of a shard are listed.
    pub fn listed_under(shard: u128) -> String {
        format!("firmbankings#{shard}")
    }

    /// Where it can be read over HTTP.
    pub fn location(&self) -> String {
        format!("/v1/firmbankings/{}", self.firmbanking_id)
    }

    /// Whether nothing will change any more.
    pub fn is_final(&self) -> bool {
        matches!(self.state, peers::FirmbankingState::Succeeded | peers::FirmbankingState::Failed)
    }

    /// Whether the bank has moved the money.
    pub fn is_done(&self) -> bool {
        self.state == peers::FirmbankingState::Succeeded
    }

    /// Whether another service's saga asked for it, and not an operator.
    pub fn is_by_service(&self) -> bool {
        !self.reference.starts_with(Request::REFERENCE)
    }

    /// What was asked for.
    pub fn order(&self) -> peers::FirmbankingOrder {
        let linked = peers::BankParty::Linked {
            bank_account_id: self.bank_account_id,
            membership_id: self.membership_id,
        };
        let (source, destination) = match self.direction {
            Direction::ToCorporate => (linked, peers::BankParty::Corporate {}),
            Direction::FromCorporate => (peers::BankParty::Corporate {}, linked),
        };
        peers::FirmbankingOrder { source, destination, amount: self.amount }
    }

    /// As its callers and its owner see it.
    pub fn view(&self) -> peers::Firmbanking {
        let peers::FirmbankingOrder { source, destination, amount } = self.order();
        peers::Firmbanking {
            firmbanking_id: self.firmbanking_id,
            source,
            destination,
            amount,
            state: self.state,
            failure_reason: self.failure_reason.clone(),
            requested_at: self.requested_at,
            completed_at: self.completed_at,
            bank_transfer_id: None,
        }
    }

    /// What this caller sees of it: operators, who may have to call the bank, also see the id there.
    pub fn view_for(&self, caller: &Caller) -> peers::Firmbanking {
        let bank_transfer_id = Some(self.transfer_id.clone()).filter(|_| caller.has(Scope::Operator));
        peers::Firmbanking { bank_transfer_id, ..self.view() }
    }
}

/// The end of an account's chain: it was unlinked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closing {
    /// The account.
    pub bank_account_id: BankAccountId,
    /// Its place in the chain.
    pub sequence: u64,
    /// When.
    pub requested_at: Timestamp,
}

impl Record for Closing {
    const KIND: &'static str = "closing";

    fn key(&self) -> Key {
        entry_key(self.bank_account_id, self.sequence)
    }
}

/// What an HTTP client asked for under a key: where its firmbanking is, and since when it may have been asked for.
/// Put before the firmbanking, so that a repetition looks in the same place; other services bring their birth along.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The reference that derives from the key.
    pub reference: String,
    /// The account in whose chain the firmbanking is.
    pub bank_account_id: BankAccountId,
    /// The reference's birth.
    pub birth: Timestamp,
}

impl Record for Request {
    const KIND: &'static str = "request";

    fn key(&self) -> Key {
        Request::key_of(firmbanking_id::hash(&self.reference))
    }
}

impl Request {
    /// How the reference of an HTTP client's request begins. No saga's does.
    pub const REFERENCE: &'static str = "request/";

    /// Where the request with this hash of its reference is.
    pub fn key_of(hash: u128) -> Key {
        Key::new(format!("request#{hash:020x}"), "request")
    }
}

/// An account's partition.
pub fn partition_of(id: BankAccountId) -> String {
    format!("account#{id}")
}

/// The sort key of the entry with this sequence.
pub fn entry_sort(sequence: u64) -> String {
    format!("entry#{sequence:012}")
}

/// Where an entry of an account's chain is.
pub fn entry_key(id: BankAccountId, sequence: u64) -> Key {
    Key::new(partition_of(id), entry_sort(sequence))
}

/// The ids of a member's accounts that are not unlinked, as far as the list knows yet.
pub async fn ids_of(context: &Context, member: MembershipId) -> Result<Vec<BankAccountId>, Problem> {
    let mut ids = Vec::new();
    for list in [BankAccount::listed_under(member), BankAccount::payees_listed_under(member)] {
        let mut query = Query::index(&NEWEST_FIRST, list);
        loop {
            let page = context.table.query(&query).await?;
            for item in page.items {
                ids.push(store::read::<BankAccount>(item)?.bank_account_id);
            }
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
    }
    Ok(ids)
}

/// The record at this key, as of now.
pub async fn load<R: Record>(context: &Context, key: &Key) -> Result<Option<R>, Problem> {
    let item = context.table.get(key, Read::Consistent).await?;
    Ok(item.map(store::read).transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::peers::FirmbankingState;
    use store::AttributeValue;

    /// What DynamoDB counts: names and values.
    fn bytes(item: &store::Item) -> usize {
        let value = |value: &AttributeValue| match value {
            AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
            _ => 1,
        };
        item.iter().map(|(name, it)| name.len().saturating_add(value(it))).sum()
    }

    #[test]
    fn a_firmbanking_is_one_write_unit() {
        let at = events::example_time();
        let reference = format!("{}/bank", kernel::id::MoneyRequestId::derive(&["example"]));
        let longest = Firmbanking {
            firmbanking_id: firmbanking_id::of(&reference, at),
            bank_account_id: BankAccountId::derive(&["example"]),
            sequence: 999_999,
            membership_id: MembershipId::derive(&["example"]),
            direction: Direction::FromCorporate,
            amount: Money::MAX,
            transfer_id: store::seal::digest(&[&reference]),
            reference,
            attempt: 99,
            terms: Some(store::seal::digest(&["terms"])),
            state: FirmbankingState::Succeeded,
            failure_reason: Some("insufficient_bank_balance".to_owned()),
            requested_at: at,
            completed_at: Some(at),
            inquiries: 999,
            by_event: true,
            closed: true,
            version: 9_999,
            traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
        };
        let size = bytes(&longest.to_item().unwrap());
        assert!(size <= 1024, "{size} bytes");
    }
}
