//! The items of franchise's table, and where they lie.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | [`Franchise`] | `franchise#frc_…` | `head` |
//! | [`contract::former::FormerMember`] | `former#mbr_…` | `member` |
//!
//! A franchise is one item with its whole schedule of fees. Two sparse indexes list franchises newest first: an
//! owner's, and all of them over a few shards, so that no partition of the index is hot.

use contract::{Context, Problem, page};
use events::franchise::{self, FranchiseState, SettlementCycle};
use kernel::{
    FeeSchedule, Timestamp,
    id::{BankAccountId, FranchiseId, MembershipId},
};
use serde::{Deserialize, Serialize};
use store::{Condition, Index, Key, Query, Read, Record, Write};

/// Every kind of record in the table.
pub const RECORDS: &[store::Kind] =
    &[store::Kind::of::<Franchise>(), store::Kind::of::<contract::former::FormerMember>()];

/// All franchises, newest first, over a few shards.
pub static NEWEST_FIRST: Index = Index { name: "newestFirst", partition: "listed", sort: "listedAt" };
/// An owner's franchises, newest first.
pub static OWNERS_NEWEST_FIRST: Index =
    Index { name: "ownersNewestFirst", partition: "ownedBy", sort: "listedAt" };

/// How many partitions of the index all franchises are spread over.
pub const SHARDS: u128 = 4;

/// A franchise. It has no Debug, so that it cannot be logged.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Franchise {
    /// Its id.
    pub franchise_id: FranchiseId,
    /// Its owner.
    pub membership_id: MembershipId,
    /// Whether it takes payments.
    pub state: FranchiseState,
    /// Its name and contact, sealed; gone when its owner has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<SealedDetails>,
    /// The owner's linked account that it is paid out to.
    pub bank_account_id: BankAccountId,
    /// Its fees.
    pub fee_terms: FeeSchedule,
    /// When it is paid out.
    pub settlement_cycle: SettlementCycle,
    /// The blinded fingerprint of the request that made it; gone likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Its beginning.
    pub registered: Registered,
    /// The last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Occasion>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Occasion>,
    /// The last change since its end, which was of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirected: Option<Occasion>,
    /// The account that it ended with, if it was redirected since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_with: Option<BankAccountId>,
    /// One more with each change; a change is conditional on it.
    pub version: u64,
    /// The trace of the last change.
    pub traceparent: String,
}

/// Name and contact at rest, sealed under a key of the franchise's own.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedDetails {
    /// The franchise's data key, wrapped.
    pub data_key: String,
    /// The name.
    pub name: String,
    /// The contact.
    pub contact: String,
}

/// The beginning of a franchise, as its fact tells it for ever.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// When.
    pub at: Timestamp,
    /// The account at that time.
    pub bank_account_id: BankAccountId,
    /// The fees at that time.
    pub fee_terms: FeeSchedule,
    /// The cycle at that time.
    pub settlement_cycle: SettlementCycle,
    /// By which request.
    pub traceparent: String,
}

/// A change, as its fact tells it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Occasion {
    /// When.
    pub at: Timestamp,
    /// The version that it made.
    pub version: u64,
    /// By which request.
    pub traceparent: String,
}

impl Record for Franchise {
    const KIND: &'static str = "franchise";

    fn key(&self) -> Key {
        Franchise::key_of(self.franchise_id)
    }

    fn index_keys(&self) -> Vec<(&'static str, String)> {
        vec![
            (NEWEST_FIRST.partition, Franchise::listed_under(self.franchise_id.bits() % SHARDS)),
            (OWNERS_NEWEST_FIRST.partition, Franchise::owned_by(self.membership_id)),
            (NEWEST_FIRST.sort, self.place()),
        ]
    }
}

impl Franchise {
    /// Where the franchise with this id is.
    pub fn key_of(id: FranchiseId) -> Key {
        Key::new(format!("franchise#{id}"), "head")
    }

    /// Where the franchises of a shard are listed.
    pub fn listed_under(shard: u128) -> String {
        format!("franchises#{shard}")
    }

    /// Where an owner's franchises are listed.
    pub fn owned_by(owner: MembershipId) -> String {
        format!("member#{owner}")
    }

    /// Its place in the list of all franchises, and in its owner's.
    pub fn place(&self) -> String {
        page::place(self.registered.at, self.franchise_id)
    }

    /// Where it can be read over HTTP.
    pub fn location(&self) -> String {
        format!("/v1/franchises/{}", self.franchise_id)
    }

    /// Whether it takes no payments any more.
    pub fn is_closed(&self) -> bool {
        self.state == FranchiseState::Closed
    }

    /// When something of it last changed: what comes next is not earlier, whatever a function's clock says.
    pub fn changed_at(&self) -> Timestamp {
        let last = self.redirected.as_ref().or(self.closed.as_ref()).or(self.modified.as_ref());
        last.map_or(self.registered.at, |last| last.at)
    }

    /// The account that it ended with, or, until it ends, has.
    pub fn account_at_end(&self) -> BankAccountId {
        self.ended_with.unwrap_or(self.bank_account_id)
    }

    /// Whether its owner has left: nothing but an id tells whose it was.
    pub fn is_forgotten(&self) -> bool {
        self.is_closed() && self.details.is_none() && self.fingerprint.is_none()
    }

    /// What comes of the next change.
    pub fn next_occasion(&self, now: Timestamp, traceparent: &str) -> Occasion {
        let version = self.version.saturating_add(1);
        Occasion { at: now.max(self.changed_at()), version, traceparent: traceparent.to_owned() }
    }

    /// The same franchise with a change. One after the end is kept beside the last one before it, and beside the account
    /// at the end, so that the facts until then can be told again as they were.
    pub fn changed_to(&self, changed: Franchise, occasion: Occasion) -> Franchise {
        let (version, traceparent) = (occasion.version, occasion.traceparent.clone());
        let changed = Franchise { version, traceparent, ..changed };
        if self.is_closed() {
            Franchise { redirected: Some(occasion), ended_with: Some(self.account_at_end()), ..changed }
        } else {
            Franchise { modified: Some(occasion), ..changed }
        }
    }

    /// The same franchise closed.
    pub fn ended(&self, now: Timestamp, traceparent: &str) -> Franchise {
        let occasion = self.next_occasion(now, traceparent);
        Franchise {
            state: FranchiseState::Closed,
            version: occasion.version,
            traceparent: occasion.traceparent.clone(),
            closed: Some(occasion),
            ..self.clone()
        }
    }

    /// The same franchise closed, without anything that told whose it was but an id; none if it is so already.
    pub fn forgotten(&self, now: Timestamp, traceparent: &str) -> Option<Franchise> {
        if self.is_forgotten() {
            return None;
        }
        let occasion = self.next_occasion(now, traceparent);
        let version = occasion.version;
        let closed = if self.is_closed() { self.clone() } else { self.ended(now, traceparent) };
        Some(Franchise { details: None, fingerprint: None, version, ..closed })
    }

    /// The write of this franchise in place of the one that was read.
    pub fn in_place_of(&self, read: &Franchise) -> Result<Write, Problem> {
        Ok(Write::put(self, Condition::number("version", read.version))?)
    }

    /// What other services keep of it.
    pub fn replica(&self) -> franchise::Franchise {
        franchise::Franchise {
            franchise_id: self.franchise_id,
            membership_id: self.membership_id,
            bank_account_id: self.bank_account_id,
            fee_terms: self.fee_terms.clone(),
            settlement_cycle: self.settlement_cycle,
            state: self.state,
            version: self.version,
        }
    }
}

/// The ids of an owner's franchises, as far as the list knows yet.
pub async fn ids_of(context: &Context, owner: MembershipId) -> Result<Vec<FranchiseId>, Problem> {
    let mut ids = Vec::new();
    let mut query = Query::index(&OWNERS_NEWEST_FIRST, Franchise::owned_by(owner));
    loop {
        let page = context.table.query(&query).await?;
        for item in page.items {
            ids.push(store::read::<Franchise>(item)?.franchise_id);
        }
        query.after = page.next;
        if query.after.is_none() {
            return Ok(ids);
        }
    }
}

/// The franchise with this id, as of now.
pub async fn load(context: &Context, id: FranchiseId) -> Result<Option<Franchise>, Problem> {
    let item = context.table.get(&Franchise::key_of(id), Read::Consistent).await?;
    Ok(item.map(store::read).transpose()?)
}
