//! On `MembershipClosed`: closes what its owner left open, and forgets the names and contacts of all their franchises.
//!
//! First it is noted that the member has left, and from then on nothing can be registered in their name. The list of
//! their franchises may lag behind, so the relay sends the same fact again a quarter of an hour later: only a look
//! that long after the note settles it. The fact may come twice or late; a franchise that is forgotten is left alone.
//! What a franchise was paid, and what it still gets, stays as it is.

use crate::items;
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, former, handled_by};
use events::{Envelope, Fact, franchise::FranchiseClosed, membership::MembershipClosed};
use kernel::id::FranchiseId;

/// The operation's full name.
pub const NAME: &str = "franchise.onMembershipClosed";

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onMembershipClosed",
    summary: "Closes and forgets the franchises of a member who has left",
    triggers: &[Trigger::Fact(MembershipClosed::TYPE), Trigger::Queue],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    emits: &[FranchiseClosed::TYPE],
    answers: &[204],
    timeout_seconds: 30,
    ..handled_by!(on_membership_closed)
};

/// How often it is tried again because somebody else changed the franchise first.
const TRIES: u32 = 6;

async fn on_membership_closed(
    context: &Context,
    call: Call<Envelope<MembershipClosed>>,
) -> Result<Reply<()>, Problem> {
    let Some(former) = former::heard(context, &call).await? else { return Ok(Reply::done()) };
    for id in items::ids_of(context, former.fact.membership_id).await? {
        forget(context, &call, id).await?;
    }
    former.looked(context, true, call.now).await?;
    Ok(Reply::done())
}

async fn forget(
    context: &Context,
    call: &Call<Envelope<MembershipClosed>>,
    id: FranchiseId,
) -> Result<(), Problem> {
    for _ in 0..TRIES {
        let Some(franchise) = items::load(context, id).await? else { return Ok(()) };
        let Some(forgotten) = franchise.forgotten(call.now, call.trace.traceparent()) else { return Ok(()) };
        match context.table.commit(&[forgotten.in_place_of(&franchise)?]).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_collision() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("the franchise kept changing"))
}
