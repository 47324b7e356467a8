//! Whose a settlement account is: banking knows, and nobody's word is taken for it.

use crate::domain::Refusal;
use contract::{
    Call, Context, Problem,
    peers::{BankAccountClaim, VERIFY_BANK_ACCOUNT_OWNER},
    ports::CallError,
};
use kernel::id::{BankAccountId, MembershipId};

/// Refuses an account that the owner has not linked. Banking that does not answer is a problem that passes.
pub async fn hold_to_owner<I>(
    context: &Context,
    call: &Call<I>,
    owner: MembershipId,
    bank_account_id: BankAccountId,
) -> Result<(), Problem> {
    let claim = BankAccountClaim { bank_account_id, membership_id: owner };
    match context.call(&VERIFY_BANK_ACCOUNT_OWNER, call, Some(owner), None, &claim).await {
        Ok(answer) if answer.linked => Ok(()),
        Ok(_) => Err(Refusal::NoSuchBankAccount.into()),
        Err(CallError::Unanswered(error)) => Err(Problem::unavailable(error)),
        Err(CallError::Refused(problem)) => Err(Problem::internal(problem)),
    }
}
