//! Called by money's auditLedger: looks through membership's table, a page at a time.
//!
//! One email is one member: every member owns the email that the profile says, and every owner of an email is a
//! member whose profile says so. Whoever has left owns none, and nothing tells who they were.

use crate::items::{EmailOwner, Member, MembershipState, member_key};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger,
    audit::{self, AuditPage, Audited, Finding, Inspection},
    handled_by,
};
use store::{Item, Record, kind_of};

/// auditMembership
pub const OPERATION: Operation = Operation {
    name: "auditMembership",
    summary: "Checks membership's table",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::ScanTable],
    timeout_seconds: 30,
    ..handled_by!(audit_membership)
};

/// How often what does not fit is read again: an email may change between two reads.
const TRIES: u32 = 3;

async fn audit_membership(context: &Context, call: Call<AuditPage>) -> Result<Reply<Audited>, Problem> {
    let mut inspection = Inspection::looking_up(&call.body);
    while let Some(items) = inspection.items(context).await? {
        for item in items {
            inspection.find(audit(context, &item).await?);
        }
    }
    Ok(Reply::ok(inspection.end()))
}

async fn audit(context: &Context, item: &Item) -> Result<Option<Finding>, Problem> {
    let mut found = None;
    for _ in 0..TRIES {
        found = match kind_of(item) {
            Member::KIND => match audit::readable(item) {
                Ok(member) => hold_to_email(context, member).await?,
                Err(finding) => Some(finding),
            },
            EmailOwner::KIND => match audit::readable(item) {
                Ok(owner) => hold_to_member(context, owner).await?,
                Err(finding) => Some(finding),
            },
            _ => None,
        };
        if found.is_none() {
            break;
        }
    }
    Ok(found)
}

async fn hold_to_email(context: &Context, scanned: Member) -> Result<Option<Finding>, Problem> {
    let member: Option<Member> = audit::find(context, &scanned.key()).await?;
    let Some(member) = member else { return Ok(None) };
    let subject = member.membership_id.to_string();
    let has_left = member.state == MembershipState::Closed;
    if has_left == (member.personal.is_some() || member.password_hash.is_some()) {
        let detail = "whoever has left is forgotten, and nobody else is";
        return Ok(Some(Finding::new("not_forgotten", subject, detail)));
    }
    let owner = match &member.email_index {
        Some(email_index) => audit::find(context, &EmailOwner::key_of(email_index)).await?,
        None if has_left => return Ok(None),
        None => None,
    };
    let is_own = owner.is_some_and(|owner: EmailOwner| owner.membership_id == member.membership_id);
    Ok((!is_own)
        .then(|| Finding::new("email_not_owned", subject, "the member's email is another's or nobody's")))
}

async fn hold_to_member(context: &Context, scanned: EmailOwner) -> Result<Option<Finding>, Problem> {
    let owner: Option<EmailOwner> = audit::find(context, &scanned.key()).await?;
    let Some(owner) = owner else { return Ok(None) };
    let key = member_key(&owner.membership_id.to_string());
    let member: Option<Member> = audit::find(context, &key).await?;
    let is_own = member.is_some_and(|member| member.email_index.as_ref() == Some(&owner.email_index));
    let subject = owner.membership_id.to_string();
    Ok((!is_own)
        .then(|| Finding::new("email_without_member", subject, "owns an email that is not the profile's")))
}
