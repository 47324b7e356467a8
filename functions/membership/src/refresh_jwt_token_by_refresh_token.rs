//! `POST /v1/auth/refresh`: exchanges a refresh token for new tokens.
//!
//! A token is good for one exchange; a second one ends the whole session, because one of the two who have the token
//! is a thief. So that a lost answer logs nobody out, an exchange under an Idempotency-Key may be repeated under the
//! same key until its successor was used: the successor then derives from the token and the key, and only its hash is
//! stored. A session goes on for thirty days at most, an operator's for one (`sessionSeconds`,
//! `operatorSessionSeconds`), and then wants a login.

use crate::{
    answers::Tokens,
    config::Config,
    domain::{
        Refusal,
        session::{self, Verdict},
        signing_keys,
    },
    items::{self, Member, RefreshToken, Session, SessionState, Spent},
    personal, refusals, signing,
};
use contract::{Access, Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by};
use kernel::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use store::{CommitError, Condition, Write, seal::ServiceKey};

/// How often it is judged again because another exchange came first.
const TRIES: u32 = 4;

/// refreshJwtTokenByRefreshToken
pub const OPERATION: Operation = Operation {
    name: "refreshJwtTokenByRefreshToken",
    summary: "Exchanges a refresh token for a new access token and a new refresh token",
    triggers: &[Trigger::Route(Method::Post, "/v1/auth/refresh")],
    access: Access::Public,
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ReadSecret(personal::SECRET),
        Grant::ReadSecret(signing_keys::SECRET),
    ],
    refuses: &[&refusals::INVALID_REFRESH_TOKEN, &refusals::REFRESH_TOKEN_REUSED],
    idempotent: true,
    key_optional: true,
    memory_mb: 512,
    ..handled_by!(refresh_jwt_token_by_refresh_token)
};

/// What to exchange.
// No Debug, so that it cannot be logged.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exchange {
    /// The refresh token of the last login or exchange.
    #[schemars(length(max = 512))]
    pub refresh_token: String,
}

/// A refresh token in use, with all that it leads to.
struct Presented {
    token: RefreshToken,
    session: Session,
    member: Member,
    /// When a successor made now ends.
    next_until: Timestamp,
}

async fn refresh_jwt_token_by_refresh_token(
    context: &Context,
    call: Call<Exchange>,
) -> Result<Reply<Tokens>, Problem> {
    let key = context.service_key(personal::SECRET).await?;
    let request_key = call.idempotency_key.as_ref().map(|name| key.blind("refresh request", name.as_str()));
    for _ in 0..TRIES {
        let token: Option<RefreshToken> = load_token(context, &call.body.refresh_token).await?;
        let token = token.ok_or(Refusal::UnknownToken)?;
        let session: Option<Session> =
            items::load(&*context.table, &Session::key_of(&token.session_id)).await?;
        let verdict = session::judge(&token, session.as_ref(), request_key.as_deref(), call.now)?;
        let session = session.ok_or(Refusal::UnknownToken)?;
        let presented = present(context, token, session, call.now).await?;
        let outcome = match verdict {
            Verdict::Exchange => {
                let spent = Spent { at: call.now, key: request_key.clone() };
                exchange(context, &call, &key, presented, spent).await
            }
            Verdict::AnswerAgain => return answer_again(context, &call, &key, presented).await,
            Verdict::Revoke => return revoke(context, &presented.session).await,
        };
        match outcome? {
            Some(reply) => return Ok(reply),
            None => continue,
        }
    }
    Err(Problem::unavailable("other exchanges were in the way"))
}

/// The token with its member, if the session was not ended for all of the member's and is not too old. What a member
/// may do can have changed since the token was made, and with it how long a session goes on.
async fn present(
    context: &Context,
    token: RefreshToken,
    session: Session,
    now: Timestamp,
) -> Result<Presented, Problem> {
    let member = items::active_member(&*context.table, session.membership_id).await?;
    let member = member.filter(|member| session::is_live(&session, member)).ok_or(Refusal::UnknownToken)?;
    let age_seconds = Config::of(context)?.session_seconds_of(member.operator);
    let next_until = session::refresh_end(session.began_at, age_seconds, now);
    if now >= next_until {
        return Err(Refusal::UnknownToken.into());
    }
    Ok(Presented { token, session, member, next_until })
}

async fn load_token(context: &Context, token: &str) -> Result<Option<RefreshToken>, Problem> {
    items::load(&*context.table, &RefreshToken::key_of(&RefreshToken::hash_of(token))).await
}

/// Random without an Idempotency-Key; with one, what token and key always give, and nobody else can know.
fn successor(context: &Context, call: &Call<Exchange>, key: &ServiceKey) -> String {
    match &call.idempotency_key {
        None => signing::random_token(context),
        Some(name) => {
            let request = store::seal::digest(&[&call.body.refresh_token, name.as_str()]);
            key.blind("refresh successor", &request)
        }
    }
}

/// Spends the token and puts its successor, if the session is still live; none if somebody else was first.
async fn exchange(
    context: &Context,
    call: &Call<Exchange>,
    key: &ServiceKey,
    presented: Presented,
    spent: Spent,
) -> Result<Option<Reply<Tokens>>, Problem> {
    let Presented { token, session, member, next_until: valid_until } = presented;
    let successor = successor(context, call, key);
    let next = RefreshToken {
        hash: RefreshToken::hash_of(&successor),
        session_id: session.session_id.clone(),
        valid_until,
        spent: None,
    };
    // Signed before anything is written: a token that was spent for nothing would log its owner out.
    let tokens = signing::tokens(context, &member, &session.session_id, successor, valid_until).await?;
    let writes = [
        Write::put(&RefreshToken { spent: Some(spent), ..token }, Condition::Without("spent"))?,
        Write::put(&next, Condition::Absent)?,
        Write::put(&Session { valid_until, ..session }, Condition::text("state", "live"))?,
    ];
    match context.table.commit(&writes).await {
        Ok(()) => Ok(Some(Reply::ok(tokens))),
        Err(error) if error.is_collision() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The same successor with a fresh access token, unless the successor was used: then the answer was not lost.
async fn answer_again(
    context: &Context,
    call: &Call<Exchange>,
    key: &ServiceKey,
    presented: Presented,
) -> Result<Reply<Tokens>, Problem> {
    let Presented { session, member, .. } = presented;
    let successor = successor(context, call, key);
    match load_token(context, &successor).await? {
        Some(next) if next.spent.is_none() => {
            let tokens =
                signing::tokens(context, &member, &session.session_id, successor, next.valid_until).await?;
            Ok(Reply::ok(tokens).replayed())
        }
        _ => revoke(context, &session).await,
    }
}

async fn revoke(context: &Context, session: &Session) -> Result<Reply<Tokens>, Problem> {
    end_session(context, session).await?;
    Err(Refusal::TokenReused.into())
}

/// Ends a session. An exchange at the same time either came before, and its token ends too, or finds it ended.
pub async fn end_session(context: &Context, session: &Session) -> Result<(), Problem> {
    let revoked = Session { state: SessionState::Revoked, ..session.clone() };
    let write = Write::put(&revoked, Condition::text("state", "live"))?;
    for _ in 0..TRIES {
        match context.table.commit(std::slice::from_ref(&write)).await {
            // Refused: it was ended, or forgotten, by somebody else.
            Ok(()) | Err(CommitError::Refused(_)) => return Ok(()),
            Err(CommitError::Contended) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("the session is being exchanged"))
}
