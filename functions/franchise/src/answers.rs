//! What owners and operators are shown of a franchise.

use crate::{
    domain::{Contact, Name},
    items, vault,
};
use contract::{Problem, Reply};
use events::franchise::{FranchiseState, SettlementCycle};
use kernel::{
    BasisPoints, FeeTerms, SeoulDay, Timestamp,
    id::{BankAccountId, FranchiseId, MembershipId},
};
use schemars::JsonSchema;
use serde::Serialize;
use store::seal::ServiceKey;

/// A franchise as its owner sees it.
// No Debug, so that it cannot be logged.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Franchise {
    /// Its id.
    pub franchise_id: FranchiseId,
    /// Its owner.
    pub membership_id: MembershipId,
    /// Whether it takes payments.
    pub state: FranchiseState,
    /// Its name; when its owner has left, neither this nor the contact is known any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Whom to ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// The owner's linked account that it is paid out to.
    pub bank_account_id: BankAccountId,
    /// What Pay keeps of a payment that is approved now.
    pub fee_bps: BasisPoints,
    /// All fees: past ones as long as they are needed, the one in force, and those planned.
    pub fee_terms: Vec<Fee>,
    /// When it is paid out.
    pub settlement_cycle: SettlementCycle,
    /// When it began.
    pub registered_at: Timestamp,
    /// When it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<Timestamp>,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// One more with each change; the ETag.
    pub version: u64,
}

/// A fee and from when on it holds.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fee {
    /// The business day on which it begins.
    pub fee_from: SeoulDay,
    /// The moment: the beginning of that day, or when the fee was set if the day had begun.
    pub since: Timestamp,
    /// The fee.
    pub fee_bps: BasisPoints,
}

impl From<FeeTerms> for Fee {
    fn from(terms: FeeTerms) -> Fee {
        Fee { fee_from: terms.since.business_day(), since: terms.since, fee_bps: terms.fee_bps }
    }
}

impl Franchise {
    /// Opens a franchise for somebody who may see it.
    pub fn of(franchise: &items::Franchise, key: &ServiceKey, now: Timestamp) -> Result<Franchise, Problem> {
        let (name, contact) = vault::open(key, franchise)?.unzip();
        Ok(Franchise {
            franchise_id: franchise.franchise_id,
            membership_id: franchise.membership_id,
            state: franchise.state,
            name,
            contact,
            bank_account_id: franchise.bank_account_id,
            fee_bps: franchise.fee_terms.in_force(now),
            fee_terms: franchise.fee_terms.terms().map(Fee::from).collect(),
            settlement_cycle: franchise.settlement_cycle,
            registered_at: franchise.registered.at,
            modified_at: franchise.redirected.as_ref().or(franchise.modified.as_ref()).map(|last| last.at),
            closed_at: franchise.closed.as_ref().map(|closed| closed.at),
            version: franchise.version,
        })
    }

    /// 200 with the version.
    pub fn reply(
        franchise: &items::Franchise,
        key: &ServiceKey,
        now: Timestamp,
    ) -> Result<Reply<Franchise>, Problem> {
        Ok(Reply::ok(Franchise::of(franchise, key, now)?).version(franchise.version))
    }
}
