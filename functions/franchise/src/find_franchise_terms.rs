//! Called by payment: a franchise's terms as they are now.
//!
//! Payment keeps copies that facts feed. This is for the time before the first fact has come, so that no payment is
//! refused because a fact is still on its way.

use crate::items;
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{FranchiseQuestion, FranchiseTerms},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findFranchiseTerms",
    summary: "Says a franchise's terms as its facts tell them",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable],
    timeout_seconds: 5,
    ..handled_by!(find_franchise_terms)
};

async fn find_franchise_terms(
    context: &Context,
    call: Call<FranchiseQuestion>,
) -> Result<Reply<FranchiseTerms>, Problem> {
    let franchise = items::load(context, call.body.franchise_id).await?;
    Ok(Reply::ok(FranchiseTerms { franchise: franchise.map(|franchise| franchise.replica()) }))
}
