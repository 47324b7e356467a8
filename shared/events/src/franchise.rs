//! What franchise publishes.
//!
//! Every fact carries the whole of what payment and settlement keep of a franchise, with its version: whatever order
//! facts come in, the highest version is the franchise as it is.

use crate::Fact;
use kernel::{
    BasisPoints, FeeSchedule, FeeTerms, Id, Timestamp,
    id::{BankAccountId, FranchiseId, MembershipId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a franchise takes payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FranchiseState {
    /// It does.
    Open,
    /// It takes no new ones, for ever; those it has are settled.
    Closed,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Weekday {
    /// 월
    Monday,
    /// 화
    Tuesday,
    /// 수
    Wednesday,
    /// 목
    Thursday,
    /// 금
    Friday,
    /// 토
    Saturday,
    /// 일
    Sunday,
}

/// Which business days' runs pay a franchise out. A run takes every day that is due and not settled yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum SettlementCycle {
    /// Every day's.
    // Braces, because serde lets unknown fields of a variant without them pass.
    Daily {},
    /// Those of one day of the week.
    Weekly {
        /// Which.
        weekday: Weekday,
    },
}

/// A franchise as payment and settlement keep it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Franchise {
    /// Which.
    pub franchise_id: FranchiseId,
    /// The member who owns it.
    pub membership_id: MembershipId,
    /// The owner's linked account that it is paid out to.
    pub bank_account_id: BankAccountId,
    /// What Pay keeps of a payment, and from when on. A payment's fee is the one in force when it is asked for.
    pub fee_terms: FeeSchedule,
    /// When it is paid out.
    pub settlement_cycle: SettlementCycle,
    /// Whether it takes payments.
    pub state: FranchiseState,
    /// Which version of the franchise this is; the highest wins.
    pub version: u64,
}

impl Franchise {
    fn example(version: u64) -> Franchise {
        let fee = |bps| BasisPoints::try_new(bps).unwrap_or_default();
        let start = FeeSchedule::starting(crate::example_time(), fee(250));
        let change = FeeTerms { since: crate::example_time().plus_seconds(15_270), fee_bps: fee(220) };
        Franchise {
            franchise_id: Id::derive(&["example"]),
            membership_id: Id::derive(&["example"]),
            bank_account_id: Id::derive(&["example"]),
            fee_terms: if version == 1 { start } else { start.with(change) },
            settlement_cycle: SettlementCycle::Weekly { weekday: Weekday::Monday },
            state: FranchiseState::Open,
            version,
        }
    }
}

/// A franchise began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FranchiseRegistered {
    /// As it began.
    #[serde(flatten)]
    pub franchise: Franchise,
    /// When.
    pub registered_at: Timestamp,
}

impl Fact for FranchiseRegistered {
    const TYPE: &'static str = "franchise.registered.v1";

    fn subject(&self) -> String {
        self.franchise.franchise_id.to_string()
    }

    fn example() -> Self {
        FranchiseRegistered { franchise: Franchise::example(1), registered_at: crate::example_time() }
    }
}

/// A franchise's terms, account or anything else of it changed. Of a closed one only the account does, and its state
/// says that it is closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FranchiseModified {
    /// As it is after the change.
    #[serde(flatten)]
    pub franchise: Franchise,
    /// When it changed.
    pub modified_at: Timestamp,
}

impl Fact for FranchiseModified {
    const TYPE: &'static str = "franchise.modified.v1";

    fn subject(&self) -> String {
        self.franchise.franchise_id.to_string()
    }

    fn example() -> Self {
        FranchiseModified { franchise: Franchise::example(2), modified_at: crate::example_time() }
    }
}

/// A franchise takes no new payments any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FranchiseClosed {
    /// As it ended: its state is closed.
    #[serde(flatten)]
    pub franchise: Franchise,
    /// When.
    pub closed_at: Timestamp,
}

impl Fact for FranchiseClosed {
    const TYPE: &'static str = "franchise.closed.v1";

    fn subject(&self) -> String {
        self.franchise.franchise_id.to_string()
    }

    fn example() -> Self {
        let franchise = Franchise { state: FranchiseState::Closed, ..Franchise::example(3) };
        FranchiseClosed { franchise, closed_at: crate::example_time() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_takes_no_fields_that_it_does_not_know() {
        let read = |text| serde_json::from_str::<SettlementCycle>(text).ok();
        assert_eq!(read(r#"{"kind":"daily"}"#), Some(SettlementCycle::Daily {}));
        let monday = Some(SettlementCycle::Weekly { weekday: Weekday::Monday });
        assert_eq!(read(r#"{"kind":"weekly","weekday":"monday"}"#), monday);
        for odd in [
            r#"{"kind":"daily","weekday":"monday"}"#,
            r#"{"kind":"weekly"}"#,
            r#"{"kind":"weekly","weekday":"Monday"}"#,
            r#"{"kind":"monthly"}"#,
            r#"{}"#,
        ] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
