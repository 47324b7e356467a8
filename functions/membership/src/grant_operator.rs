//! Called by Pay's own people through IAM (`make operator EMAIL=…`): makes a member an operator.
//!
//! It has no route, so that no token can ever make another one. The member's next login or exchange carries the
//! scope.

use crate::{
    items::MembershipState,
    operators::{self, ByEmail, Rights},
    personal,
};
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by, problem::NOT_FOUND};

/// grantOperator
pub const OPERATION: Operation = Operation {
    name: "grantOperator",
    summary: "Makes a member an operator",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(personal::SECRET)],
    refuses: &[&NOT_FOUND],
    ..handled_by!(grant_operator)
};

async fn grant_operator(context: &Context, call: Call<ByEmail>) -> Result<Reply<Rights>, Problem> {
    operators::change(context, &call.body, |member| {
        if member.state != MembershipState::Active {
            return Err((&NOT_FOUND).into());
        }
        Ok((!member.operator).then(|| member.clone().granted(call.trace.traceparent())))
    })
    .await
}
