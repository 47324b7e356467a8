//! What grantOperator and revokeOperator share: a member who is found by email and changed.

use crate::{
    answers::location,
    domain::email::Email,
    items::{self, EmailOwner, Member},
    personal,
};
use contract::{Context, Problem, Reply, Scope, problem::NOT_FOUND};
use kernel::id::MembershipId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Condition, Write};

/// How often it is tried again because the member was changed at the same time.
const TRIES: u32 = 4;

/// Whom.
// No Debug, so that it cannot be logged.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ByEmail {
    /// The member's email.
    #[schemars(length(max = 254), email)]
    pub email: String,
}

/// What a member may do now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rights {
    /// The member.
    pub membership_id: MembershipId,
    /// What the next access token allows.
    pub scopes: Vec<Scope>,
}

/// Changes the member with this email at the version that was loaded. `decide` says how, or that there is nothing to
/// change, or nobody whom it could be done to.
pub async fn change(
    context: &Context,
    by: &ByEmail,
    decide: impl Fn(&Member) -> Result<Option<Member>, Problem>,
) -> Result<Reply<Rights>, Problem> {
    let email = Email::parse(&by.email)?;
    let key = context.service_key(personal::SECRET).await?;
    let owner_key = EmailOwner::key_of(&personal::email_index(&key, &email));
    for _ in 0..TRIES {
        let owner: Option<EmailOwner> = items::load(&*context.table, &owner_key).await?;
        let id = owner.ok_or(&NOT_FOUND)?.membership_id;
        let member: Option<Member> =
            items::load(&*context.table, &items::member_key(&id.to_string())).await?;
        let member = member.ok_or(&NOT_FOUND)?;
        let Some(changed) = decide(&member)? else { return Ok(rights(&member)) };
        let write = Write::put(&changed, Condition::number("version", member.version))?;
        match context.table.commit(&[write]).await {
            Ok(()) => return Ok(rights(&changed)),
            Err(error) if error.is_collision() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("the member kept changing"))
}

fn rights(member: &Member) -> Reply<Rights> {
    let body = Rights { membership_id: member.membership_id, scopes: member.scopes() };
    Reply { location: Some(location(member.membership_id)), ..Reply::ok(body) }
}
