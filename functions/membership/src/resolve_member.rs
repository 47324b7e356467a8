//! Called by money and remittance: who a member is, by id or by email.
//!
//! The answer is an id or nothing: whoever asks learns nothing else of the member. An email travels in the call's
//! body, which is never logged.

use crate::{
    domain::email::Email,
    items::{self, EmailOwner},
    personal,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{MemberQuestion, ResolvedMember},
};

/// resolveMember
pub const OPERATION: Operation = Operation {
    name: "resolveMember",
    summary: "Says who a member is, by id or by email",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::ReadSecret(personal::SECRET)],
    timeout_seconds: 5,
    ..handled_by!(resolve_member)
};

async fn resolve_member(
    context: &Context,
    call: Call<MemberQuestion>,
) -> Result<Reply<ResolvedMember>, Problem> {
    let id = match &call.body {
        MemberQuestion::Id { membership_id } => Some(*membership_id),
        MemberQuestion::Email { email } => {
            let email = Email::parse(email)?;
            let key = context.service_key(personal::SECRET).await?;
            let index = personal::email_index(&key, &email);
            let owner: Option<EmailOwner> = items::load(&*context.table, &EmailOwner::key_of(&index)).await?;
            owner.map(|owner| owner.membership_id)
        }
    };
    let member = match id {
        Some(id) => items::active_member(&*context.table, id).await?,
        None => None,
    };
    Ok(Reply::ok(ResolvedMember { membership_id: member.map(|member| member.membership_id) }))
}
