//! What banking publishes.

use crate::Fact;
use kernel::{
    Id, Money, Timestamp,
    id::{BankAccountId, FirmbankingId, MembershipId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Command: link the bank account whose request is stored under this id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegisterBankAccountRequested {
    /// The account to be linked.
    pub bank_account_id: BankAccountId,
}

impl Fact for RegisterBankAccountRequested {
    const TYPE: &'static str = "banking.accountRegistrationRequested.v1";

    fn subject(&self) -> String {
        self.bank_account_id.to_string()
    }

    fn example() -> Self {
        RegisterBankAccountRequested { bank_account_id: Id::derive(&["example"]) }
    }
}

/// A member linked a bank account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BankAccountRegistered {
    /// The linked account.
    pub bank_account_id: BankAccountId,
    /// Whose it is.
    pub membership_id: MembershipId,
    /// When it was linked.
    pub registered_at: Timestamp,
}

impl Fact for BankAccountRegistered {
    const TYPE: &'static str = "banking.accountRegistered.v1";

    fn subject(&self) -> String {
        self.bank_account_id.to_string()
    }

    fn example() -> Self {
        BankAccountRegistered {
            bank_account_id: Id::derive(&["example"]),
            membership_id: Id::derive(&["example"]),
            registered_at: crate::example_time(),
        }
    }
}

/// Command: carry out the firmbanking that is stored under this id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirmbankingRequested {
    /// The firmbanking.
    pub firmbanking_id: FirmbankingId,
}

impl Fact for FirmbankingRequested {
    const TYPE: &'static str = "banking.firmbankingRequested.v1";

    fn subject(&self) -> String {
        self.firmbanking_id.to_string()
    }

    fn example() -> Self {
        FirmbankingRequested { firmbanking_id: Id::derive(&["example"]) }
    }
}

/// The bank moved the money, for certain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirmbankingSucceeded {
    /// The firmbanking.
    pub firmbanking_id: FirmbankingId,
    /// Who asked for it: the reference of the caller's saga, such as a money request's id.
    pub reference: String,
    /// What was moved.
    pub amount: Money,
    /// When it became certain.
    pub succeeded_at: Timestamp,
}

impl Fact for FirmbankingSucceeded {
    const TYPE: &'static str = "banking.firmbankingSucceeded.v1";

    fn subject(&self) -> String {
        self.firmbanking_id.to_string()
    }

    fn example() -> Self {
        FirmbankingSucceeded {
            firmbanking_id: Id::derive(&["example"]),
            reference: kernel::id::MoneyRequestId::derive(&["example"]).to_string(),
            amount: Money::won(15_000),
            succeeded_at: crate::example_time(),
        }
    }
}

/// The bank moved nothing and never will under this transfer id, for certain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirmbankingFailed {
    /// The firmbanking.
    pub firmbanking_id: FirmbankingId,
    /// Who asked for it: the reference of the caller's saga, such as a money request's id.
    pub reference: String,
    /// What would have been moved.
    pub amount: Money,
    /// Why, as a stable code such as `insufficient_bank_balance`.
    pub reason: String,
    /// When it became certain.
    pub failed_at: Timestamp,
}

impl Fact for FirmbankingFailed {
    const TYPE: &'static str = "banking.firmbankingFailed.v1";

    fn subject(&self) -> String {
        self.firmbanking_id.to_string()
    }

    fn example() -> Self {
        FirmbankingFailed {
            firmbanking_id: Id::derive(&["example"]),
            reference: kernel::id::MoneyRequestId::derive(&["example"]).to_string(),
            amount: Money::won(15_000),
            reason: "insufficient_bank_balance".to_owned(),
            failed_at: crate::example_time(),
        }
    }
}
