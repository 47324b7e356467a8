//! On FranchiseRegistered: keeps a franchise that can be paid from now on.
//!
//! Delivery is at least once and in any order: the highest version wins.

use crate::replica;
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by};
use events::{Envelope, Fact, franchise::FranchiseRegistered};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onFranchiseRegistered",
    summary: "Keeps a copy of a new franchise's terms",
    triggers: &[Trigger::Fact(FranchiseRegistered::TYPE)],
    grants: &[Grant::WriteTable],
    ..handled_by!(on_franchise_registered)
};

async fn on_franchise_registered(
    context: &Context,
    call: Call<Envelope<FranchiseRegistered>>,
) -> Result<Reply<()>, Problem> {
    replica::keep(context, &call.body.data.franchise).await?;
    Ok(Reply::done())
}
