//! Called by franchise: says whether a bank account is linked, and by the member who is said to have linked it.
//!
//! An account that is not there, not linked, or somebody else's gets the same answer, so that it tells nothing of
//! other members' accounts.

use crate::items::{self, BankAccount, BankAccountState};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{BankAccountClaim, BankAccountOwnership},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "verifyBankAccountOwner",
    summary: "Says whether a bank account is linked, and by this member",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable],
    timeout_seconds: 5,
    ..handled_by!(verify_bank_account_owner)
};

async fn verify_bank_account_owner(
    context: &Context,
    call: Call<BankAccountClaim>,
) -> Result<Reply<BankAccountOwnership>, Problem> {
    let BankAccountClaim { bank_account_id, membership_id } = call.body;
    let account: Option<BankAccount> = items::load(context, &BankAccount::key_of(bank_account_id)).await?;
    let is_theirs = |account: &BankAccount| {
        account.state == BankAccountState::Linked
            && account.membership_id == membership_id
            && call.on_behalf_of.is_none_or(|member| member == membership_id)
    };
    Ok(Reply::ok(BankAccountOwnership { linked: account.as_ref().is_some_and(is_theirs) }))
}
