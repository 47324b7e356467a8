//! What payment publishes.
//!
//! Each fact carries what settlement and read models count by: the franchise, the amount, the fee that was fixed when
//! the payment was asked for, and the business day that the moment belongs to.

use crate::Fact;
use kernel::{
    BasisPoints, Id, Money, SeoulDay, Timestamp,
    id::{CancellationId, FranchiseId, MembershipId, PaymentId, SettlementId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

fn example_fee() -> BasisPoints {
    BasisPoints::try_new(250).unwrap_or_default()
}

/// A payment was made: the payer's wallet is debited, and the franchise is owed the amount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentApproved {
    /// The payment.
    pub payment_id: PaymentId,
    /// Who paid.
    pub membership_id: MembershipId,
    /// Who is paid.
    pub franchise_id: FranchiseId,
    /// How much.
    pub amount: Money,
    /// What Pay keeps of it.
    pub fee_bps: BasisPoints,
    /// When it was asked for: the fee is that of this moment.
    pub requested_at: Timestamp,
    /// When the wallet was debited.
    pub approved_at: Timestamp,
    /// The business day that this moment belongs to.
    pub business_day: SeoulDay,
}

impl Fact for PaymentApproved {
    const TYPE: &'static str = "payment.approved.v1";

    fn subject(&self) -> String {
        self.payment_id.to_string()
    }

    fn example() -> Self {
        PaymentApproved {
            payment_id: Id::derive(&["example"]),
            membership_id: Id::derive(&["example"]),
            franchise_id: Id::derive(&["example"]),
            amount: Money::won(15_000),
            fee_bps: example_fee(),
            requested_at: crate::example_time(),
            approved_at: crate::example_time(),
            business_day: crate::example_time().business_day(),
        }
    }
}

/// A payment, or a part of it, was cancelled: the money is back with the payer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentCanceled {
    /// The cancellation.
    pub cancellation_id: CancellationId,
    /// The payment.
    pub payment_id: PaymentId,
    /// Who paid, and has it back.
    pub membership_id: MembershipId,
    /// Who was paid.
    pub franchise_id: FranchiseId,
    /// How much came back.
    pub amount: Money,
    /// The payment's fee, which comes back in the same share.
    pub fee_bps: BasisPoints,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When the money came back.
    pub refunded_at: Timestamp,
    /// The business day that this moment belongs to; often a later one than the payment's.
    pub business_day: SeoulDay,
}

impl Fact for PaymentCanceled {
    const TYPE: &'static str = "payment.canceled.v1";

    fn subject(&self) -> String {
        self.payment_id.to_string()
    }

    fn example() -> Self {
        PaymentCanceled {
            cancellation_id: Id::derive(&["example"]),
            payment_id: Id::derive(&["example"]),
            membership_id: Id::derive(&["example"]),
            franchise_id: Id::derive(&["example"]),
            amount: Money::won(5_000),
            fee_bps: example_fee(),
            requested_at: crate::example_time(),
            refunded_at: crate::example_time(),
            business_day: crate::example_time().business_day(),
        }
    }
}

/// A franchise's payments were settled together, and its cancellations with them: what it was owed for them is
/// accounted for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentFinished {
    /// Who was paid.
    pub franchise_id: FranchiseId,
    /// In which settlement.
    pub settlement_id: SettlementId,
    /// The last business day in it.
    pub through: SeoulDay,
    /// How many payments.
    pub payments: u64,
    /// Their sum, whatever of it came back.
    pub paid: Money,
    /// How many cancellations: of these payments, or of ones that were settled before.
    pub cancellations: u64,
    /// Their sum.
    pub canceled: Money,
    /// When the settlement was recorded.
    pub settled_at: Timestamp,
}

impl Fact for PaymentFinished {
    const TYPE: &'static str = "payment.finished.v1";

    fn subject(&self) -> String {
        self.settlement_id.to_string()
    }

    fn example() -> Self {
        PaymentFinished {
            franchise_id: Id::derive(&["example"]),
            settlement_id: Id::derive(&["example"]),
            through: crate::example_time().business_day(),
            payments: 3,
            paid: Money::won(45_000),
            cancellations: 1,
            canceled: Money::won(5_000),
            settled_at: crate::example_time(),
        }
    }
}
