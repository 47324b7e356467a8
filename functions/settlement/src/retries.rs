//! Retries: another attempt to pay out a line that has certainly failed.
//!
//! An attempt is stored in the line, with the franchise's account as it is now, before the bank is asked under the
//! attempt's own reference. What a key has done to a line is put in the same commit, so that one key makes at most
//! one attempt, however often it comes and whatever happened meanwhile.

use crate::{
    items::{EntryState, Line, LineState, Payout, Retry, RetryRequest},
    lines,
};
use contract::{Call, Context, Problem, peers::FIND_FRANCHISE_TERMS, peers::FranchiseQuestion, problem};
use kernel::id::SettlementId;
use store::{Condition, Read, Record as _, Write};

/// Stores a request under the id of its key; answers whether it is a repetition of an earlier one.
pub async fn request<I>(context: &Context, call: &Call<I>, retry_id: SettlementId) -> Result<bool, Problem> {
    let request = RetryRequest { retry_id, fingerprint: call.fingerprint.clone(), requested_at: call.now };
    match context.table.commit(&[Write::put(&request, Condition::Absent)?]).await {
        Ok(()) => return Ok(false),
        Err(error) if error.is_collision() => {}
        Err(error) => return Err(error.into()),
    }
    let known = context.table.get(&request.key(), Read::Consistent).await?;
    let known: RetryRequest = store::read(known.ok_or_else(|| Problem::unavailable("a contended put"))?)?;
    if known.fingerprint == request.fingerprint {
        Ok(true)
    } else {
        Err((&problem::IDEMPOTENCY_KEY_REUSED).into())
    }
}

/// Tries a line again for this request, if it has failed and the request has not tried it before.
pub async fn retry<I>(
    context: &Context,
    call: &Call<I>,
    line: Line,
    retry_id: SettlementId,
) -> Result<Line, Problem> {
    let line = match begin(context, call, &line, retry_id).await? {
        Some(begun) => begun,
        None => line,
    };
    lines::advance(context, call, line).await
}

/// Stores the next attempt, or answers the line as somebody else has left it.
async fn begin<I>(
    context: &Context,
    call: &Call<I>,
    line: &Line,
    retry_id: SettlementId,
) -> Result<Option<Line>, Problem> {
    let settlement_id = line.settlement_id();
    let (LineState::Failed, Some(failed)) = (line.state, line.payout) else { return Ok(None) };
    if context.table.get(&Retry::key_of(retry_id, settlement_id), Read::Consistent).await?.is_some() {
        return Ok(None);
    }
    let question = FranchiseQuestion { franchise_id: line.franchise_id };
    let terms = context.call(&FIND_FRANCHISE_TERMS, call, None, None, &question).await;
    let terms = terms.map_err(Problem::unavailable)?;
    let franchise = terms.franchise.ok_or_else(|| Problem::internal("a settled franchise is unknown"))?;
    let retry = Retry {
        retry_id,
        settlement_id,
        franchise_id: line.franchise_id,
        business_day: line.business_day.clone(),
        amount: line.amounts.payout,
        attempt: failed.attempt,
        reason: line.failure_reason.clone().unwrap_or_default(),
        failed_at: line.completed_at.unwrap_or(line.recorded_at),
        traceparent: line.traceparent.clone(),
    };
    let next = Payout {
        attempt: failed.attempt.saturating_add(1),
        bank_account_id: franchise.bank_account_id,
        born_at: call.now.max(retry.failed_at),
    };
    let opened = Line {
        state: LineState::Open,
        payout: Some(next),
        failure_reason: None,
        completed_at: None,
        attempts: 0,
        version: line.version.saturating_add(1),
        ..line.clone()
    };
    let writes = [
        Write::put(&opened, Condition::number("version", line.version))?,
        lines::mark(context, &opened, EntryState::Open).await?,
        Write::put(&retry, Condition::Absent)?,
    ];
    match context.table.commit(&writes).await {
        Ok(()) => Ok(Some(opened)),
        Err(error) if error.is_collision() => lines::at(context, line.franchise_id, line.sequence).await,
        Err(error) => Err(error.into()),
    }
}
