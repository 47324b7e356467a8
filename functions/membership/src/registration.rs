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
use store::{
    CommitError, Condition, Write,
    seal::{self, ServiceKey},
};

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
    let request = call.idempotency_key.as_ref().map(|_| Request::of(call, key));
    let email_index = personal::email_index(key, &profile.email);
    if let Some(request) = &request
        && let Some(known) = items::load(&*context.table, &items::member_key(&id.to_string())).await?
    {
        return Ok(request.repeated(known)?);
    }
    let owner: Option<EmailOwner> = items::load(&*context.table, &EmailOwner::key_of(&email_index)).await?;
    // An owner of this very id is the same request at the same time: the commit will find its member.
    if owner.is_some_and(|owner| owner.membership_id != id) {
        return Err(Refusal::EmailTaken.into());
    }
    let traceparent = call.trace.traceparent().to_owned();
    let requested = Member {
        membership_id: id,
        state: MembershipState::Requested,
        kind: input.kind,
        personal: Some(personal::seal(context, key, id, &profile)?),
        email_index: Some(email_index.clone()),
        region: profile.address.region.to_owned(),
        password_hash: Some(password::hash(&input.password, context.random()).map_err(Problem::internal)?),
        operator: false,
        sessions_from: None,
        email_changes: None,
        version: 1,
        fingerprint: request.as_ref().map(|request| request.fingerprint.clone()),
        requested: None,
        registered: None,
        modified: None,
        closings: 0,
        closing: None,
        closed: None,
        traceparent: traceparent.clone(),
    };
    let member = match state {
        MembershipState::Active => requested.activated(call.now, &traceparent),
        _ => Member { requested: Some(Requested { at: call.now, traceparent }), ..requested },
    };
    commit(context, member, EmailOwner { email_index, membership_id: id }, request.as_ref()).await
}

async fn commit(
    context: &Context,
    member: Member,
    owner: EmailOwner,
    request: Option<&Request<'_>>,
) -> Result<Outcome, Problem> {
    let writes = [Write::put(&member, Condition::Absent)?, Write::put(&owner, Condition::Absent)?];
    for _ in 0..TRIES {
        match context.table.commit(&writes).await {
            Ok(()) => return Ok(Outcome::Stored(member)),
            Err(CommitError::Contended) => {}
            Err(error @ CommitError::Unavailable(_)) => return Err(error.into()),
            Err(error @ CommitError::Refused(_)) => {
                // The same request at the same time is asked for first: it has taken the email too.
                let Some(found) = error.found(0) else { return Err(Refusal::EmailTaken.into()) };
                let found: Member = store::read(found.clone())?;
                return match request {
                    // The answer to this very commit was lost, and its repetition by the SDK has found it.
                    _ if found == member => Ok(Outcome::Stored(member)),
                    Some(request) => Ok(request.repeated(found)?),
                    None => Err(Refusal::KeyReused.into()),
                };
            }
        }
    }
    Err(Problem::unavailable("other transactions were in the way"))
}

/// A request under a key, as its repetition is known.
struct Request<'a> {
    /// What is stored of it: blinded, and without the password. A fast hash with the password in it would be a way
    /// around the slow one that lies beside it, for whoever gets hold of table and service key.
    fingerprint: String,
    /// What was stored before, with the password: members of that time keep it.
    former: String,
    /// Compared with the slow hash, at its cost.
    password: &'a str,
}

impl Request<'_> {
    fn of<'a>(call: &'a Call<RegisterMembership>, key: &ServiceKey) -> Request<'a> {
        let RegisterMembership { name, email, password, address, kind } = &call.body;
        let kind = match kind {
            MembershipKind::Personal => "personal",
            MembershipKind::Corporate => "corporate",
        };
        let told = seal::digest(&[name, email, address, kind]);
        Request {
            fingerprint: key.blind("registration request", &told),
            former: key.blind("request", &call.fingerprint),
            password,
        }
    }

    /// The member that the same request made; the key of another request made another.
    fn repeated(&self, known: Member) -> Result<Outcome, Refusal> {
        let is_same = match known.fingerprint.as_deref() {
            Some(stored) if stored == self.fingerprint => {
                password::verify(self.password, known.password_hash.as_deref())
            }
            Some(stored) => stored == self.former,
            None => false,
        };
        if is_same { Ok(Outcome::Repeated(known)) } else { Err(Refusal::KeyReused) }
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
