//! `PATCH /v1/memberships/{membershipId}`: changes name, email or address.
//!
//! What is not given stays as it is; a change of region leaves an item behind that tells it for ever. A change of email
//! gives back the old one and takes the new one in the same commit, so that one email stays one member. Whether an
//! email is taken is told five times a day: each time is counted in the member's own item, by the commit that takes
//! the email or by one before it is refused. Without If-Match, a change made at the same time is kept beside this one;
//! with it, the version must be the one that the caller has seen.

use crate::{
    answers::Membership,
    domain::{Refusal, email_changes, lockout::Wait, profile, profile::Changes},
    items::{self, EmailOwner, Member, Modified, Move},
    personal::{self, Field, SealedPersonal},
    refusals,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, call::given, handled_by,
    problem,
};
use events::{Fact, membership::MembershipModified};
use kernel::id::MembershipId;
use schemars::JsonSchema;
use serde::Deserialize;
use store::{CommitError, Condition, Write, seal::ServiceKey};

/// How often it is decided again because somebody else changed the member first.
const TRIES: u32 = 4;

/// modifyMembership
pub const OPERATION: Operation = Operation {
    name: "modifyMembership",
    summary: "Changes a member's name, email or address",
    triggers: &[Trigger::Route(Method::Patch, "/v1/memberships/{membershipId}")],
    access: Access::Scopes(&[Scope::Member]),
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(personal::SECRET)],
    emits: &[MembershipModified::TYPE],
    refuses: &[
        &problem::NOT_FOUND,
        &problem::PRECONDITION_FAILED,
        &refusals::EMAIL_TAKEN,
        &refusals::TOO_MANY_EMAIL_CHANGES,
    ],
    ..handled_by!(modify_membership)
};

/// What to change: only what is given.
// No Debug, so that it cannot be logged.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModifyMembership {
    /// Whose membership.
    pub membership_id: MembershipId,
    /// A new name.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String", length(min = 1, max = 100))]
    pub name: Option<String>,
    /// A new email.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String", length(max = 254), email)]
    pub email: Option<String>,
    /// A new address.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String", length(min = 1, max = 200))]
    pub address: Option<String>,
}

async fn modify_membership(
    context: &Context,
    call: Call<ModifyMembership>,
) -> Result<Reply<Membership>, Problem> {
    let input = &call.body;
    call.caller.owns(input.membership_id)?;
    let changes =
        profile::check_changes(input.name.as_deref(), input.email.as_deref(), input.address.as_deref())?;
    let key = context.service_key(personal::SECRET).await?;
    for _ in 0..TRIES {
        let member = items::active_member(&*context.table, input.membership_id).await?;
        let member = member.ok_or(&problem::NOT_FOUND)?;
        if !call.may_change(member.version) {
            return Err(Refusal::Changed.into());
        }
        let Some(modified) = modify(context, &call, &key, &member, &changes)? else {
            return Membership::reply(&member, &key);
        };
        match context.table.commit(&writes(&member, &modified)?).await {
            Ok(()) => return Membership::reply(&modified, &key),
            Err(error @ CommitError::Unavailable(_)) => return Err(error.into()),
            Err(error) if error.is_repetition(0, &modified) => return Membership::reply(&modified, &key),
            // If the member is still as it was read, only the new email, which comes second, stands in the way: the
            // place of a move is free as long as the version that it makes is.
            Err(error) if error.found(0).is_none() && error.found(1).is_some() => {
                if count(context, member, &modified).await? {
                    return Err(Refusal::EmailTaken.into());
                }
            }
            Err(_) => {}
        }
    }
    Err(Problem::unavailable("the member kept changing"))
}

/// Counts a change of email that is refused; not, if the member was changed meanwhile: then it is decided again.
async fn count(context: &Context, member: Member, modified: &Member) -> Result<bool, Problem> {
    let unchanged = Condition::number("version", member.version);
    let counted = member.refused_email(modified.email_changes);
    match context.table.commit(&[Write::put(&counted, unchanged)?]).await {
        Ok(()) => Ok(true),
        // What another question has counted at the same time looks like this very count, and must not be taken for it.
        Err(error) if error.is_collision() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The member with the changes, or none if there is nothing to change.
fn modify(
    context: &Context,
    call: &Call<ModifyMembership>,
    key: &ServiceKey,
    member: &Member,
    changes: &Changes,
) -> Result<Option<Member>, Problem> {
    let id = member.membership_id;
    let sealed = member.personal.clone().ok_or_else(|| Problem::internal("a member without a name"))?;
    let old = personal::open(key, id, &sealed)?;
    let data_key = key.unwrap(&id.to_string(), &sealed.data_key).map_err(Problem::internal)?;
    let changed = |field: Field, old: &str, new: Option<&str>| -> Result<Option<String>, Problem> {
        let new = new.filter(|new| *new != old);
        new.map(|new| personal::seal_field(context, &data_key, field, new)).transpose()
    };
    let name = changed(Field::Name, &old.name, changes.name.as_deref())?;
    let email = changed(Field::Email, &old.email, changes.email.as_ref().map(|email| email.as_str()))?;
    let new_address = changes.address.as_ref().map(|address| address.text.as_str());
    let address = changed(Field::Address, &old.address, new_address)?;
    if name.is_none() && email.is_none() && address.is_none() {
        return Ok(None);
    }
    let version = member.version.saturating_add(1);
    let traceparent = call.trace.traceparent().to_owned();
    let new_region = changes.address.as_ref().map(|address| address.region.to_owned());
    let region = new_region.unwrap_or_else(|| member.region.clone());
    let at = call.now.max(member.changed_at());
    let moved = region != member.region;
    let email_index = match &changes.email {
        Some(email) => Some(personal::email_index(key, email)),
        None => member.email_index.clone(),
    };
    // Other capitals are the same address, and tell nothing of anybody else's.
    let email_changes = if email_index == member.email_index {
        member.email_changes
    } else {
        let changes = email_changes::admit(member.email_changes, call.now);
        Some(changes.map_err(|Wait(seconds)| Refusal::EmailChanged(seconds))?)
    };
    Ok(Some(Member {
        personal: Some(SealedPersonal {
            data_key: sealed.data_key,
            name: name.unwrap_or(sealed.name),
            email: email.unwrap_or(sealed.email),
            address: address.unwrap_or(sealed.address),
        }),
        email_index,
        email_changes,
        region,
        version,
        modified: Some(Modified { at, version, moved, traceparent: traceparent.clone() }),
        traceparent,
        ..member.clone()
    }))
}

/// The member at the version that was read; for a new email, its owner and the end of the old one's; and for a new
/// region the move.
fn writes(member: &Member, modified: &Member) -> Result<Vec<Write>, Problem> {
    let mut writes = vec![Write::put(modified, Condition::number("version", member.version))?];
    if let (Some(old), Some(new)) = (&member.email_index, &modified.email_index)
        && old != new
    {
        let membership_id = member.membership_id;
        let owner = EmailOwner { email_index: new.clone(), membership_id };
        let own = Condition::text("membershipId", membership_id.to_string());
        writes.push(Write::put(&owner, Condition::Absent)?);
        writes.push(Write::Delete(EmailOwner::key_of(old), own));
    }
    if let Some(Modified { at, version, moved: true, traceparent }) = modified.modified.clone() {
        let (membership_id, region) = (modified.membership_id, modified.region.clone());
        let moved = Move { membership_id, region, version, at, traceparent };
        writes.push(Write::put(&moved, Condition::Absent)?);
    }
    Ok(writes)
}
