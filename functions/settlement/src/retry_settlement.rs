//! `POST /v1/settlements/{settlementId}/retry`: tries to pay a failed settlement out again, to the franchise's
//! account as it is now.
//!
//! A run's day tries all of its failed settlements, in the background. Nothing failed is nothing to do. The bank has
//! certainly not moved what failed, so another attempt, under a reference of its own, pays nobody twice.

use crate::{
    answers::{AnySettlement, LineView, Name},
    entries,
    find_settlement::run_view,
    items::{SHARDS, location},
    lines, retries, runs, sweep_settlements,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    peers::{FIND_FRANCHISE_TERMS, FINISH_PAYMENTS, REQUEST_FIRMBANKING, TRANSFER_MONEY},
    problem,
};
use kernel::{SeoulDay, id::SettlementId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "retrySettlement",
    summary: "Tries to pay failed settlements out again",
    triggers: &[Trigger::Route(Method::Post, "/v1/settlements/{settlementId}/retry")],
    access: Access::Scopes(&[Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::Enqueue(sweep_settlements::NAME)],
    calls: &[
        TRANSFER_MONEY.operation,
        FINISH_PAYMENTS.operation,
        REQUEST_FIRMBANKING.operation,
        FIND_FRANCHISE_TERMS.operation,
    ],
    answers: &[200, 202],
    refuses: &[&problem::NOT_FOUND],
    idempotent: true,
    timeout_seconds: 20,
    ..lines::advances(handled_by!(retry_settlement))
};

/// Which one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// The settlement's id, or the run's business day.
    pub settlement_id: Name,
}

async fn retry_settlement(context: &Context, call: Call<Order>) -> Result<Reply<AnySettlement>, Problem> {
    let retry_id: SettlementId = call.derived_id()?;
    match &call.body.settlement_id {
        Name::Line(id) => retry_line(context, &call, *id, retry_id).await,
        Name::Run(day) => retry_run(context, &call, day, retry_id).await,
    }
}

async fn retry_line(
    context: &Context,
    call: &Call<Order>,
    id: SettlementId,
    retry_id: SettlementId,
) -> Result<Reply<AnySettlement>, Problem> {
    let line = lines::find(context, id).await?.ok_or(&problem::NOT_FOUND)?;
    let is_known = retries::request(context, call, retry_id).await?;
    let line = retries::retry(context, call, line, retry_id).await?;
    let view = AnySettlement::Line(LineView::of(&line)?);
    let reply =
        if line.is_final() { Reply::ok(view) } else { Reply::accepted(location(line.settlement_id()), view) };
    Ok(if is_known { reply.replayed() } else { reply })
}

async fn retry_run(
    context: &Context,
    call: &Call<Order>,
    day: &SeoulDay,
    retry_id: SettlementId,
) -> Result<Reply<AnySettlement>, Problem> {
    let run = runs::find(context, day).await?.ok_or(&problem::NOT_FOUND)?;
    let is_known = retries::request(context, call, retry_id).await?;
    let (tally, lists) = entries::survey(context, day).await?;
    let view = AnySettlement::Run(run_view(&run, tally, lists));
    let reply = if tally.failed == 0 {
        Reply::ok(view)
    } else {
        for shard in 0..SHARDS {
            let body = json!({ "businessDay": day, "shard": shard, "retry": retry_id });
            let sent = context.queues.send(sweep_settlements::NAME, &body, 0, &call.trace).await;
            sent.map_err(Problem::unavailable)?;
        }
        Reply::accepted(location(day), view)
    };
    Ok(if is_known { reply.replayed() } else { reply })
}
