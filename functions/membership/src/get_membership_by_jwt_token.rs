//! `GET /v1/auth/membership`: who am I?

use crate::{answers::Membership, items, personal};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    problem::NOT_FOUND,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// getMembershipByJwtToken
pub const OPERATION: Operation = Operation {
    name: "getMembershipByJwtToken",
    summary: "Shows the membership that the access token belongs to",
    triggers: &[Trigger::Route(Method::Get, "/v1/auth/membership")],
    access: Access::Scopes(&[Scope::Member, Scope::Merchant, Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::ReadSecret(personal::SECRET)],
    refuses: &[&NOT_FOUND],
    ..handled_by!(get_membership_by_jwt_token)
};

/// Nothing: the token says it all.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

async fn get_membership_by_jwt_token(
    context: &Context,
    call: Call<Nothing>,
) -> Result<Reply<Membership>, Problem> {
    let member = items::active_member(&*context.table, call.caller.member()?).await?;
    let key = context.service_key(personal::SECRET).await?;
    Membership::reply(&member.ok_or(&NOT_FOUND)?, &key)
}
