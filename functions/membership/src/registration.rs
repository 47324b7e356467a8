//! What both ways to register do: check, seal, and take the email and the id in one commit.
//!
//! They differ in one thing only: the direct one begins the membership in that commit, the other leaves it requested
//! for the event handler to begin.

use crate::{
    domain::{Refusal, password, profile},
    items::{self, EmailOwner, Member, MembershipState, Requested},
    personal,
};
use contract::{Call, Context, Problem};
use events::membership::MembershipKind;
use kernel::{Id, id::MembershipId};
use schemars::JsonSchema;
use serde::Deserialize;
use store::{CommitError, Condition, Write, seal::ServiceKey};

/// How often a commit is tried that another transaction was in the way of.
const TRIES: u32 = 4;

/// Who wants to become a member.
// No Debug, so that it cannot be logged.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterMembership {
    /// The name of the person or company.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// The email: one email, one member, however it is capitalised.
    #[schemars(length(max = 254), email)]
    pub email: String,
    /// The password.
    #[schemars(length(min = 8, max = 128))]
    pub password: String,
    /// The address in Korea; it must name its province or city.
    #[schemars(length(min = 1, max = 200))]
    pub address: String,
    /// Person or company.
    pub kind: MembershipKind,
}

/// What became of a registration.
pub enum Outcome {
    /// It was stored now.
    Stored(Member),
    /// It had been stored by the same request before.
    Repeated(Member),
}

/// Stores a registration in this state, or finds that the same request has stored it already.
pub async fn store(
    context: &Context,
    call: &Call<RegisterMembership>,
    key: &ServiceKey,
    state: MembershipState,
) -> Result<Outcome, Problem> {
    let input = &call.body;
    let profile = profile::check(&input.name, &input.email, &input.address, &input.password)?;
    let id = membership_id(context, call, key);
    let fingerprint = call.idempotency_key.as_ref().map(|_| key.blind("request", &call.fingerprint));
    let email_index = personal::email_index(key, &profile.email);
    // Asked before the password is hashed, so that a repetition costs no more than a read.
    if fingerprint.is_some()
        && let Some(known) = items::load(&*context.table, &items::member_key(&id.to_string())).await?
    {
        return Ok(repeated(known, fingerprint.as_deref())?);
    }
    let owner: Option<EmailOwner> = items::load(&*context.table, &EmailOwner::key_of(&email_index)).await?;
    if let Some(owner) = owner {
        if owner.membership_id != id {
            return Err(Refusal::EmailTaken.into());
        }
        // The same request at the same time has taken it, since the member was looked for.
        let known = items::load(&*context.table, &items::member_key(&id.to_string())).await?;
        let known = known.ok_or_else(|| Problem::unavailable("an email's owner is not there"))?;
        return Ok(repeated(known, fingerprint.as_deref())?);
    }
    let traceparent = call.trace.traceparent().to_owned();
    let request = Member {
        membership_id: id,
        state: MembershipState::Requested,
        kind: input.kind,
        personal: Some(personal::seal(context, key, id, &profile)?),
        email_index: Some(email_index.clone()),
        region: profile.address.region.to_owned(),
        password_hash: Some(password::hash(&input.password, context.random()).map_err(Problem::internal)?),
        operator: false,
        email_changes: None,
        version: 1,
        fingerprint,
        requested: None,
        registered: None,
        modified: None,
        closings: 0,
        closing: None,
        closed: None,
        traceparent: traceparent.clone(),
    };
    let member = match state {
        MembershipState::Active => request.activated(call.now, &traceparent),
        _ => Member { requested: Some(Requested { at: call.now, traceparent }), ..request },
    };
    commit(context, member, EmailOwner { email_index, membership_id: id }).await
}

async fn commit(context: &Context, member: Member, owner: EmailOwner) -> Result<Outcome, Problem> {
    let writes = [Write::put(&member, Condition::Absent)?, Write::put(&owner, Condition::Absent)?];
    for _ in 0..TRIES {
        match context.table.commit(&writes).await {
            Ok(()) => return Ok(Outcome::Stored(member)),
            Err(CommitError::Contended) => {}
            Err(error @ CommitError::Unavailable(_)) => return Err(error.into()),
            Err(error @ CommitError::Refused(_)) => {
                // The same request at the same time is asked for first: it has taken the email too.
                let Some(found) = error.found(0) else { return Err(Refusal::EmailTaken.into()) };
                return Ok(repeated(store::read(found.clone())?, member.fingerprint.as_deref())?);
            }
        }
    }
    Err(Problem::unavailable("other transactions were in the way"))
}

/// The member that the same request made; the key of another request made another.
fn repeated(known: Member, fingerprint: Option<&str>) -> Result<Outcome, Refusal> {
    if known.fingerprint.is_some() && known.fingerprint.as_deref() == fingerprint {
        Ok(Outcome::Repeated(known))
    } else {
        Err(Refusal::KeyReused)
    }
}

/// Derived from operation and key, so that the member is the idempotency record. Everybody who registers is the same
/// unknown caller, so the id is blinded: whoever guesses a key does not know an id.
fn membership_id(context: &Context, call: &Call<RegisterMembership>, key: &ServiceKey) -> MembershipId {
    match &call.idempotency_key {
        None => context.random_id(),
        Some(idempotency_key) => {
            let blinded = key.blind("registration", idempotency_key.as_str());
            Id::derive(&[&call.caller.to_string(), &call.operation, &blinded])
        }
    }
}
