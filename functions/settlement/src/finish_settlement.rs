//! A step of the state machine: closes a run, and says what of it is pending or failed.
//!
//! Lines that are still open are completed later, each for itself. But a run in which a franchise is still to be
//! settled is not closed: the sweeper begins its next attempt.

use crate::{
    entries,
    items::{Ended, Run, RunState},
    runs,
};
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by};
use events::{Fact, settlement::SettlementFinished};
use kernel::SeoulDay;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "finishSettlement",
    summary: "Closes a run whose franchises are settled",
    triggers: &[Trigger::Step],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    emits: &[SettlementFinished::TYPE],
    timeout_seconds: 60,
    ..handled_by!(finish_settlement)
};

/// Which run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// Its day.
    pub business_day: SeoulDay,
}

/// Nothing: the run tells.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Finished {}

async fn finish_settlement(context: &Context, call: Call<Order>) -> Result<Reply<Finished>, Problem> {
    let run = runs::find(context, &call.body.business_day).await?;
    let Some(run) = run.filter(|run| !run.is_final()) else { return Ok(Reply::ok(Finished {})) };
    let tally = entries::tally(context, &run.business_day).await?;
    if tally.due > 0 {
        tracing::error!(about = %run.business_day, "an attempt at a run has left franchises due");
        return Ok(Reply::ok(Finished {}));
    }
    let ended = Ended {
        settled: tally.done,
        pending: tally.open,
        failed: tally.failed,
        paid_out: tally.paid_out.above_zero(),
        at: call.now.max(run.started_at),
    };
    let saved = runs::save(context, Run { state: RunState::Finished, ended: Some(ended), ..run }).await?;
    // Somebody has begun the next attempt meanwhile: that one finishes it.
    if !saved.is_final() {
        return Err(Problem::unavailable("the run has changed meanwhile"));
    }
    Ok(Reply::ok(Finished {}))
}
