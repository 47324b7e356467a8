//! `POST /v1/auth/validate`: says whether an access token holds, in the form of RFC 7662.
//!
//! Whatever text comes, the answer is 200: a token that does not hold is just `{"active": false}`, without a reason
//! that an attacker could learn from. A token whose session was ended does not hold either, by itself or with all others
//! of the member, nor one of a member who is leaving or has left.

use crate::{
    domain::{session, signing_keys, tokens},
    items::{self, Session},
    signing,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by, ports::Stage,
};
use kernel::id::MembershipId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// validateJwtToken
pub const OPERATION: Operation = Operation {
    name: "validateJwtToken",
    summary: "Says whether an access token holds, and what it says",
    triggers: &[Trigger::Route(Method::Post, "/v1/auth/validate")],
    access: Access::Public,
    grants: &[Grant::ReadTable, Grant::ReadSecret(signing_keys::SECRET)],
    memory_mb: 256,
    ..handled_by!(validate_jwt_token)
};

/// A token to look at.
// No Debug, so that it cannot be logged.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validate {
    /// The access token, without `Bearer`.
    pub token: String,
}

/// What RFC 7662, section 2.2, tells of a token; of one that does not hold, nothing.
#[derive(Serialize, JsonSchema)]
pub struct Introspection {
    /// Whether it holds.
    pub active: bool,
    /// The rest, if it does.
    #[serde(flatten)]
    pub token: Option<ActiveToken>,
}

/// A token that holds.
#[derive(Serialize, JsonSchema)]
pub struct ActiveToken {
    /// Always `Bearer`.
    pub token_type: String,
    /// What it allows, separated by blanks.
    pub scope: String,
    /// Whose it is.
    pub sub: MembershipId,
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The login session.
    pub sid: String,
    /// Its own id.
    pub jti: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// Since when it holds.
    pub nbf: i64,
    /// Until when it holds.
    pub exp: i64,
}

async fn validate_jwt_token(
    context: &Context,
    call: Call<Validate>,
) -> Result<Reply<Introspection>, Problem> {
    let keys = signing::current_keys(context, Stage::Current).await?;
    let claims = tokens::verify(&call.body.token, &keys.published(), signing::parties(context), call.now);
    let Some(claims) = claims else { return Ok(inactive()) };
    let session: Option<Session> = items::load(&*context.table, &Session::key_of(&claims.sid)).await?;
    let Some(session) = session else { return Ok(inactive()) };
    let member = items::active_member(&*context.table, claims.sub).await?;
    if !member.is_some_and(|member| session::is_live(&session, &member)) {
        return Ok(inactive());
    }
    let tokens::Claims { iss, aud, sub, scope, sid, jti, iat, nbf, exp, .. } = claims;
    let token_type = "Bearer".to_owned();
    let token = ActiveToken { token_type, scope, sub, iss, aud, sid, jti, iat, nbf, exp };
    Ok(Reply::ok(Introspection { active: true, token: Some(token) }))
}

fn inactive() -> Reply<Introspection> {
    Reply::ok(Introspection { active: false, token: None })
}
