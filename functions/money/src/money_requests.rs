//! The saga of recharges and withdrawals: expect or hold → bank → book or release → record.
//!
//! A recharge announces itself, so that the wallet has room for what the bank moves; a withdrawal holds the money, so
//! that it is there when the bank has moved it. All else is the same. The record is put first. Every step is
//! idempotent under a reference that derives from the record's id, so [`advance`] may be run again, by anybody, from
//! the start, at any time: the API call, a repetition of its key, the event handler, the bank's facts and the sweeper
//! all run the same function, possibly at the same time. The wallet is credited or debited only when the bank is
//! certain, and nothing is given up while it is not.

use crate::{
    chains::{self, Failure},
    domain::{Chain, Entry, Limits, Order, Step},
    items::MoneyRequest,
    settings::Settings,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply,
    lease::{self, First},
    peers::{
        Direction, FirmbankingState, MoneyOrder, MoneyRequestState, MoneyRequestView, REQUEST_FIRMBANKING,
    },
    ports::CallError,
    problem,
};
use events::{
    Fact,
    money::{MoneyDecreased, MoneyIncreased},
};
use kernel::{Money, Timestamp, id::MoneyRequestId};
use store::{CommitError, Condition, Read, Write};

/// The declaration of an operation that runs [`advance`]: what that needs, and what it brings about.
pub const fn advances(operation: Operation) -> Operation {
    Operation {
        grants: &[Grant::ReadTable, Grant::WriteTable],
        calls: &[REQUEST_FIRMBANKING.operation],
        emits: &[MoneyIncreased::TYPE, MoneyDecreased::TYPE],
        timeout_seconds: 20,
        ..operation
    }
}

impl From<&MoneyRequest> for MoneyRequestView {
    fn from(record: &MoneyRequest) -> MoneyRequestView {
        MoneyRequestView {
            money_request_id: record.money_request_id,
            membership_id: record.membership_id,
            direction: record.direction,
            bank_account_id: record.bank_account_id,
            amount: record.amount,
            state: record.state,
            failure_reason: record.failure_reason.clone(),
            balance_after: record.balance_after.and_then(|amount| Money::try_won(amount).ok()),
            requested_at: record.requested_at,
            completed_at: record.completed_at,
        }
    }
}

/// What the direct operations do: stores a request, and carries it out as far as it will go now.
pub async fn request(
    context: &Context,
    call: Call<MoneyOrder>,
    direction: Direction,
) -> Result<Reply<MoneyRequestView>, Problem> {
    match store_request(context, &call, direction, false).await? {
        First::Ours(record) => reply(&advance(context, &call, record).await?),
        First::Theirs(record) => {
            let record = take_over(context, record, call.now).await?;
            let outcome = reply(&advance(context, &call, record).await?);
            outcome.map(Reply::replayed).map_err(|problem| Problem { replayed: true, ..problem })
        }
    }
}

/// What the operations by event do: stores a request, whose record is the command to the event's handler.
pub async fn request_by_event(
    context: &Context,
    call: Call<MoneyOrder>,
    direction: Direction,
) -> Result<Reply<MoneyRequestView>, Problem> {
    let (record, is_known) = match store_request(context, &call, direction, true).await? {
        First::Ours(record) => (record, false),
        First::Theirs(record) => (record, true),
    };
    let reply = Reply::accepted(record.location(), MoneyRequestView::from(&record));
    Ok(if is_known { reply.replayed() } else { reply })
}

/// What the events' handlers do: advances the request that was announced.
pub async fn advance_announced<I>(
    context: &Context,
    call: &Call<I>,
    id: MoneyRequestId,
) -> Result<(), Problem> {
    let record = find(context, id).await?;
    let record = record.ok_or_else(|| Problem::internal(format!("{id} was announced and is not stored")))?;
    advance(context, call, record).await?;
    Ok(())
}

/// Stores a request under the id of its key, or finds the one that is there.
async fn store_request(
    context: &Context,
    call: &Call<MoneyOrder>,
    direction: Direction,
    by_event: bool,
) -> Result<First<MoneyRequest>, Problem> {
    let membership_id = call.member()?;
    let MoneyOrder { bank_account_id, amount } = call.body;
    let money_request_id = call.derived_id()?;
    if amount.is_zero() {
        return Err(Problem::field("/amount/amount", "must be at least 1"));
    }
    let limits = Settings::of(context)?.limits;
    let limit = match direction {
        Direction::Recharge => limits.recharge_each,
        Direction::Withdrawal => limits.transfer_each,
    };
    if amount > limit {
        // What was stored while the limit was higher stays so.
        let known = find(context, money_request_id).await?;
        let refusal = || Problem::field("/amount/amount", format!("must be at most {}", limit.amount()));
        return same_request(known.ok_or_else(refusal)?, &call.fingerprint);
    }
    let record = MoneyRequest {
        money_request_id,
        membership_id,
        direction,
        bank_account_id,
        amount,
        requested_at: call.now,
        fingerprint: call.fingerprint.clone(),
        by_event,
        state: MoneyRequestState::Requested,
        failure_reason: None,
        balance_after: None,
        completed_at: None,
        version: 1,
        attempts: 0,
        leased_until: if by_event { call.now } else { lease::from(call.now) },
        traceparent: call.trace.traceparent().to_owned(),
    };
    match lease::put_first(context, record).await? {
        First::Ours(record) => Ok(First::Ours(record)),
        First::Theirs(known) => same_request(known, &call.fingerprint),
    }
}

fn same_request(known: MoneyRequest, fingerprint: &str) -> Result<First<MoneyRequest>, Problem> {
    if known.fingerprint == fingerprint {
        Ok(First::Theirs(known))
    } else {
        Err((&problem::IDEMPOTENCY_KEY_REUSED).into())
    }
}

/// The record with this id, as of now.
pub async fn find(context: &Context, id: MoneyRequestId) -> Result<Option<MoneyRequest>, Problem> {
    let item = context.table.get(&MoneyRequest::key_of(id), Read::Consistent).await?;
    Ok(item.map(store::read).transpose()?)
}

/// Takes over the work on a record whose first worker may have died, or says that it is still at work.
async fn take_over(context: &Context, record: MoneyRequest, now: Timestamp) -> Result<MoneyRequest, Problem> {
    if record.is_final() {
        return Ok(record);
    }
    let leased_until = lease::take_over(record.leased_until, now)?;
    save(context, MoneyRequest { leased_until, ..record }).await
}

/// Brings a request as far as it will go now. Safe to run again and at once with others.
pub async fn advance<I>(
    context: &Context,
    call: &Call<I>,
    record: MoneyRequest,
) -> Result<MoneyRequest, Problem> {
    if record.is_final() {
        return Ok(record);
    }
    let call = &call.in_trace_of(&record.traceparent);
    let limits = Settings::of(context)?.limits;
    let mut chain = chains::load(context, record.membership_id, record.requested_at).await?;

    // This comes first, so that what is certain at the bank can always be booked.
    match chains::append(context, &mut chain, &steps(&record).before, &limits).await {
        Ok(_) => {}
        Err(Failure::Refused(refusal)) => return fail(context, record, refusal.code().code).await,
        Err(Failure::Problem(problem)) => return Err(problem),
    }

    let reference = record.reference("bank");
    let asked = context
        .call(&REQUEST_FIRMBANKING, call, Some(record.membership_id), Some(reference), &record.bank_order())
        .await;
    match asked {
        Ok(answer) => match answer.state {
            FirmbankingState::Succeeded => book(context, &mut chain, record, &limits).await,
            FirmbankingState::Failed => {
                let reason = answer.failure_reason.unwrap_or_else(|| "bank_declined".to_owned());
                release(context, &mut chain, record, &limits, &reason).await
            }
            FirmbankingState::Requested | FirmbankingState::Sent | FirmbankingState::Unknown => {
                wait_for_bank(context, record, call.now).await
            }
        },
        // Banking keeps every definite outcome as a record, so a bare refusal is a fault on our side and says nothing
        // of the bank: the record waits, and the log tells.
        Err(CallError::Refused(problem)) => {
            tracing::error!(code = %problem.code, "banking refused to take a firmbanking");
            wait_for_bank(context, record, call.now).await
        }
        Err(CallError::Unanswered(error)) => {
            tracing::warn!(cause = %error, "banking did not answer");
            wait_for_bank(context, record, call.now).await
        }
    }
}

async fn book(
    context: &Context,
    chain: &mut Chain,
    record: MoneyRequest,
    limits: &Limits,
) -> Result<MoneyRequest, Problem> {
    let entry = chains::append(context, chain, &steps(&record).moved, limits).await?;
    succeed(context, record, &entry).await
}

async fn release(
    context: &Context,
    chain: &mut Chain,
    record: MoneyRequest,
    limits: &Limits,
    reason: &str,
) -> Result<MoneyRequest, Problem> {
    chains::append(context, chain, &steps(&record).not_moved, limits).await?;
    fail(context, record, reason).await
}

/// What a request asks of the wallet's chain.
struct Steps {
    /// Before the bank is asked.
    before: Order,
    /// When the bank has certainly moved the money.
    moved: Order,
    /// When it certainly has not, and never will. It closes the same thing as the one before, and one of them only.
    not_moved: Order,
}

fn steps(record: &MoneyRequest) -> Steps {
    let amount = record.amount;
    let order = |name: &str, step| {
        let traceparent = record.traceparent.clone();
        Order { step, reference: record.reference(name), expires_at: None, traceparent }
    };
    match record.direction {
        Direction::Recharge => Steps {
            before: order("expect", Step::Expect(amount)),
            moved: order("close", Step::Recharge(amount)),
            not_moved: order("close", Step::Release(amount)),
        },
        Direction::Withdrawal => Steps {
            before: order("hold", Step::Hold(amount)),
            moved: order("hold/close", Step::Withdraw(amount)),
            not_moved: order("hold/close", Step::ReleaseHold),
        },
    }
}

async fn succeed(context: &Context, record: MoneyRequest, entry: &Entry) -> Result<MoneyRequest, Problem> {
    let done = MoneyRequest {
        state: MoneyRequestState::Succeeded,
        balance_after: Some(entry.standing.balance.amount()),
        completed_at: Some(entry.time),
        ..record
    };
    save(context, done).await
}

async fn fail(context: &Context, record: MoneyRequest, reason: &str) -> Result<MoneyRequest, Problem> {
    let failed = MoneyRequest {
        state: MoneyRequestState::Failed,
        failure_reason: Some(reason.to_owned()),
        completed_at: Some(context.clock.now().max(record.requested_at)),
        ..record
    };
    save(context, failed).await
}

/// Leaves the record for the bank's fact or the sweeper, and its lease to whoever comes.
async fn wait_for_bank(
    context: &Context,
    record: MoneyRequest,
    now: Timestamp,
) -> Result<MoneyRequest, Problem> {
    let attempts = record.attempts.saturating_add(1);
    save(
        context,
        MoneyRequest { state: MoneyRequestState::BankUnknown, attempts, leased_until: now, ..record },
    )
    .await
}

/// Saves a changed record if nobody changed it since it was read; otherwise answers what is there now.
///
/// Whoever was first has run the same steps under the same references, so its outcome is ours.
async fn save(context: &Context, changed: MoneyRequest) -> Result<MoneyRequest, Problem> {
    let unchanged = Condition::number("version", changed.version);
    let changed = MoneyRequest { version: changed.version.saturating_add(1), ..changed };
    match context.table.commit(&[Write::put(&changed, unchanged)?]).await {
        Ok(()) => Ok(changed),
        Err(error @ CommitError::Refused(_)) => match error.found(0) {
            Some(found) => Ok(store::read(found.clone())?),
            None => Err(Problem::internal("a money request has vanished")),
        },
        Err(error) => Err(error.into()),
    }
}

/// The answer to the one who asked: done, refused, or to be continued.
fn reply(record: &MoneyRequest) -> Result<Reply<MoneyRequestView>, Problem> {
    let view = MoneyRequestView::from(record);
    match record.state {
        MoneyRequestState::Succeeded => Ok(Reply::created(record.location(), view)),
        MoneyRequestState::Requested | MoneyRequestState::BankUnknown => {
            Ok(Reply::accepted(record.location(), view))
        }
        MoneyRequestState::Failed => {
            let reason = record.failure_reason.as_deref().unwrap_or_default();
            Err(Problem { location: Some(record.location()), ..crate::refusals::of_reason(reason) })
        }
    }
}

/// Advances the request whose bank step has this reference. Other sagas' references are none of money's business.
pub async fn advance_by_reference<I>(
    context: &Context,
    call: &Call<I>,
    reference: &str,
) -> Result<(), Problem> {
    let Some(id) = reference.strip_suffix("/bank").and_then(|id| id.parse().ok()) else { return Ok(()) };
    if let Some(record) = find(context, id).await? {
        advance(context, call, record).await?;
    }
    Ok(())
}
