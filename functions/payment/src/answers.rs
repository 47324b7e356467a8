//! What payers, merchants and operators are shown of a payment.
//!
//! Whether it is settled is looked up beside it (settled.rs): the conversions here know only what its item says.

use crate::{
    domain::{OrderId, cancellations},
    items::{self, CancellationReason, SettledGroup},
};
use kernel::{
    BasisPoints, Money, SeoulDay, Timestamp,
    id::{CancellationId, FranchiseId, MembershipId, PaymentId, SettlementId},
};
use schemars::JsonSchema;
use serde::Serialize;

/// How far a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PaymentState {
    /// Stored; work goes on.
    Requested,
    /// Paid, and not settled yet.
    Normal,
    /// Not paid, and never will be.
    Failed,
    /// Paid and settled.
    Settled,
}

/// A payment.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Its id.
    pub payment_id: PaymentId,
    /// Who pays.
    pub membership_id: MembershipId,
    /// Who is paid.
    pub franchise_id: FranchiseId,
    /// The merchant's name for the order.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
    /// What Pay keeps of it.
    pub fee_bps: BasisPoints,
    /// How far it is.
    pub state: PaymentState,
    /// Why it failed, as a stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// What of it was taken back, or is being taken back.
    pub canceled_amount: Money,
    /// Each part of that, the first first.
    pub cancellations: Vec<Cancellation>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// The business day on which it was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_day: Option<SeoulDay>,
    /// When it was settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    /// In which settlement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_id: Option<SettlementId>,
}

/// A payment, or a part of it, taken back.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cancellation {
    /// Its id.
    pub cancellation_id: CancellationId,
    /// How much.
    pub amount: Money,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<CancellationReason>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When the money came back; unset while it is on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refunded_at: Option<Timestamp>,
    /// In which settlement the merchant gave it back; often a later one than the payment's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement_id: Option<SettlementId>,
}

impl Payment {
    /// It is in this settlement.
    pub fn settle(&mut self, group: &SettledGroup) {
        self.state = PaymentState::Settled;
        self.settled_at = Some(group.settled_at);
        self.settlement_id = Some(group.settlement_id);
    }

    /// Whether it is settled.
    pub fn is_settled(&self) -> bool {
        self.state == PaymentState::Settled
    }
}

impl From<items::PaymentState> for PaymentState {
    fn from(state: items::PaymentState) -> PaymentState {
        match state {
            items::PaymentState::Requested => PaymentState::Requested,
            items::PaymentState::Normal => PaymentState::Normal,
            items::PaymentState::Failed => PaymentState::Failed,
        }
    }
}

impl From<&items::Payment> for Payment {
    fn from(payment: &items::Payment) -> Payment {
        Payment {
            payment_id: payment.payment_id,
            membership_id: payment.membership_id,
            franchise_id: payment.franchise_id,
            order_id: payment.order_id.clone(),
            amount: payment.amount,
            fee_bps: payment.fee_bps,
            state: payment.state.into(),
            failure_reason: payment.failure_reason.clone(),
            canceled_amount: cancellations::canceled(payment),
            cancellations: payment.cancellations.iter().map(Cancellation::from).collect(),
            requested_at: payment.requested_at,
            approved_at: payment.approved_at,
            business_day: payment.approved_at.map(Timestamp::business_day),
            settled_at: None,
            settlement_id: None,
        }
    }
}

impl From<&items::Cancellation> for Cancellation {
    fn from(part: &items::Cancellation) -> Cancellation {
        Cancellation {
            cancellation_id: part.cancellation_id,
            amount: part.amount,
            reason: part.reason,
            requested_at: part.requested_at,
            refunded_at: part.refunded_at,
            settlement_id: None,
        }
    }
}
