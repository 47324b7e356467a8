//! Frees what is held. Called by other services; it has no route.
//!
//! A caller that gives up may not know whether its hold was made: the answer may be lost, or the hold may still be on
//! its way. So a hold that is not there is released too, by an entry without an amount; if it comes later, it is
//! refused.

use crate::{domain::Step, holds, refusals};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{HoldEntry, ReleaseOrder},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "releaseHold",
    summary: "Frees held money",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    refuses: &[&refusals::OTHER_TERMS, &refusals::BORN_LATER],
    ..handled_by!(release_hold)
};

async fn release_hold(context: &Context, call: Call<ReleaseOrder>) -> Result<Reply<HoldEntry>, Problem> {
    holds::take(context, &call, call.body.membership_id, Step::ReleaseHold, None).await
}
