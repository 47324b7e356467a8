//! A step of the state machine: carries a recorded line out as far as it will go now.
//!
//! A line that waits for the bank stays open: the bank's fact, or the sweeper, completes it.

use crate::lines;
use contract::{Call, Context, Operation, Problem, Reply, Trigger, handled_by};
use kernel::{SeoulDay, id::SettlementId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "payOutSettlement",
    summary: "Takes the fee of a settlement and submits its pay-out",
    triggers: &[Trigger::Step],
    ..lines::advances(handled_by!(pay_out_settlement))
};

/// Which line.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// The run's day.
    #[allow(dead_code, reason = "the state machine passes it to every step")]
    pub business_day: SeoulDay,
    /// What recordSettlement has answered.
    #[serde(default)]
    pub settlement_id: Option<SettlementId>,
}

/// Nothing: the line tells.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Advanced {}

async fn pay_out_settlement(context: &Context, call: Call<Order>) -> Result<Reply<Advanced>, Problem> {
    if let Some(id) = call.body.settlement_id
        && let Some(line) = lines::find(context, id).await?
    {
        lines::advance(context, &call, line).await?;
    }
    Ok(Reply::ok(Advanced {}))
}
