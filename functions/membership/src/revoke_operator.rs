//! Called by Pay's own people through IAM: takes the rights of an operator away, and ends all of the member's sessions.
//!
//! Whoever holds the operator's tokens holds the sessions too, so these end with the rights: refresh tokens at once,
//! access tokens within their ten minutes at the gateway, and at once where somebody asks validateJwtToken. The
//! member stays one and may log in again. Asking again for one who is no operator changes nothing.

use crate::{
    operators::{self, ByEmail, Rights},
    personal,
};
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by, problem::NOT_FOUND};

/// revokeOperator
pub const OPERATION: Operation = Operation {
    name: "revokeOperator",
    summary: "Takes the rights of an operator from a member and ends the member's sessions",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(personal::SECRET)],
    refuses: &[&NOT_FOUND],
    ..handled_by!(revoke_operator)
};

/// Also of one who is leaving: if the wallet cannot be closed, the member is one as before.
async fn revoke_operator(context: &Context, call: Call<ByEmail>) -> Result<Reply<Rights>, Problem> {
    operators::change(context, &call.body, |member| {
        Ok(member.operator.then(|| member.clone().revoked(call.now, call.trace.traceparent())))
    })
    .await
}
