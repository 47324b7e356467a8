//! `GET /v1/memberships/{membershipId}`: a membership, for its owner or an operator.
//!
//! Somebody else's answers 404, as if it did not exist; so does one that its owner is closing or has closed. Operators
//! see that a membership was, and when it ended; who it was, nobody can say. Never shown: password hash, tokens,
//! anything sealed.

use crate::{
    answers::Membership,
    items::{self, Member, MembershipState},
    personal,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    problem::NOT_FOUND,
};
use kernel::id::MembershipId;
use schemars::JsonSchema;
use serde::Deserialize;

/// findMembership
pub const OPERATION: Operation = Operation {
    name: "findMembership",
    summary: "Shows a membership to its owner or to an operator",
    triggers: &[Trigger::Route(Method::Get, "/v1/memberships/{membershipId}")],
    access: Access::Scopes(&[Scope::Member, Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::ReadSecret(personal::SECRET)],
    refuses: &[&NOT_FOUND],
    ..handled_by!(find_membership)
};

/// Which membership.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Which {
    /// Its id.
    pub membership_id: MembershipId,
}

async fn find_membership(context: &Context, call: Call<Which>) -> Result<Reply<Membership>, Problem> {
    let id = call.body.membership_id;
    let is_operator = call.caller.has(Scope::Operator);
    if !is_operator {
        call.caller.owns(id)?;
    }
    let member: Option<Member> = items::load(&*context.table, &items::member_key(&id.to_string())).await?;
    // A membership that is only requested, or closed, has no owner who could log in.
    let member = member.filter(|member| is_operator || member.state == MembershipState::Active);
    let key = context.service_key(personal::SECRET).await?;
    Membership::reply(&member.ok_or(&NOT_FOUND)?, &key)
}
