//! `POST /v1/memberships`: registers a member.
//!
//! The member and the owner of the email are put in one commit, each only if absent: two registrations of one email
//! at once make one member. Under an Idempotency-Key the id derives from the key, so that the member itself is the
//! idempotency record.

use crate::{
    answers::{Membership, location},
    items::MembershipState,
    personal, refusals,
    registration::{self, Outcome, RegisterMembership},
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by, problem,
};
use events::{Fact, membership::MembershipRegistered};

/// registerMembership
pub const OPERATION: Operation = Operation {
    name: "registerMembership",
    summary: "Registers a person or a company as a member",
    triggers: &[Trigger::Route(Method::Post, "/v1/memberships")],
    access: Access::Public,
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(personal::SECRET)],
    emits: &[MembershipRegistered::TYPE],
    answers: &[201],
    refuses: &[&refusals::EMAIL_TAKEN, &problem::IDEMPOTENCY_KEY_REUSED],
    idempotent: true,
    key_optional: true,
    memory_mb: 1024,
    ..handled_by!(register_membership)
};

async fn register_membership(
    context: &Context,
    call: Call<RegisterMembership>,
) -> Result<Reply<Membership>, Problem> {
    let key = context.service_key(personal::SECRET).await?;
    let (member, repeated) = match registration::store(context, &call, &key, MembershipState::Active).await? {
        Outcome::Stored(member) => (member, false),
        Outcome::Repeated(member) => (member, true),
    };
    let reply = Reply::created(location(member.membership_id), Membership::of(&member, &key)?)
        .version(member.version);
    Ok(if repeated { reply.replayed() } else { reply })
}
