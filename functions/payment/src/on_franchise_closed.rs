//! On FranchiseClosed: keeps that a franchise takes no payments any more.
//!
//! Delivery is at least once and in any order: the highest version wins.

use crate::replica;
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by};
use events::{Envelope, Fact, franchise::FranchiseClosed};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onFranchiseClosed",
    summary: "Keeps in mind that a franchise is closed",
    triggers: &[Trigger::Fact(FranchiseClosed::TYPE)],
    grants: &[Grant::WriteTable],
    ..handled_by!(on_franchise_closed)
};

async fn on_franchise_closed(
    context: &Context,
    call: Call<Envelope<FranchiseClosed>>,
) -> Result<Reply<()>, Problem> {
    replica::keep(context, &call.body.data.franchise).await?;
    Ok(Reply::done())
}
