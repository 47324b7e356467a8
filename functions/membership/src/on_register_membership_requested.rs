//! On `RegisterMembershipRequested`: begins the membership whose request is stored.
//!
//! The event may come twice or late: only a membership that is still requested is begun, by a conditional write, and
//! a member who is one already, or was one, is left alone.

use crate::items::{self, Member, MembershipState};
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by};
use events::{
    Envelope, Fact,
    membership::{MembershipRegistered, RegisterMembershipRequested},
};
use store::{CommitError, Condition, Write};

/// onRegisterMembershipRequested
pub const OPERATION: Operation = Operation {
    name: "onRegisterMembershipRequested",
    summary: "Begins a membership that was requested by event",
    triggers: &[Trigger::Fact(RegisterMembershipRequested::TYPE)],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    emits: &[MembershipRegistered::TYPE],
    answers: &[204],
    ..handled_by!(on_register_membership_requested)
};

async fn on_register_membership_requested(
    context: &Context,
    call: Call<Envelope<RegisterMembershipRequested>>,
) -> Result<Reply<()>, Problem> {
    let id = call.body.data.membership_id;
    let key = items::member_key(&id.to_string());
    // The fact is relayed from this very item, so a missing one is a fault that the dead-letter queue must show.
    let member: Member = items::load(&*context.table, &key)
        .await?
        .ok_or_else(|| Problem::internal(format!("{id} was requested and is not stored")))?;
    if member.state != MembershipState::Requested {
        return Ok(Reply::done());
    }
    // Another function's clock took the request: a membership never begins before it was asked for.
    let at = member.requested.as_ref().map_or(call.now, |requested| requested.at.max(call.now));
    let begun = member.activated(at, call.trace.traceparent());
    let write = Write::put(&begun, Condition::text("state", "requested"))?;
    match context.table.commit(&[write]).await {
        // Refused: the same event was handled at the same time.
        Ok(()) | Err(CommitError::Refused(_)) => Ok(Reply::done()),
        Err(error) => Err(error.into()),
    }
}
