//! Advances members who are leaving: one by a delayed message, or, on a slow schedule, all that were forgotten.
//!
//! The relay sends the message whenever it sees a member on the way out, so no index is needed. The schedule's scan is
//! for what even that has lost; it goes on by a message to this operation's own queue.

use crate::{
    closing,
    items::{self, Member},
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{KeyName, Scan},
    peers::CLOSE_MEMBER_MONEY,
};
use events::{Fact, membership::MembershipClosed};
use kernel::id::MembershipId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Record, kind_of};

/// The operation's full name.
pub const NAME: &str = "membership.sweepMemberships";

/// A try that is younger is left to whoever began it.
const OVERDUE_SECONDS: i64 = 60;

/// sweepMemberships
pub const OPERATION: Operation = Operation {
    name: "sweepMemberships",
    summary: "Goes on with memberships that are being closed",
    triggers: &[Trigger::Queue, Trigger::Schedule("rate(1 hour)")],
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ScanTable, Grant::Enqueue(NAME)],
    calls: &[CLOSE_MEMBER_MONEY.operation],
    emits: &[MembershipClosed::TYPE],
    timeout_seconds: 60,
    ..handled_by!(sweep_memberships)
};

/// What to sweep: one member, or the table from a place on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sweep {
    /// The one member.
    pub membership_id: Option<MembershipId>,
    /// Where the run before ended.
    pub after: Option<KeyName>,
}

/// What was swept.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// How many members were on the way out.
    pub advanced: u32,
}

async fn sweep_memberships(context: &Context, call: Call<Sweep>) -> Result<Reply<Swept>, Problem> {
    let mut advanced = 0_u32;
    if let Some(id) = call.body.membership_id {
        let member: Option<Member> =
            items::load(&*context.table, &items::member_key(&id.to_string())).await?;
        if let Some(member) = member {
            advanced = advanced.saturating_add(advance(context, &call, member).await?);
        }
        return Ok(Reply::ok(Swept { advanced }));
    }
    let mut scan = Scan::after(call.body.after.as_ref());
    while let Some(items) = scan.page(context).await? {
        for item in items.into_iter().filter(|item| kind_of(item) == Member::KIND) {
            let member: Member = store::read(item)?;
            let since = member.closing.as_ref().map(|closing| closing.birth.plus_seconds(OVERDUE_SECONDS));
            if since.is_some_and(|since| since < call.now) {
                advanced = advanced.saturating_add(advance(context, &call, member).await?);
            }
        }
    }
    scan.go_on(context, NAME, &call.trace).await?;
    Ok(Reply::ok(Swept { advanced }))
}

/// Advances a member if they are on the way out; says how many that were.
async fn advance(context: &Context, call: &Call<Sweep>, member: Member) -> Result<u32, Problem> {
    let Some(closing) = member.closing.clone() else { return Ok(0) };
    closing::advance(context, call, member, &closing).await?;
    Ok(1)
}
