//! What payment knows of franchises: a copy of each, fed by its facts.
//!
//! Facts come twice and in any order, so the highest version wins, by the condition of the write. A franchise whose
//! first fact is still on its way is asked for, once.

use crate::items::FranchiseCopy;
use contract::{
    Call, Context, Problem, Scope,
    peers::{FIND_FRANCHISE_TERMS, FranchiseQuestion},
    ports::CallError,
    problem,
};
use events::franchise::Franchise;
use kernel::id::FranchiseId;
use store::{AttributeValue, CommitError, Condition, Read, Write};

/// Keeps a franchise as it is told, unless a newer one is there.
pub async fn keep(context: &Context, franchise: &Franchise) -> Result<(), Problem> {
    let copy = FranchiseCopy::from(franchise);
    let version = AttributeValue::N(copy.version.to_string());
    let is_newer = Condition::AbsentOrBelow("version", version);
    match context.table.commit(&[Write::put(&copy, is_newer)?]).await {
        // This one or a newer one is there.
        Ok(()) | Err(CommitError::Refused(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The franchise with this id, if there is one.
pub async fn find<I>(
    context: &Context,
    call: &Call<I>,
    id: FranchiseId,
) -> Result<Option<FranchiseCopy>, Problem> {
    if let Some(item) = context.table.get(&FranchiseCopy::key_of(id), Read::Eventual).await? {
        return Ok(Some(store::read(item)?));
    }
    let question = FranchiseQuestion { franchise_id: id };
    let answer = match context.call(&FIND_FRANCHISE_TERMS, call, None, None, &question).await {
        Ok(answer) => answer,
        Err(CallError::Unanswered(error)) => return Err(Problem::unavailable(error)),
        Err(CallError::Refused(problem)) => return Err(Problem::internal(problem)),
    };
    let Some(franchise) = answer.franchise else { return Ok(None) };
    keep(context, &franchise).await?;
    Ok(Some(FranchiseCopy::from(&franchise)))
}

/// Lets a franchise's owner through, and answers everyone else as if there were nothing.
pub async fn hold_to_owner<I>(context: &Context, call: &Call<I>, id: FranchiseId) -> Result<(), Problem> {
    if !call.caller.has(Scope::Merchant) {
        return Err((&problem::NOT_FOUND).into());
    }
    let franchise = find(context, call, id).await?.ok_or(&problem::NOT_FOUND)?;
    call.caller.owns(franchise.membership_id)
}
