//! A step of the state machine: puts a franchise's line at its place in the chain, once.
//!
//! What is carried in is taken from the line before it, which never changes. If another run has taken the place, the
//! calculation is worth nothing: the entry stays due, and the next round collects anew. The account for the pay-out
//! is stored with the line, before anybody asks the bank.

use crate::{
    calculate_settlement::Calculation,
    domain::carry,
    entries,
    items::{Amounts, Entry, EntryState, Line, LineState, Payout, Pointer, Recorded},
    lines, runs,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{FIND_FRANCHISE_TERMS, FranchiseQuestion},
};
use kernel::{
    Money, SeoulDay,
    id::{BankAccountId, FranchiseId, SettlementId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Condition, Write};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "recordSettlement",
    summary: "Records what a franchise is settled with",
    triggers: &[Trigger::Step],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    calls: &[FIND_FRANCHISE_TERMS.operation],
    timeout_seconds: 30,
    ..handled_by!(record_settlement)
};

/// What to record in which run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// The run's day.
    pub business_day: SeoulDay,
    /// What calculateSettlement has answered.
    #[serde(default)]
    pub calculation: Option<Calculation>,
}

/// The settlement that the run has with the franchise; none if there is none now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Its id.
    pub settlement_id: Option<SettlementId>,
}

async fn record_settlement(context: &Context, call: Call<Order>) -> Result<Reply<Answer>, Problem> {
    let settlement_id = match &call.body.calculation {
        Some(calculation) => record(context, &call, calculation).await?,
        None => None,
    };
    Ok(Reply::ok(Answer { settlement_id }))
}

async fn record(
    context: &Context,
    call: &Call<Order>,
    calculation: &Calculation,
) -> Result<Option<SettlementId>, Problem> {
    let franchise = calculation.franchise_id;
    let Some(entry) = entries::find(context, &call.body.business_day, franchise).await? else {
        return Ok(None);
    };
    if entry.state != EntryState::Due {
        // This step, or another execution's, has recorded the line before.
        return Ok(entry.settlement_id());
    }
    let before = lines::newest(context, franchise, 1).await?.pop();
    if !follows(calculation, &entry, before.as_ref()) {
        return Ok(None);
    }
    let line = draft(context, call, calculation, &entry, before).await?;
    let settlement_id = line.settlement_id();
    let pointer = Pointer { settlement_id, franchise_id: franchise, sequence: line.sequence };
    let recorded = Recorded { sequence: line.sequence, amounts: line.amounts };
    let unchanged = Condition::number("version", entry.version);
    let opened = Entry {
        state: EntryState::Open,
        recorded: Some(recorded),
        version: entry.version.saturating_add(1),
        ..entry
    };
    let writes = [
        Write::put(&line, Condition::Absent)?,
        Write::put(&pointer, Condition::Absent)?,
        Write::put(&opened, unchanged)?,
    ];
    match context.table.commit(&writes).await {
        Ok(()) => Ok(Some(settlement_id)),
        Err(error) if error.is_collision() => {
            // Who took the place: another execution of this run, or another run?
            let entry = entries::find(context, &call.body.business_day, franchise).await?;
            Ok(entry.and_then(|entry| entry.settlement_id()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the calculation stands on the chain's end, and is what the entry wants.
fn follows(calculation: &Calculation, entry: &Entry, before: Option<&Line>) -> bool {
    let place = before.map_or(1, |line| line.sequence.saturating_add(1));
    let is_later = before.is_none_or(|line| line.through < calculation.name.through);
    calculation.name.sequence == place && is_later && calculation.name.through == entry.through
}

async fn draft(
    context: &Context,
    call: &Call<Order>,
    calculation: &Calculation,
    entry: &Entry,
    before: Option<Line>,
) -> Result<Line, Problem> {
    let owed = before.map_or(Money::ZERO, |line| line.amounts.carried_out);
    let carried = carry(calculation.reckoning.net, owed).map_err(Problem::internal)?;
    let payout = if carried.payout.is_zero() {
        None
    } else {
        let bank_account_id = account_of(context, call, entry.franchise_id).await?;
        Some(Payout { attempt: 1, bank_account_id, born_at: call.now })
    };
    let run = runs::find(context, &entry.business_day).await?;
    let run = run.ok_or_else(|| Problem::internal("an entry has no run"))?;
    Ok(Line {
        franchise_id: entry.franchise_id,
        sequence: calculation.name.sequence,
        membership_id: entry.membership_id,
        business_day: entry.business_day.clone(),
        through: entry.through.clone(),
        totals: calculation.totals.clone(),
        vat_bps: calculation.vat_bps,
        amounts: Amounts::new(calculation.reckoning, carried),
        state: LineState::Open,
        recorded_at: call.now,
        fee_at: None,
        vat_at: None,
        finished: false,
        payout,
        paid_at: None,
        failure_reason: None,
        completed_at: None,
        version: 1,
        attempts: 0,
        traceparent: run.traceparent,
    })
}

/// The account that the franchise is paid out to now.
async fn account_of(
    context: &Context,
    call: &Call<Order>,
    franchise_id: FranchiseId,
) -> Result<BankAccountId, Problem> {
    let question = FranchiseQuestion { franchise_id };
    let terms = context.call(&FIND_FRANCHISE_TERMS, call, None, None, &question).await;
    let franchise = terms.map_err(Problem::unavailable)?.franchise;
    Ok(franchise.ok_or_else(|| Problem::internal("an enlisted franchise is unknown"))?.bank_account_id)
}
