//! `GET /v1/auth/membership`: who am I?
//!
//! The gateway has checked the token, and cannot know that all sessions of its member were ended. Of a member to whom
//! that has happened, the session is looked at too; of others it would be a read for nothing.

use crate::{
    answers::Membership,
    domain::session,
    items::{self, Member, Session},
    personal,
};
use contract::{
    Access, Call, Caller, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    problem::{NOT_FOUND, UNAUTHORIZED},
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
    let member = items::active_member(&*context.table, call.caller.member()?).await?.ok_or(&NOT_FOUND)?;
    hold_to_live_session(context, &call.caller, &member).await?;
    let key = context.service_key(personal::SECRET).await?;
    Membership::reply(&member, &key)
}

async fn hold_to_live_session(context: &Context, caller: &Caller, member: &Member) -> Result<(), Problem> {
    let Caller::Member { session, .. } = caller else { return Err((&UNAUTHORIZED).into()) };
    if member.sessions_from.is_none() {
        return Ok(());
    }
    let session: Option<Session> = items::load(&*context.table, &Session::key_of(session)).await?;
    match session.filter(|session| session::is_live(session, member)) {
        Some(_) => Ok(()),
        None => Err((&UNAUTHORIZED).into()),
    }
}
