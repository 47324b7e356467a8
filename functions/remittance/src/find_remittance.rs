//! `GET /v1/remittances/{remittanceId}`: how far a remittance is.
//!
//! Its sender sees all of it; its receiver sees it once it has arrived. For everybody else it is not there.

use crate::{answers::RemittanceView, remittances};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by, problem,
};
use kernel::id::RemittanceId;
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findRemittance",
    summary: "Shows a remittance to its sender, or, once it has arrived, to its receiver",
    triggers: &[Trigger::Route(Method::Get, "/v1/remittances/{remittanceId}")],
    access: Access::Scopes(&[Scope::Member]),
    grants: &[Grant::ReadTable],
    refuses: &[&problem::NOT_FOUND],
    ..handled_by!(find_remittance)
};

/// Which one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// The remittance.
    pub remittance_id: RemittanceId,
}

async fn find_remittance(context: &Context, call: Call<Question>) -> Result<Reply<RemittanceView>, Problem> {
    let reader = call.caller.member()?;
    let record = remittances::find(context, call.body.remittance_id).await?.ok_or(&problem::NOT_FOUND)?;
    if record.was_received_by(reader) {
        return Ok(Reply::ok(RemittanceView::received(&record)));
    }
    call.caller.owns(record.membership_id)?;
    Ok(Reply::ok(RemittanceView::sent(&record)))
}
