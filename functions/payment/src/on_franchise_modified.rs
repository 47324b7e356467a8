//! On FranchiseModified: keeps a franchise's terms as they are now.
//!
//! Delivery is at least once and in any order: the highest version wins.

use crate::replica;
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by};
use events::{Envelope, Fact, franchise::FranchiseModified};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onFranchiseModified",
    summary: "Keeps a copy of a franchise's changed terms",
    triggers: &[Trigger::Fact(FranchiseModified::TYPE)],
    grants: &[Grant::WriteTable],
    ..handled_by!(on_franchise_modified)
};

async fn on_franchise_modified(
    context: &Context,
    call: Call<Envelope<FranchiseModified>>,
) -> Result<Reply<()>, Problem> {
    replica::keep(context, &call.body.data.franchise).await?;
    Ok(Reply::done())
}
