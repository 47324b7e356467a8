//! What remittance publishes.

use crate::Fact;
use kernel::{
    Id, Money, Timestamp,
    id::{BankAccountId, MembershipId, RemittanceId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A remittance has arrived: the receiver has the money.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemittanceCompleted {
    /// Which.
    pub remittance_id: RemittanceId,
    /// Who sent it.
    pub membership_id: MembershipId,
    /// The member who got it; none if it went to an account at the bank.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub receiver_id: Option<MembershipId>,
    /// The account at the bank that it went to; none if it went to a member.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bank_account_id: Option<BankAccountId>,
    /// How much.
    pub amount: Money,
    /// When.
    pub completed_at: Timestamp,
}

impl Fact for RemittanceCompleted {
    const TYPE: &'static str = "remittance.completed.v1";

    fn subject(&self) -> String {
        self.remittance_id.to_string()
    }

    fn example() -> Self {
        RemittanceCompleted {
            remittance_id: Id::derive(&["example"]),
            membership_id: Id::derive(&["example"]),
            receiver_id: Some(Id::derive(&["receiver"])),
            bank_account_id: None,
            amount: Money::won(15_000),
            completed_at: crate::example_time(),
        }
    }
}

/// A remittance has come to nothing, and never will be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemittanceFailed {
    /// Which.
    pub remittance_id: RemittanceId,
    /// Who wanted to send it.
    pub membership_id: MembershipId,
    /// How much.
    pub amount: Money,
    /// Why, as a stable code.
    pub reason: String,
    /// When.
    pub failed_at: Timestamp,
}

impl Fact for RemittanceFailed {
    const TYPE: &'static str = "remittance.failed.v1";

    fn subject(&self) -> String {
        self.remittance_id.to_string()
    }

    fn example() -> Self {
        RemittanceFailed {
            remittance_id: Id::derive(&["example"]),
            membership_id: Id::derive(&["example"]),
            amount: Money::won(15_000),
            reason: "insufficient_balance".to_owned(),
            failed_at: crate::example_time(),
        }
    }
}
