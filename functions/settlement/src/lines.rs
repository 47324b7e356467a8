//! The saga of a line: fee → tax → payments settled → bank → booked → done.
//!
//! The line is put first. Every step is idempotent under a reference that derives from the line's id, so [`advance`]
//! may be run again, by anybody, from the start, at any time: the state machine's step, the bank's facts, the sweeper
//! and a retry all run the same function, possibly at the same time. While the bank has not given a definite answer,
//! the line stays open. The line and its entry in the run end in one commit.

use crate::{
    domain::{Outcome, outcome},
    entries,
    items::{Entry, EntryState, Line, LineState, Pointer},
};
use contract::{
    Call, Context, Grant, Operation, Problem, money_codes,
    peers::{
        BankParty, FINISH_PAYMENTS, FinishedGroup, FirmbankingOrder, FirmbankingState, REQUEST_FIRMBANKING,
        TRANSFER_MONEY, TransferOrder, TransferParty,
    },
    ports::CallError,
};
use events::{
    Fact,
    settlement::{SettlementFailed, SettlementPaidOut},
};
use kernel::{
    SignedMoney, Timestamp,
    id::{FranchiseId, SettlementId},
};
use store::{Condition, Order, Query, Read, Write};

/// The operations that the saga's steps call.
pub const CALLS: &[&str] =
    &[TRANSFER_MONEY.operation, FINISH_PAYMENTS.operation, REQUEST_FIRMBANKING.operation];

/// The facts that a line's end states.
pub const EMITS: &[&str] = &[SettlementPaidOut::TYPE, SettlementFailed::TYPE];

/// The declaration of an operation that runs [`advance`]: what that needs, and what it brings about.
pub const fn advances(operation: Operation) -> Operation {
    Operation {
        grants: &[Grant::ReadTable, Grant::WriteTable],
        calls: CALLS,
        emits: EMITS,
        timeout_seconds: 60,
        ..operation
    }
}

/// How often [`advance`] begins anew when somebody else was first.
const TRIES: u32 = 3;

/// Something has no certain answer: the line stays as far as it has come.
struct Waiting;

/// The line at a place of a chain, as of now.
pub async fn at(context: &Context, franchise: FranchiseId, sequence: u64) -> Result<Option<Line>, Problem> {
    let item = context.table.get(&Line::key_of(franchise, sequence), Read::Consistent).await?;
    Ok(item.map(store::read).transpose()?)
}

/// The line of a settlement, as of now.
pub async fn find(context: &Context, id: SettlementId) -> Result<Option<Line>, Problem> {
    let Some(item) = context.table.get(&Pointer::key_of(id), Read::Consistent).await? else {
        return Ok(None);
    };
    let Pointer { franchise_id, sequence, .. } = store::read(item)?;
    at(context, franchise_id, sequence).await
}

/// The newest lines of a franchise's chain, the newest first, as of now.
pub async fn newest(context: &Context, franchise: FranchiseId, most: u32) -> Result<Vec<Line>, Problem> {
    let query =
        Query { order: Order::Descending, limit: Some(most), ..Query::partition(Line::chain_of(franchise)) };
    let lines: Result<Vec<Line>, _> =
        context.table.query(&query).await?.items.into_iter().map(store::read).collect();
    Ok(lines?)
}

/// Brings a line as far as it will go now. Safe to run again, and at once with others.
pub async fn advance<I>(context: &Context, call: &Call<I>, line: Line) -> Result<Line, Problem> {
    let mut line = line;
    let call = &call.in_trace_of(&line.traceparent);
    for _ in 0..TRIES {
        if line.is_final() {
            return Ok(line);
        }
        let mut changed = line;
        if walk(context, call, &mut changed).await.is_err() {
            changed.attempts = changed.attempts.saturating_add(1);
        }
        match save(context, changed).await? {
            Saved::Ours(line) => return Ok(line),
            Saved::Theirs(found) => line = found,
        }
    }
    Ok(line)
}

/// Takes the steps that are left.
async fn walk<I>(context: &Context, call: &Call<I>, line: &mut Line) -> Result<(), Waiting> {
    let amounts = line.amounts;
    let fee = TransferParty::FeeRevenue {};
    line.fee_at = book(context, call, line, ("fee", line.fee_at), amounts.fee, fee).await?;
    let vat = TransferParty::VatPayable {};
    line.vat_at = book(context, call, line, ("vat", line.vat_at), amounts.vat, vat).await?;
    finish_payments(context, call, line).await?;
    let state = match outcome(&amounts.reckoning(), &amounts.carry()) {
        Outcome::PayOut => pay_out(context, call, line).await?,
        Outcome::Carried => LineState::Carried,
        Outcome::Empty => LineState::Empty,
        Outcome::Settled => LineState::Settled,
    };
    let booked = [line.fee_at, line.vat_at, line.paid_at].into_iter().flatten();
    let last = booked.fold(call.now.max(line.recorded_at), Timestamp::max);
    line.completed_at = Some(line.paid_at.unwrap_or(last));
    line.state = state;
    Ok(())
}

/// Moves an amount from what the franchise is owed to an account, or back if it is below zero; answers when.
async fn book<I>(
    context: &Context,
    call: &Call<I>,
    line: &Line,
    (step, known): (&str, Option<Timestamp>),
    amount: SignedMoney,
    account: TransferParty,
) -> Result<Option<Timestamp>, Waiting> {
    if known.is_some() || amount == SignedMoney::ZERO {
        return Ok(known);
    }
    let franchise = TransferParty::Franchise { franchise_id: line.franchise_id };
    let (debit, credit, amount) = if amount.is_negative() {
        (account, franchise, amount.below_zero())
    } else {
        (franchise, account, amount.above_zero())
    };
    let order = TransferOrder { debit, credit, amount, expires_at: None };
    let reference = Some(line.reference(step));
    match context.call(&TRANSFER_MONEY, call, None, reference, &order).await {
        Ok(moved) => Ok(Some(moved.transferred_at)),
        Err(error) => Err(waiting("money", &error)),
    }
}

/// Makes what the line's manifest lists settled.
async fn finish_payments<I>(context: &Context, call: &Call<I>, line: &mut Line) -> Result<(), Waiting> {
    if line.finished {
        return Ok(());
    }
    let group = FinishedGroup {
        franchise_id: line.franchise_id,
        name: line.manifest(),
        settlement_id: line.settlement_id(),
        settled_at: line.recorded_at,
    };
    match context.call(&FINISH_PAYMENTS, call, None, None, &group).await {
        Ok(_) => {
            line.finished = true;
            Ok(())
        }
        Err(error) => Err(waiting("payment", &error)),
    }
}

/// Lets the bank move the money, and books it when the bank is certain.
async fn pay_out<I>(context: &Context, call: &Call<I>, line: &mut Line) -> Result<LineState, Waiting> {
    let Some(payout) = line.payout else {
        tracing::error!(about = %line.settlement_id(), "a line has no attempt to pay it out");
        return Err(Waiting);
    };
    let order = FirmbankingOrder {
        source: BankParty::Corporate {},
        destination: BankParty::Linked {
            bank_account_id: payout.bank_account_id,
            membership_id: line.membership_id,
        },
        amount: line.amounts.payout,
    };
    let reference = Some(line.payout_reference(&payout));
    let owner = Some(line.membership_id);
    // Banking keeps every definite outcome as a record, so a bare refusal is a fault on our side and says nothing of
    // the bank: the line stays open.
    let asked = context.call(&REQUEST_FIRMBANKING, call, owner, reference, &order).await;
    let answer = asked.map_err(|error| waiting("banking", &error))?;
    match answer.state {
        FirmbankingState::Succeeded => {
            let (amount, bank) = (line.amounts.payout.into(), TransferParty::BankCorporate {});
            line.paid_at = book(context, call, line, ("paid", line.paid_at), amount, bank).await?;
            Ok(LineState::Paid)
        }
        FirmbankingState::Failed => {
            let declined = || money_codes::BANK_DECLINED.code.to_owned();
            line.failure_reason = Some(answer.failure_reason.unwrap_or_else(declined));
            Ok(LineState::Failed)
        }
        FirmbankingState::Requested | FirmbankingState::Sent | FirmbankingState::Unknown => Err(Waiting),
    }
}

fn waiting(whom: &str, error: &CallError) -> Waiting {
    match error {
        CallError::Refused(problem) => {
            tracing::error!(about = whom, code = %problem.code, "a step of a settlement was refused, which cannot be");
        }
        CallError::Unanswered(error) => {
            tracing::warn!(about = whom, cause = %error, "a step of a settlement has no answer")
        }
    }
    Waiting
}

enum Saved {
    /// It is stored.
    Ours(Line),
    /// Somebody else was first; the line as it is now.
    Theirs(Line),
}

/// Stores a changed line; its end with its entry's, in one commit.
async fn save(context: &Context, changed: Line) -> Result<Saved, Problem> {
    let unchanged = Condition::number("version", changed.version);
    let changed = Line { version: changed.version.saturating_add(1), ..changed };
    let mut writes = vec![Write::put(&changed, unchanged)?];
    let state = match changed.state {
        LineState::Open => None,
        LineState::Failed => Some(EntryState::Failed),
        _ => Some(EntryState::Done),
    };
    if let Some(state) = state {
        writes.push(mark(context, &changed, state).await?);
    }
    match context.table.commit(&writes).await {
        Ok(()) => Ok(Saved::Ours(changed)),
        Err(error) if error.is_collision() => {
            let found = at(context, changed.franchise_id, changed.sequence).await?;
            found.map(Saved::Theirs).ok_or_else(|| Problem::internal("a line has vanished"))
        }
        Err(error) => Err(error.into()),
    }
}

/// The write that tells a line's entry how the line stands.
pub async fn mark(context: &Context, line: &Line, state: EntryState) -> Result<Write, Problem> {
    let entry = entries::find(context, &line.business_day, line.franchise_id).await?;
    let entry = entry.ok_or_else(|| Problem::internal("a line has no entry in its run"))?;
    let unchanged = Condition::number("version", entry.version);
    let marked = Entry { state, version: entry.version.saturating_add(1), ..entry };
    Ok(Write::put(&marked, unchanged)?)
}

/// Advances the line whose pay-out has this reference. Other sagas' references are none of its business.
pub async fn advance_by_reference<I>(
    context: &Context,
    call: &Call<I>,
    reference: &str,
) -> Result<(), Problem> {
    let id = reference.split_once("/payout/").and_then(|(id, _)| id.parse().ok());
    let Some(id) = id else { return Ok(()) };
    if let Some(line) = find(context, id).await? {
        advance(context, call, line).await?;
    }
    Ok(())
}
