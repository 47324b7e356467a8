//! Advances lines and runs that are not final: one by a delayed message, or, on a slow schedule, all that were
//! forgotten; and tries a run's failed lines again, for retrySettlement.
//!
//! The relay sends a message whenever it sees a record that is not final, so no index is needed on the hot path. The
//! schedule's scan finds records whose message was lost; it goes on by a message to this operation's own queue.

use crate::{
    entries,
    items::{EntryState, Line, Run, SHARDS},
    lines,
    outbox::OUTBOX,
    retries, runs,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, KeyName},
    peers::{FIND_FRANCHISE_TERMS, FINISH_PAYMENTS, REQUEST_FIRMBANKING, TRANSFER_MONEY},
};
use kernel::{
    SeoulDay,
    id::{FranchiseId, SettlementId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "sweepSettlements",
    summary: "Advances settlements that are overdue",
    triggers: &[Trigger::Queue, Trigger::Schedule("rate(1 hour)")],
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ScanTable,
        Grant::Enqueue(NAME),
        Grant::StartWorkflow(runs::WORKFLOW),
    ],
    calls: &[
        TRANSFER_MONEY.operation,
        FINISH_PAYMENTS.operation,
        REQUEST_FIRMBANKING.operation,
        FIND_FRANCHISE_TERMS.operation,
    ],
    timeout_seconds: 60,
    ..lines::advances(handled_by!(sweep_settlements))
};

/// The operation's full name.
pub const NAME: &str = "settlement.sweepSettlements";

/// How many failed lines of a shard are sent to be tried again by one message.
const RETRIED: u32 = 100;

/// What to sweep: one line, one run, a shard of a run whose failed lines are to be tried again, or the table from a
/// place on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sweep {
    /// The one line.
    pub settlement_id: Option<SettlementId>,
    /// How often it had been tried in vain when the message was sent. If it was since, this one is not needed.
    pub attempts: Option<u32>,
    /// The one run.
    pub business_day: Option<SeoulDay>,
    /// The request for which failed lines are tried again: the one line, or those of a shard of the run.
    pub retry: Option<SettlementId>,
    /// The shard of the run.
    pub shard: Option<u8>,
    /// The last franchise of the shard that was looked at.
    pub after_franchise: Option<FranchiseId>,
    /// Where the scan before ended.
    pub after: Option<KeyName>,
}

/// What was swept.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// How many lines and runs were taken up, or sent a message to be.
    pub advanced: u32,
}

async fn sweep_settlements(context: &Context, call: Call<Sweep>) -> Result<Reply<Swept>, Problem> {
    let Sweep { settlement_id, attempts, business_day, retry, shard, after_franchise, after } = &call.body;
    let advanced = match (settlement_id, business_day, retry) {
        (Some(id), None, Some(retry)) => retry_line(context, &call, *id, *retry).await?,
        (Some(id), None, None) => sweep_line(context, &call, *id, *attempts).await?,
        (None, Some(day), Some(retry)) => {
            let shard = shard.filter(|shard| *shard < SHARDS);
            let shard = shard.ok_or_else(|| Problem::field("/shard", format!("must be below {SHARDS}")))?;
            retry_shard(context, &call, day, *retry, (shard, *after_franchise)).await?
        }
        (None, Some(day), None) => match runs::find(context, day).await? {
            Some(run) => sweep_run(context, &call, run).await?,
            None => 0,
        },
        (None, None, None) => outbox::sweep(context, &call, &OUTBOX, NAME, after.as_ref()).await?,
        _ => return Err(Problem::field("/settlementId", "must not be given beside another name")),
    };
    Ok(Reply::ok(Swept { advanced }))
}

async fn retry_line(
    context: &Context,
    call: &Call<Sweep>,
    id: SettlementId,
    retry: SettlementId,
) -> Result<u32, Problem> {
    let Some(line) = lines::find(context, id).await? else { return Ok(0) };
    retries::retry(context, call, line, retry).await?;
    Ok(1)
}

/// A line that is gone, or done by now, needs nothing.
async fn sweep_line(
    context: &Context,
    call: &Call<Sweep>,
    id: SettlementId,
    attempts: Option<u32>,
) -> Result<u32, Problem> {
    let is_due = |line: &Line| !line.is_final() && !outbox::is_overtaken(attempts, line.attempts);
    let Some(line) = lines::find(context, id).await?.filter(is_due) else { return Ok(0) };
    lines::advance(context, call, line).await?;
    Ok(1)
}

async fn sweep_run(context: &Context, call: &Call<Sweep>, run: Run) -> Result<u32, Problem> {
    if run.is_final() {
        return Ok(0);
    }
    runs::start(context, run, call.now).await?;
    Ok(1)
}

/// Sends failed lines of a shard to be tried again.
async fn retry_shard(
    context: &Context,
    call: &Call<Sweep>,
    day: &SeoulDay,
    retry: SettlementId,
    (shard, after): (u8, Option<FranchiseId>),
) -> Result<u32, Problem> {
    let page = entries::page(context, day, shard, after, Some(RETRIED)).await?;
    let failed = page.entries.iter().filter(|entry| entry.state == EntryState::Failed);
    let mut sent = 0_u32;
    for id in failed.filter_map(|entry| entry.settlement_id()) {
        enqueue(context, call, &json!({ "settlementId": id, "retry": retry })).await?;
        sent = sent.saturating_add(1);
    }
    if let (true, Some(last)) = (page.more, page.entries.last()) {
        let body = json!({
            "businessDay": day, "shard": shard, "afterFranchise": last.franchise_id, "retry": retry,
        });
        enqueue(context, call, &body).await?;
    }
    Ok(sent)
}

async fn enqueue<I>(context: &Context, call: &Call<I>, body: &Value) -> Result<(), Problem> {
    context.queues.send(NAME, body, 0, &call.trace).await.map_err(Problem::unavailable)
}
