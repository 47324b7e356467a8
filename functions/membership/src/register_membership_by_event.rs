//! `POST /v1/memberships/by-event`: takes a registration and answers before it is done.
//!
//! Everything that can be refused is refused here, as by the direct one, and the email is taken at once, so that the
//! event handler cannot fail for a reason that the caller would never hear of. The password is hashed before it is
//! stored: not even a request keeps it.

use crate::{
    answers::location,
    items::MembershipState,
    personal, refusals,
    registration::{self, Outcome, RegisterMembership},
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by, problem,
};
use events::{Fact, membership::RegisterMembershipRequested};
use kernel::id::MembershipId;
use schemars::JsonSchema;
use serde::Serialize;

/// registerMembershipByEvent
pub const OPERATION: Operation = Operation {
    name: "registerMembershipByEvent",
    summary: "Takes the registration of a person or a company; an event handler begins the membership",
    triggers: &[Trigger::Route(Method::Post, "/v1/memberships/by-event")],
    access: Access::Public,
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(personal::SECRET)],
    emits: &[RegisterMembershipRequested::TYPE],
    answers: &[202],
    refuses: &[&refusals::EMAIL_TAKEN, &problem::IDEMPOTENCY_KEY_REUSED],
    idempotent: true,
    key_optional: true,
    memory_mb: 1024,
    ..handled_by!(register_membership_by_event)
};

/// A registration that was taken.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestedMembership {
    /// The id that the member has or will have.
    pub membership_id: MembershipId,
    /// How far it is.
    pub state: MembershipState,
}

async fn register_membership_by_event(
    context: &Context,
    call: Call<RegisterMembership>,
) -> Result<Reply<RequestedMembership>, Problem> {
    let key = context.service_key(personal::SECRET).await?;
    let reply = |membership_id, state| {
        Reply::accepted(location(membership_id), RequestedMembership { membership_id, state })
    };
    Ok(match registration::store(context, &call, &key, MembershipState::Requested).await? {
        Outcome::Stored(member) => reply(member.membership_id, member.state),
        Outcome::Repeated(member) => reply(member.membership_id, member.state).replayed(),
    })
}
