//! `GET /v1/money/requests/{moneyRequestId}`: how far a recharge or withdrawal is.

use crate::money_requests;
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    peers::MoneyRequestView, problem,
};
use kernel::id::MoneyRequestId;
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findMoneyRequest",
    summary: "Shows how far a recharge or withdrawal is",
    triggers: &[Trigger::Route(Method::Get, "/v1/money/requests/{moneyRequestId}")],
    access: Access::Scopes(&[Scope::Member]),
    grants: &[Grant::ReadTable],
    refuses: &[&problem::NOT_FOUND],
    ..handled_by!(find_money_request)
};

/// Which one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// The recharge or withdrawal.
    pub money_request_id: MoneyRequestId,
}

async fn find_money_request(
    context: &Context,
    call: Call<Question>,
) -> Result<Reply<MoneyRequestView>, Problem> {
    let record =
        money_requests::find(context, call.body.money_request_id).await?.ok_or(&problem::NOT_FOUND)?;
    call.caller.owns(record.membership_id)?;
    Ok(Reply::ok(MoneyRequestView::from(&record)))
}
