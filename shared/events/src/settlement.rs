//! What settlement publishes.

use crate::Fact;
use kernel::{
    Id, Money, SeoulDay, SignedMoney, Timestamp,
    id::{FranchiseId, SettlementId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

fn example_day() -> SeoulDay {
    crate::example_time().business_day()
}

/// The settlement of a business day has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettlementStarted {
    /// Of which day.
    pub business_day: SeoulDay,
    /// When.
    pub started_at: Timestamp,
}

impl Fact for SettlementStarted {
    const TYPE: &'static str = "settlement.started.v1";

    fn subject(&self) -> String {
        self.business_day.to_string()
    }

    fn example() -> Self {
        SettlementStarted { business_day: example_day(), started_at: crate::example_time() }
    }
}

/// A franchise has the money of a settlement in its bank account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettlementPaidOut {
    /// Which.
    pub settlement_id: SettlementId,
    /// Whose.
    pub franchise_id: FranchiseId,
    /// The business day whose run settled it.
    pub business_day: SeoulDay,
    /// The last business day in it.
    pub through: SeoulDay,
    /// How much was paid out.
    pub amount: Money,
    /// What Pay kept, or gave back if below zero.
    pub fee: SignedMoney,
    /// The value-added tax on that.
    pub vat: SignedMoney,
    /// When the ledger booked it.
    pub paid_at: Timestamp,
}

impl Fact for SettlementPaidOut {
    const TYPE: &'static str = "settlement.paidOut.v1";

    fn subject(&self) -> String {
        self.settlement_id.to_string()
    }

    fn example() -> Self {
        SettlementPaidOut {
            settlement_id: Id::derive(&["example"]),
            franchise_id: Id::derive(&["example"]),
            business_day: example_day(),
            through: example_day(),
            amount: Money::won(14_588),
            fee: Money::won(375).into(),
            vat: Money::won(37).into(),
            paid_at: crate::example_time(),
        }
    }
}

/// The bank has certainly not moved the money of a settlement: an operator can try again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettlementFailed {
    /// Which.
    pub settlement_id: SettlementId,
    /// Whose.
    pub franchise_id: FranchiseId,
    /// The business day whose run settled it.
    pub business_day: SeoulDay,
    /// How much was to be paid out.
    pub amount: Money,
    /// Which attempt to pay it out this was: 1, 2, 3 …
    pub attempt: u32,
    /// Why, as a stable code.
    pub reason: String,
    /// When.
    pub failed_at: Timestamp,
}

impl Fact for SettlementFailed {
    const TYPE: &'static str = "settlement.failed.v1";

    fn subject(&self) -> String {
        self.settlement_id.to_string()
    }

    fn example() -> Self {
        SettlementFailed {
            settlement_id: Id::derive(&["example"]),
            franchise_id: Id::derive(&["example"]),
            business_day: example_day(),
            amount: Money::won(14_588),
            attempt: 1,
            reason: "account_closed".to_owned(),
            failed_at: crate::example_time(),
        }
    }
}

/// The run of a business day has ended. What was open then is completed later, each for itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettlementFinished {
    /// Of which day.
    pub business_day: SeoulDay,
    /// How many franchises were settled.
    pub settled: u64,
    /// How many are still being paid out.
    pub pending: u64,
    /// How many could not be paid out.
    pub failed: u64,
    /// How much was paid out.
    pub paid_out: Money,
    /// When.
    pub finished_at: Timestamp,
}

impl Fact for SettlementFinished {
    const TYPE: &'static str = "settlement.finished.v1";

    fn subject(&self) -> String {
        self.business_day.to_string()
    }

    fn example() -> Self {
        SettlementFinished {
            business_day: example_day(),
            settled: 12,
            pending: 1,
            failed: 1,
            paid_out: Money::won(1_250_000),
            finished_at: crate::example_time(),
        }
    }
}
