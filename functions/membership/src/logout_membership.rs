//! `POST /v1/auth/logout`: ends the session of the access token.
//!
//! Its refresh tokens end at once; access tokens that were given out end within their ten minutes, and
//! validateJwtToken calls them inactive from now on. Logging out twice is logging out.

use crate::{
    get_membership_by_jwt_token::Nothing,
    items::{self, Session},
    refresh_jwt_token_by_refresh_token::end_session,
};
use contract::{
    Access, Call, Caller, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    problem::UNAUTHORIZED,
};

/// logoutMembership
pub const OPERATION: Operation = Operation {
    name: "logoutMembership",
    summary: "Ends the login session of the access token",
    triggers: &[Trigger::Route(Method::Post, "/v1/auth/logout")],
    access: Access::Scopes(&[Scope::Member, Scope::Merchant, Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::WriteTable],
    answers: &[204],
    ..handled_by!(logout_membership)
};

async fn logout_membership(context: &Context, call: Call<Nothing>) -> Result<Reply<()>, Problem> {
    let Caller::Member { membership_id, session, .. } = &call.caller else {
        return Err((&UNAUTHORIZED).into());
    };
    let session: Option<Session> = items::load(&*context.table, &Session::key_of(session)).await?;
    if let Some(session) = session.filter(|session| session.membership_id == *membership_id) {
        end_session(context, &session).await?;
    }
    Ok(Reply::done())
}
