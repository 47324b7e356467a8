//! Advances members who are leaving: one by a delayed message, or, on a slow schedule, all that were forgotten.
//!
//! The relay sends the message whenever it sees a member on the way out, so no index is needed. The schedule's scan
//! finds members whose message was lost; it goes on by a message to this operation's own queue.

use crate::{
    closing,
    facts::OUTBOX,
    items::{self, Closing, Member},
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, KeyName},
    peers::CLOSE_MEMBER_MONEY,
};
use events::{Fact, membership::MembershipClosed};
use kernel::id::MembershipId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The operation's full name.
pub const NAME: &str = "membership.sweepMemberships";

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
    /// How often money had been asked in vain when the message was sent. If it was since, this one is not needed.
    pub attempts: Option<u32>,
    /// Where the run before ended.
    pub after: Option<KeyName>,
}

/// What was swept.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// How many members were on the way out and were gone on with.
    pub advanced: u32,
    /// How many messages were sent for members who were forgotten, if it was for these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued: Option<u32>,
}

async fn sweep_memberships(context: &Context, call: Call<Sweep>) -> Result<Reply<Swept>, Problem> {
    let Sweep { membership_id, attempts, after } = &call.body;
    let Some(id) = membership_id else {
        let queued = outbox::sweep(context, &call, &OUTBOX, NAME, after.as_ref()).await?;
        return Ok(Reply::ok(Swept { advanced: 0, queued: Some(queued) }));
    };
    let member: Option<Member> = items::load(&*context.table, &items::member_key(&id.to_string())).await?;
    let leaving = member.and_then(|member| member.closing.clone().map(|closing| (member, closing)));
    let is_due = |closing: &Closing| !outbox::is_overtaken(*attempts, closing.asked);
    let advanced = match leaving.filter(|(_, closing)| is_due(closing)) {
        Some((member, closing)) => {
            closing::advance(context, &call, member, &closing).await?;
            1
        }
        None => 0,
    };
    Ok(Reply::ok(Swept { advanced, queued: None }))
}
