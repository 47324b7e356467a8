//! A remittance as its sender and its receiver see it.

use crate::items::{Receiver, Remittance, RemittanceState};
use kernel::{
    Money, Timestamp,
    id::{BankAccountId, MembershipId, RemittanceId},
};
use schemars::JsonSchema;
use serde::Serialize;

/// Which way a remittance goes for the one who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RemittanceDirection")]
pub enum Direction {
    /// The reader has sent it.
    Sent,
    /// The reader has received it.
    Received,
}

/// Who receives.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[schemars(rename = "RemittanceReceiver")]
pub enum ReceiverView {
    /// A member.
    #[serde(rename_all = "camelCase")]
    Member {
        /// Who.
        membership_id: MembershipId,
    },
    /// An account at the bank.
    #[serde(rename_all = "camelCase")]
    BankAccount {
        /// The number, but for its last four digits hidden.
        #[schemars(example = "**********8901")]
        masked_account_number: String,
    },
}

/// The recharge of what the sender lacked.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RemittanceTopUp")]
pub struct TopUpView {
    /// The linked account that it takes from.
    pub bank_account_id: BankAccountId,
    /// How much.
    pub amount: Money,
}

/// A remittance. Its receiver sees who sent how much and when, and nothing else of the sender.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Remittance")]
pub struct RemittanceView {
    /// Its id.
    pub remittance_id: RemittanceId,
    /// Whether the reader has sent or received it.
    pub direction: Direction,
    /// Who sends.
    pub membership_id: MembershipId,
    /// Who receives.
    pub to: ReceiverView,
    /// How much.
    pub amount: Money,
    /// How far it is.
    pub state: RemittanceState,
    /// The recharge that it needed; only the sender sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_up: Option<TopUpView>,
    /// Why it failed, as a stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it was asked for; only the sender sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<Timestamp>,
    /// When it became final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
}

impl RemittanceView {
    /// As its sender sees it.
    pub fn sent(record: &Remittance) -> RemittanceView {
        let top_up = record.top_up.as_ref().filter(|top_up| !top_up.amount.is_zero());
        RemittanceView {
            direction: Direction::Sent,
            top_up: top_up
                .map(|top_up| TopUpView { bank_account_id: top_up.bank_account_id, amount: top_up.amount }),
            requested_at: Some(record.requested_at),
            ..RemittanceView::received(record)
        }
    }

    /// As its receiver sees it.
    pub fn received(record: &Remittance) -> RemittanceView {
        RemittanceView {
            remittance_id: record.remittance_id,
            direction: Direction::Received,
            membership_id: record.membership_id,
            to: match &record.to {
                Receiver::Member { membership_id } => ReceiverView::Member { membership_id: *membership_id },
                Receiver::BankAccount { masked_account_number, .. } => {
                    ReceiverView::BankAccount { masked_account_number: masked_account_number.clone() }
                }
            },
            amount: record.amount,
            state: record.state,
            top_up: None,
            failure_reason: record.failure_reason.clone(),
            requested_at: None,
            completed_at: record.completed_at,
        }
    }
}
