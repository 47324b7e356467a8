//! Says whether none of a member's franchises is open. Called by membership before it lets a member go; it has no route.
//!
//! The list that it reads may lag by a moment. A franchise that looks open is read as it is now; one that is not
//! listed yet is closed when membership says that its owner has left.

use crate::items;
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{FranchiseOwner, FranchisesClosed},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "verifyFranchisesClosed",
    summary: "Says whether none of a member's franchises is open",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable],
    ..handled_by!(verify_franchises_closed)
};

async fn verify_franchises_closed(
    context: &Context,
    call: Call<FranchiseOwner>,
) -> Result<Reply<FranchisesClosed>, Problem> {
    for id in items::ids_of(context, call.body.membership_id).await? {
        let franchise = items::load(context, id).await?;
        if franchise.is_some_and(|franchise| !franchise.is_closed()) {
            return Ok(Reply::ok(FranchisesClosed { all_closed: false }));
        }
    }
    Ok(Reply::ok(FranchisesClosed { all_closed: true }))
}
