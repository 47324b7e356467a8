//! `POST /v1/auth/login`: email and password for an access token and a refresh token.
//!
//! Nobody may learn from it who is a member: an unknown email costs the same reads, the same Argon2id and the same
//! answer as a wrong password, and is locked out alike. The attempt is counted before the password is looked at, by
//! a conditional write, so that many guesses at once are many attempts.

use crate::{
    answers::Tokens,
    config::Config,
    domain::{
        Refusal,
        email::Email,
        lockout::{self, Attempts, Wait},
        password, session, signing_keys,
    },
    items::{self, EmailOwner, LoginAttempts, Member, MembershipState, RefreshToken, Session, SessionState},
    personal, refusals, signing,
};
use contract::{Access, Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by};
use kernel::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use store::{CommitError, Condition, Write};

/// How often an attempt is counted again because another one with the same email came first.
const TRIES: u32 = 8;

/// loginMembership
pub const OPERATION: Operation = Operation {
    name: "loginMembership",
    summary: "Exchanges email and password for an access token and a refresh token",
    triggers: &[Trigger::Route(Method::Post, "/v1/auth/login")],
    access: Access::Public,
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ReadSecret(personal::SECRET),
        Grant::ReadSecret(signing_keys::SECRET),
    ],
    refuses: &[&refusals::INVALID_CREDENTIALS, &refusals::LOGIN_LOCKED],
    memory_mb: 1024,
    ..handled_by!(login_membership)
};

/// Who logs in.
// No Debug, so that it cannot be logged.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginMembership {
    /// The email.
    #[schemars(length(max = 254), email)]
    pub email: String,
    /// The password.
    #[schemars(length(max = 128))]
    pub password: String,
}

async fn login_membership(context: &Context, call: Call<LoginMembership>) -> Result<Reply<Tokens>, Problem> {
    let LoginMembership { email, password } = &call.body;
    let email = Email::parse(email)?;
    password::check_length(password)?;
    let key = context.service_key(personal::SECRET).await?;
    let email_index = personal::email_index(&key, &email);
    count(context, &email_index, call.now).await?;
    let member = find(context, &email_index).await?;
    let hash = member.as_ref().and_then(|member| member.password_hash.as_deref());
    let known = password::verify(password, hash);
    let member = member.filter(|_| known).ok_or(Refusal::WrongCredentials)?;
    let reply = begin_session(context, &member, &email_index, call.now).await?;
    Ok(Reply::ok(reply))
}

/// Counts this attempt, or refuses it.
async fn count(context: &Context, email_index: &str, now: Timestamp) -> Result<(), Problem> {
    for _ in 0..TRIES {
        let before: Option<LoginAttempts> =
            items::load(&*context.table, &LoginAttempts::key_of(email_index)).await?;
        let known = before.as_ref().map(|before| Attempts { count: before.count, last_at: before.last_at });
        let Attempts { count, last_at } =
            lockout::admit(known, now).map_err(|Wait(seconds)| Refusal::Locked(seconds))?;
        let version = before.as_ref().map_or(0, |before| before.version);
        let condition =
            if before.is_some() { Condition::number("version", version) } else { Condition::Absent };
        let after = LoginAttempts {
            email_index: email_index.to_owned(),
            count,
            last_at,
            version: version.saturating_add(1),
        };
        match context.table.commit(&[Write::put(&after, condition)?]).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_collision() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::Locked(1).into())
}

/// The member with this email. For an email that nobody has, the same reads are made.
async fn find(context: &Context, email_index: &str) -> Result<Option<Member>, Problem> {
    let owner: Option<EmailOwner> = items::load(&*context.table, &EmailOwner::key_of(email_index)).await?;
    let id = owner.map_or_else(|| email_index.to_owned(), |owner| owner.membership_id.to_string());
    let member: Option<Member> = items::load(&*context.table, &items::member_key(&id)).await?;
    Ok(member.filter(|member| {
        member.state == MembershipState::Active && member.email_index.as_deref() == Some(email_index)
    }))
}

/// Puts the session and its first refresh token, and forgets the attempts.
async fn begin_session(
    context: &Context,
    member: &Member,
    email_index: &str,
    now: Timestamp,
) -> Result<Tokens, Problem> {
    let (session_id, refresh_token) = (signing::random_name(context), signing::random_token(context));
    let age_seconds = Config::of(context)?.session_seconds_of(member.operator);
    let valid_until = session::refresh_end(now, age_seconds, now);
    // Signed before anything is written: without a key there is no session.
    let tokens = signing::tokens(context, member, &session_id, refresh_token, valid_until).await?;
    let token = RefreshToken {
        hash: RefreshToken::hash_of(&tokens.refresh_token),
        session_id: session_id.clone(),
        valid_until,
        spent: None,
    };
    let session = Session {
        session_id,
        membership_id: member.membership_id,
        state: SessionState::Live,
        began_at: now,
        valid_until,
    };
    let writes = [
        Write::put(&session, Condition::Absent)?,
        Write::put(&token, Condition::Absent)?,
        // Another login's count may go too: this one has shown that it is not guessing.
        Write::Delete(LoginAttempts::key_of(email_index), Condition::Always),
    ];
    for _ in 0..TRIES {
        match context.table.commit(&writes).await {
            Ok(()) => return Ok(tokens),
            Err(CommitError::Contended) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("other logins were in the way"))
}
