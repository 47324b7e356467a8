//! Called by Pay's own people through IAM (`make operator EMAIL=…`): makes a member an operator.
//!
//! It has no route, so that no token can ever make another one. The member's next login or exchange carries the
//! scope.

use crate::{
    answers::location,
    domain::email::Email,
    items::{self, EmailOwner, Member},
    personal,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Scope, Trigger, handled_by, problem::NOT_FOUND,
};
use kernel::id::MembershipId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{CommitError, Condition, Write};

/// How often it is tried again because the member was changed at the same time.
const TRIES: u32 = 4;

/// grantOperator
pub const OPERATION: Operation = Operation {
    name: "grantOperator",
    summary: "Makes a member an operator",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(personal::SECRET)],
    refuses: &[&NOT_FOUND],
    ..handled_by!(grant_operator)
};

/// Whom.
// No Debug, so that it cannot be logged.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrantOperator {
    /// The member's email.
    #[schemars(length(max = 254), email)]
    pub email: String,
}

/// Who is an operator now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// The member.
    pub membership_id: MembershipId,
    /// What the next access token allows.
    pub scopes: Vec<Scope>,
}

async fn grant_operator(context: &Context, call: Call<GrantOperator>) -> Result<Reply<Granted>, Problem> {
    let email = Email::parse(&call.body.email)?;
    let key = context.service_key(personal::SECRET).await?;
    let owner_key = EmailOwner::key_of(&personal::email_index(&key, &email));
    for _ in 0..TRIES {
        let owner: Option<EmailOwner> = items::load(&*context.table, &owner_key).await?;
        let id = owner.ok_or(&NOT_FOUND)?.membership_id;
        let member = items::active_member(&*context.table, id).await?.ok_or(&NOT_FOUND)?;
        if member.operator {
            return Ok(granted(&member));
        }
        let loaded = member.version;
        let traceparent = call.trace.traceparent().to_owned();
        let member = Member { operator: true, version: loaded.saturating_add(1), traceparent, ..member };
        let write = Write::put(&member, Condition::number("version", loaded))?;
        match context.table.commit(&[write]).await {
            Ok(()) => return Ok(granted(&member)),
            Err(error @ CommitError::Unavailable(_)) => return Err(error.into()),
            Err(_) => {}
        }
    }
    Err(Problem::unavailable("the member kept changing"))
}

fn granted(member: &Member) -> Reply<Granted> {
    let body = Granted { membership_id: member.membership_id, scopes: member.scopes() };
    Reply { location: Some(location(member.membership_id)), ..Reply::ok(body) }
}
