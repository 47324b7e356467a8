//! What services ask of each other directly: the inputs and answers that both sides share.
//!
//! A callee's operation takes and gives these very types, so that a change that one side does not know does not
//! compile.

use kernel::{
    Money, Timestamp,
    id::{BankAccountId, FirmbankingId, MembershipId, WalletId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

/// An operation of another service: its name, and how long to wait for it.
pub struct Peer<I, T> {
    /// Its full name, such as `banking.requestFirmbanking`.
    pub operation: &'static str,
    /// How long the caller waits, in milliseconds. Deadlines shrink inwards.
    pub timeout_ms: u32,
    types: PhantomData<fn(I) -> T>,
}

impl<I, T> Peer<I, T> {
    /// Names an operation.
    pub const fn new(operation: &'static str, timeout_ms: u32) -> Peer<I, T> {
        Peer { operation, timeout_ms, types: PhantomData }
    }
}

/// Moves money at the external bank. Idempotent by the call's reference.
pub const REQUEST_FIRMBANKING: Peer<FirmbankingOrder, Firmbanking> =
    Peer::new("banking.requestFirmbanking", 10_000);

/// Moves money between two wallets, atomically. Idempotent by the call's reference.
pub const TRANSFER_MONEY: Peer<TransferOrder, Transferred> = Peer::new("money.transferMoney", 10_000);

/// Asks whether a bank account is linked, and by a certain member. It changes nothing, so it needs no reference.
pub const VERIFY_BANK_ACCOUNT_OWNER: Peer<BankAccountClaim, BankAccountOwnership> =
    Peer::new("banking.verifyBankAccountOwner", 5_000);

/// An account at the bank, as an order names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum BankParty {
    /// Pay's own account, where members' money lies.
    // Braces, because serde lets unknown fields of a variant without them pass.
    Corporate {},
    /// An account that a member linked.
    #[serde(rename_all = "camelCase")]
    Linked {
        /// Which.
        bank_account_id: BankAccountId,
        /// Whose it must be. A call on behalf of a member may name no other.
        membership_id: MembershipId,
    },
}

/// Moves `amount` from `source` to `destination` at the external bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FirmbankingOrder {
    /// The account to debit.
    pub source: BankParty,
    /// The account to credit.
    pub destination: BankParty,
    /// How much; at least 1 won.
    pub amount: Money,
}

/// How far a firmbanking is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FirmbankingState {
    /// Stored; the bank was not asked yet.
    Requested,
    /// The bank is being asked.
    Sent,
    /// The bank did not answer: it may or may not have moved the money. Inquiry will tell.
    Unknown,
    /// The bank moved the money, for certain.
    Succeeded,
    /// The bank moved nothing and never will, for certain.
    Failed,
}

/// A firmbanking as its callers and its owner see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Firmbanking {
    /// Its id.
    pub firmbanking_id: FirmbankingId,
    /// The account debited.
    pub source: BankParty,
    /// The account credited.
    pub destination: BankParty,
    /// How much.
    pub amount: Money,
    /// How far it is.
    pub state: FirmbankingState,
    /// Why it failed, as a stable code such as `insufficient_bank_balance`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure_reason: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it became certain.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub completed_at: Option<Timestamp>,
}

/// A bank account, and who is said to have linked it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BankAccountClaim {
    /// Which account.
    pub bank_account_id: BankAccountId,
    /// Whose it is said to be. A call on behalf of a member may name no other.
    pub membership_id: MembershipId,
}

/// What banking says of a [`BankAccountClaim`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BankAccountOwnership {
    /// Whether the account is linked now, and the member's.
    pub linked: bool,
}

/// Moves `amount` from one member's wallet to another's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransferOrder {
    /// Whose wallet to debit.
    pub debit_membership_id: MembershipId,
    /// Whose wallet to credit.
    pub credit_membership_id: MembershipId,
    /// How much; at least 1 won.
    pub amount: Money,
}

/// A transfer that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transferred {
    /// The wallet debited.
    pub debit_wallet_id: WalletId,
    /// The debit entry's place in its chain.
    pub debit_sequence: u64,
    /// The debited wallet's balance after it.
    pub debit_balance: Money,
    /// The wallet credited.
    pub credit_wallet_id: WalletId,
    /// The credit entry's place in its chain.
    pub credit_sequence: u64,
    /// How much.
    pub amount: Money,
    /// The entries' time.
    pub transferred_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_takes_no_fields_that_it_does_not_know() {
        let read = |text| serde_json::from_str::<BankParty>(text).ok();
        assert_eq!(read(r#"{"kind":"corporate"}"#), Some(BankParty::Corporate {}));
        assert_eq!(
            serde_json::to_string(&BankParty::Corporate {}).ok().as_deref(),
            Some(r#"{"kind":"corporate"}"#)
        );
        for odd in [r#"{"kind":"corporate","unknown":1}"#, r#"{"kind":"other"}"#, r#"{}"#] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
