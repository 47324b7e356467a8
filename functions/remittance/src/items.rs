//! The item of remittance's table, and where it lies: `rmt_…`, `remittance`.
//!
//! The id derives from the sender's key, so the record is the idempotency record and is found by one read. Two sparse
//! indexes list what was completed, newest first: the sender's and the receiver's. A record gets its places in them in
//! the same write that completes it, so that each costs one write unit, once, and what is under way costs none. Beside
//! them lies how long a sweep is alive, `sweep#` and the operation's name, `alive`.

use contract::{Reference, page, top_up::TopUp};
use kernel::{
    Money, Timestamp,
    id::{BankAccountId, MembershipId, RemittanceId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Index, Key, Record};

/// Every kind of record in the table.
pub const RECORDS: &[store::Kind] =
    &[store::Kind::of::<Remittance>(), store::Kind::of::<contract::sweeping::Sweeping>()];

/// What a member has sent, newest first.
pub static SENT_NEWEST_FIRST: Index =
    Index { name: "sentNewestFirst", partition: "sentBy", sort: "completedPlace" };
/// What a member has received, newest first.
pub static RECEIVED_NEWEST_FIRST: Index =
    Index { name: "receivedNewestFirst", partition: "receivedBy", sort: "completedPlace" };

/// How far a remittance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RemittanceState {
    /// Stored; work goes on.
    Requested,
    /// The sender's balance was too low, and what it lacks is being recharged.
    Recharging,
    /// The bank has not said yet whether it moved the money. Nobody need act: it is asked until it is certain.
    BankUnknown,
    /// The receiver has the money.
    Completed,
    /// Nothing was moved, and nothing will be.
    Failed,
}

/// Who receives. An account's number is banking's alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Receiver {
    /// A member.
    #[serde(rename_all = "camelCase")]
    Member {
        /// Who.
        membership_id: MembershipId,
    },
    /// An account at the bank.
    #[serde(rename_all = "camelCase")]
    BankAccount {
        /// As banking knows it.
        bank_account_id: BankAccountId,
        /// Its number, but for the last four digits hidden.
        masked_account_number: String,
    },
}

/// A remittance: the saga's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remittance {
    /// Its id, derived from caller, operation and key.
    pub remittance_id: RemittanceId,
    /// Who sends.
    pub membership_id: MembershipId,
    /// Who receives.
    pub to: Receiver,
    /// How much.
    #[serde(with = "kernel::money::won")]
    pub amount: Money,
    /// The linked account that a recharge takes from; the one that was linked first if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_account_id: Option<BankAccountId>,
    /// When it was asked for: the birth of all its steps.
    pub requested_at: Timestamp,
    /// When it is too late to begin: from then on the ledger refuses it.
    pub expires_at: Timestamp,
    /// The hash of the request, to tell a repetition from a reuse of its key; blinded if it had personal data.
    pub fingerprint: String,
    /// How far it is.
    pub state: RemittanceState,
    /// The recharge of what the sender lacks, once it was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_up: Option<TopUp>,
    /// Why it failed: a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it became final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Counts every change of this record; a change is conditional on it.
    pub version: u64,
    /// How often it was left waiting.
    pub attempts: u32,
    /// Until when the one who works on it may not be disturbed by a repetition.
    pub leased_until: Timestamp,
    /// The trace of the request.
    pub traceparent: String,
}

impl Record for Remittance {
    const KIND: &'static str = "remittance";

    fn key(&self) -> Key {
        Remittance::key_of(self.remittance_id)
    }

    fn index_keys(&self) -> Vec<(&'static str, String)> {
        let (RemittanceState::Completed, Some(completed_at)) = (self.state, self.completed_at) else {
            return Vec::new();
        };
        let mut keys = vec![
            (SENT_NEWEST_FIRST.partition, listed_under(self.membership_id)),
            (SENT_NEWEST_FIRST.sort, page::place(completed_at, self.remittance_id)),
        ];
        if let Receiver::Member { membership_id } = self.to {
            keys.push((RECEIVED_NEWEST_FIRST.partition, listed_under(membership_id)));
        }
        keys
    }
}

impl Remittance {
    /// Where the remittance with this id is.
    pub fn key_of(id: RemittanceId) -> Key {
        Key::new(id.to_string(), "remittance")
    }

    /// Where it can be read over HTTP.
    pub fn location(&self) -> String {
        format!("/v1/remittances/{}", self.remittance_id)
    }

    /// Whether nothing will change any more.
    pub fn is_final(&self) -> bool {
        matches!(self.state, RemittanceState::Completed | RemittanceState::Failed)
    }

    /// Whether this member has received it.
    pub fn was_received_by(&self, member: MembershipId) -> bool {
        self.state == RemittanceState::Completed && self.to == Receiver::Member { membership_id: member }
    }

    /// The reference of one of its steps.
    pub fn reference(&self, step: &str) -> Reference {
        Reference { id: format!("{}/{step}", self.remittance_id), birth: self.requested_at }
    }
}

/// Where a member's remittances are listed, in either index.
pub fn listed_under(member: MembershipId) -> String {
    format!("member#{member}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Id;
    use store::AttributeValue;

    /// What DynamoDB counts: names and values, and some more for a map and each field of it.
    fn value(it: &AttributeValue) -> usize {
        match it {
            AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
            AttributeValue::M(inner) => inner
                .iter()
                .fold(3, |sum: usize, (name, it)| sum.saturating_add(name.len()).saturating_add(value(it))),
            _ => 1,
        }
        .saturating_add(1)
    }

    #[test]
    fn a_remittance_is_one_write_unit() {
        let at = events::example_time();
        let account = BankAccountId::derive(&["example"]);
        let to_bank =
            Receiver::BankAccount { bank_account_id: account, masked_account_number: "*".repeat(20) };
        let to_member = Receiver::Member { membership_id: Id::derive(&["receiver"]) };
        for to in [to_bank, to_member] {
            let longest = Remittance {
                remittance_id: Id::derive(&["example"]),
                membership_id: Id::derive(&["example"]),
                to,
                amount: Money::MAX,
                bank_account_id: Some(account),
                requested_at: at,
                expires_at: at,
                fingerprint: store::seal::digest(&["request"]),
                state: RemittanceState::Completed,
                top_up: Some(TopUp { bank_account_id: account, amount: Money::MAX }),
                failure_reason: None,
                completed_at: Some(at),
                version: 9_999,
                attempts: 999,
                leased_until: at,
                traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
            };
            let item = longest.to_item().unwrap();
            let size: usize = item.iter().map(|(name, it)| name.len().saturating_add(value(it))).sum();
            assert!(size <= 1024, "{size} bytes");
        }
    }
}
