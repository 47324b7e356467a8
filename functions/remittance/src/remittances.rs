//! The saga of remittances: move, or hold → bank → post or release → record; and a recharge first if money is short.
//!
//! The record is put first. Every step is idempotent under a reference that derives from the record's id, so
//! [`advance`] may be run again, by anybody, from the start, at any time: the API call, a repetition of its key, the
//! bank's facts and the sweeper all run the same function, possibly at the same time. A refusal for the balance is an
//! entry of the ledger under the first try's reference; so the second try, after the recharge, has its own. Money
//! that is held is given back only when the bank has certainly not moved it.

use crate::{
    KEY,
    answers::RemittanceView,
    items::{Receiver, Remittance, RemittanceState as State},
    receivers::{self, RequestRemittance},
    refusals,
    settings::Settings,
};
use contract::{
    Call, Code, Context, Grant, Operation, Problem, Reply,
    lease::{self, First},
    money_codes,
    peers::{
        BankParty, FIND_RECHARGE_ACCOUNT, FirmbankingOrder, FirmbankingState, GET_BALANCE_REQUEST,
        HOLD_MONEY, HoldOrder, INCREASE_MONEY_REQUEST, ImplicitAccount, POST_HOLD, PostOrder, REGISTER_PAYEE,
        RELEASE_HOLD, REQUEST_FIRMBANKING, RESOLVE_MEMBER, ReleaseOrder, TRANSFER_MONEY, TransferOrder,
        TransferParty,
    },
    ports::CallError,
    problem,
    top_up::{self, Next, Wanted},
};
use events::{
    Fact,
    remittance::{RemittanceCompleted, RemittanceFailed},
};
use kernel::{
    Timestamp,
    id::{BankAccountId, RemittanceId},
};
use store::{CommitError, Condition, Read, Write};

/// The operations that the saga's steps call.
pub const CALLS: &[&str] = &[
    TRANSFER_MONEY.operation,
    HOLD_MONEY.operation,
    POST_HOLD.operation,
    RELEASE_HOLD.operation,
    GET_BALANCE_REQUEST.operation,
    INCREASE_MONEY_REQUEST.operation,
    FIND_RECHARGE_ACCOUNT.operation,
    REQUEST_FIRMBANKING.operation,
];

/// Those, and the operations that settle who receives.
pub const REQUEST_CALLS: &[&str] = &[
    RESOLVE_MEMBER.operation,
    REGISTER_PAYEE.operation,
    TRANSFER_MONEY.operation,
    HOLD_MONEY.operation,
    POST_HOLD.operation,
    RELEASE_HOLD.operation,
    GET_BALANCE_REQUEST.operation,
    INCREASE_MONEY_REQUEST.operation,
    FIND_RECHARGE_ACCOUNT.operation,
    REQUEST_FIRMBANKING.operation,
];

/// The declaration of an operation that runs [`advance`]: what that needs, and what it brings about.
pub const fn advances(operation: Operation) -> Operation {
    Operation {
        grants: &[Grant::ReadTable, Grant::WriteTable],
        calls: CALLS,
        emits: &[RemittanceCompleted::TYPE, RemittanceFailed::TYPE],
        timeout_seconds: 20,
        ..operation
    }
}

/// Stores a request, and carries it out as far as it will go now.
pub async fn request(
    context: &Context,
    call: Call<RequestRemittance>,
) -> Result<Reply<RemittanceView>, Problem> {
    match store_request(context, &call).await? {
        First::Ours(record) => reply(&advance(context, &call, record).await?),
        First::Theirs(record) => {
            let record = take_over(context, record, call.now).await?;
            let outcome = reply(&advance(context, &call, record).await?);
            outcome.map(Reply::replayed).map_err(|problem| Problem { replayed: true, ..problem })
        }
    }
}

/// Stores a request under the id of its key, or finds the one that is there.
async fn store_request(
    context: &Context,
    call: &Call<RequestRemittance>,
) -> Result<First<Remittance>, Problem> {
    let sender = call.caller.member()?;
    let remittance_id = call.derived_id()?;
    if call.body.amount.is_zero() {
        return Err(Problem::field("/amount/amount", "must be at least 1"));
    }
    let fingerprint = fingerprint(context, call).await?;
    // Whoever must ask somebody for the receiver looks first whether that was settled before.
    if call.body.to.known().is_none()
        && let Some(known) = find(context, remittance_id).await?
    {
        return same_request(known, &fingerprint);
    }
    let to = receivers::settle(context, call, sender).await?;
    let life = i64::from(Settings::of(context)?.expires_after_seconds);
    let record = Remittance {
        remittance_id,
        membership_id: sender,
        to,
        amount: call.body.amount,
        bank_account_id: call.body.bank_account_id,
        requested_at: call.now,
        expires_at: call.now.plus_seconds(life),
        fingerprint,
        state: State::Requested,
        top_up: None,
        failure_reason: None,
        completed_at: None,
        version: 1,
        attempts: 0,
        leased_until: lease::from(call.now),
        traceparent: call.trace.traceparent().to_owned(),
    };
    let fingerprint = record.fingerprint.clone();
    match lease::put_first(context, record).await? {
        First::Ours(record) => Ok(First::Ours(record)),
        First::Theirs(known) => same_request(known, &fingerprint),
    }
}

fn same_request(known: Remittance, fingerprint: &str) -> Result<First<Remittance>, Problem> {
    if known.fingerprint == fingerprint {
        Ok(First::Theirs(known))
    } else {
        Err((&problem::IDEMPOTENCY_KEY_REUSED).into())
    }
}

/// What "the same body" means. A hash of an email or an account number could be guessed, so it is blinded.
async fn fingerprint(context: &Context, call: &Call<RequestRemittance>) -> Result<String, Problem> {
    if call.body.to.known().is_some() {
        return Ok(call.fingerprint.clone());
    }
    Ok(context.service_key(KEY).await?.blind("request", &call.fingerprint))
}

/// The record with this id, as of now.
pub async fn find(context: &Context, id: RemittanceId) -> Result<Option<Remittance>, Problem> {
    let item = context.table.get(&Remittance::key_of(id), Read::Consistent).await?;
    Ok(item.map(store::read).transpose()?)
}

/// Takes over the work on a record whose first worker may have died, or says that it is still at work.
async fn take_over(context: &Context, record: Remittance, now: Timestamp) -> Result<Remittance, Problem> {
    if record.is_final() {
        return Ok(record);
    }
    let leased_until = lease::take_over(record.leased_until, now)?;
    save(context, Remittance { leased_until, ..record }).await
}

/// Which try at the sender's balance: before a recharge, or after it. Each has a reference of its own.
#[derive(Clone, Copy)]
enum Try {
    First,
    Second,
}

impl Try {
    fn step(self, kind: &str) -> String {
        match self {
            Try::First => format!("{kind}/1"),
            Try::Second => format!("{kind}/2"),
        }
    }
}

/// How a try ended.
enum Taken {
    /// The receiver has the money, since this time.
    Moved(Timestamp),
    /// The money is held, under this try's reference.
    Held,
    /// The ledger refused, for ever.
    Refused(&'static Code),
    /// Nobody knows.
    Waiting,
}

/// Brings a remittance as far as it will go now. Safe to run again and at once with others.
pub async fn advance<I>(
    context: &Context,
    call: &Call<I>,
    record: Remittance,
) -> Result<Remittance, Problem> {
    if record.is_final() {
        return Ok(record);
    }
    let call = &call.in_trace_of(&record.traceparent);
    let taken = take(context, call, &record, Try::First).await;
    let is_short = matches!(taken, Taken::Refused(code) if *code == money_codes::INSUFFICIENT_BALANCE);
    if !is_short {
        return go_on(context, call, record, Try::First, taken).await;
    }

    match recharge(context, call, record).await? {
        Recharge::Done(record) => {
            let taken = take(context, call, &record, Try::Second).await;
            go_on(context, call, record, Try::Second, taken).await
        }
        Recharge::Over(record) => Ok(record),
    }
}

/// Moves or holds the money.
async fn take<I>(context: &Context, call: &Call<I>, record: &Remittance, attempt: Try) -> Taken {
    let Remittance { membership_id, amount, expires_at, .. } = *record;
    let (sender, expires_at) = (Some(membership_id), Some(expires_at));
    let outcome = match record.to {
        Receiver::Member { membership_id: receiver } => {
            let debit = TransferParty::Member { membership_id };
            let credit = TransferParty::Member { membership_id: receiver };
            let order = TransferOrder { debit, credit, amount, expires_at };
            let reference = Some(record.reference(&attempt.step("move")));
            let moved = context.call(&TRANSFER_MONEY, call, sender, reference, &order).await;
            moved.map(|moved| Taken::Moved(moved.transferred_at))
        }
        Receiver::BankAccount { .. } => {
            let order = HoldOrder { membership_id, amount, expires_at };
            let reference = Some(record.reference(&attempt.step("hold")));
            context.call(&HOLD_MONEY, call, sender, reference, &order).await.map(|_| Taken::Held)
        }
    };
    match outcome {
        Ok(taken) => taken,
        Err(CallError::Refused(problem)) => match money_codes::named(&problem.code) {
            Some(code) => Taken::Refused(code),
            None => {
                tracing::error!(code = %problem.code, "money refused a remittance in words unknown here");
                Taken::Waiting
            }
        },
        Err(CallError::Unanswered(error)) => {
            tracing::warn!(cause = %error, "money did not answer");
            Taken::Waiting
        }
    }
}

/// Goes on from how a try ended.
async fn go_on<I>(
    context: &Context,
    call: &Call<I>,
    record: Remittance,
    attempt: Try,
    taken: Taken,
) -> Result<Remittance, Problem> {
    match (taken, &record.to) {
        (Taken::Moved(at), _) => complete(context, record, at).await,
        (Taken::Held, Receiver::BankAccount { bank_account_id, .. }) => {
            let payee = *bank_account_id;
            ask_bank(context, call, record, payee, attempt).await
        }
        (Taken::Held, Receiver::Member { .. }) => Err(Problem::internal("money for a member is never held")),
        (Taken::Refused(code), _) => fail(context, record, code.code).await,
        (Taken::Waiting, _) => {
            let state = record.state;
            wait(context, record, state, call.now).await
        }
    }
}

/// How far a recharge of what the sender lacks has come.
enum Recharge {
    /// The money is to be asked for again.
    Done(Remittance),
    /// The remittance has ended, or waits.
    Over(Remittance),
}

/// How often a plan is asked for: whoever else is at work may have left the record without one.
const TRIES: u32 = 8;

/// Recharges what the sender lacks, by a plan that the record keeps, whoever made it.
async fn recharge<I>(context: &Context, call: &Call<I>, record: Remittance) -> Result<Recharge, Problem> {
    let mut record = record;
    for _ in 0..TRIES {
        if record.is_final() {
            break;
        }
        let wanted = Wanted {
            member: record.membership_id,
            amount: record.amount,
            named: record.bank_account_id,
            until: record.expires_at,
            recharge: record.reference("recharge"),
        };
        match top_up::next(context, call, &wanted, record.top_up.as_ref()).await {
            Next::Keep(plan) => {
                let planned = Remittance { state: State::Recharging, top_up: Some(plan), ..record };
                record = save(context, planned).await?;
            }
            Next::TryAgain => return Ok(Recharge::Done(record)),
            Next::GiveUp(code) => return fail(context, record, code.code).await.map(Recharge::Over),
            Next::Wait => {
                let state = record.state;
                return wait(context, record, state, call.now).await.map(Recharge::Over);
            }
        }
    }
    Ok(Recharge::Over(record))
}

/// Lets the bank move what is held, and closes the hold when the bank is certain.
async fn ask_bank<I>(
    context: &Context,
    call: &Call<I>,
    record: Remittance,
    payee: BankAccountId,
    attempt: Try,
) -> Result<Remittance, Problem> {
    let Remittance { membership_id, amount, .. } = record;
    let order = FirmbankingOrder {
        source: BankParty::Corporate {},
        destination: BankParty::Linked { bank_account_id: payee, membership_id },
        amount,
    };
    let reference = Some(record.reference("bank"));
    let asked = context.call(&REQUEST_FIRMBANKING, call, Some(membership_id), reference, &order).await;
    match asked {
        Ok(answer) => match answer.state {
            FirmbankingState::Succeeded => book(context, call, record, attempt).await,
            FirmbankingState::Failed => {
                let reason =
                    answer.failure_reason.unwrap_or_else(|| money_codes::BANK_DECLINED.code.to_owned());
                release(context, call, record, attempt, &reason).await
            }
            FirmbankingState::Requested | FirmbankingState::Sent | FirmbankingState::Unknown => {
                wait(context, record, State::BankUnknown, call.now).await
            }
        },
        // Banking keeps every definite outcome as a record, so a bare refusal is a fault on our side and says nothing
        // of the bank: the record waits, and the log tells.
        Err(CallError::Refused(problem)) => {
            tracing::error!(code = %problem.code, "banking refused to take a firmbanking");
            wait(context, record, State::BankUnknown, call.now).await
        }
        Err(CallError::Unanswered(error)) => {
            tracing::warn!(cause = %error, "banking did not answer");
            wait(context, record, State::BankUnknown, call.now).await
        }
    }
}

async fn book<I>(
    context: &Context,
    call: &Call<I>,
    record: Remittance,
    attempt: Try,
) -> Result<Remittance, Problem> {
    let Remittance { membership_id, amount, .. } = record;
    let order = PostOrder { membership_id, amount, credit: ImplicitAccount::BankCorporate {} };
    let hold = Some(record.reference(&attempt.step("hold")));
    match context.call(&POST_HOLD, call, Some(membership_id), hold, &order).await {
        Ok(entry) => complete(context, record, entry.entered_at).await,
        Err(error) => stuck(context, record, &error, call.now).await,
    }
}

async fn release<I>(
    context: &Context,
    call: &Call<I>,
    record: Remittance,
    attempt: Try,
    reason: &str,
) -> Result<Remittance, Problem> {
    let membership_id = record.membership_id;
    let order = ReleaseOrder { membership_id };
    let hold = Some(record.reference(&attempt.step("hold")));
    match context.call(&RELEASE_HOLD, call, Some(membership_id), hold, &order).await {
        Ok(_) => fail(context, record, reason).await,
        Err(error) => stuck(context, record, &error, call.now).await,
    }
}

/// The bank is certain and the ledger does not know it yet: it is told until it does.
async fn stuck(
    context: &Context,
    record: Remittance,
    error: &CallError,
    now: Timestamp,
) -> Result<Remittance, Problem> {
    match error {
        CallError::Refused(problem) => {
            tracing::error!(code = %problem.code, "money refused to close a hold");
        }
        CallError::Unanswered(error) => tracing::warn!(cause = %error, "money did not answer"),
    }
    wait(context, record, State::BankUnknown, now).await
}

async fn complete(context: &Context, record: Remittance, at: Timestamp) -> Result<Remittance, Problem> {
    save(context, Remittance { state: State::Completed, completed_at: Some(at), ..record }).await
}

async fn fail(context: &Context, record: Remittance, reason: &str) -> Result<Remittance, Problem> {
    let failed = Remittance {
        state: State::Failed,
        failure_reason: Some(reason.to_owned()),
        completed_at: Some(context.clock.now().max(record.requested_at)),
        ..record
    };
    save(context, failed).await
}

/// Leaves the record for the bank's fact or the sweeper, and its lease to whoever comes.
async fn wait(
    context: &Context,
    record: Remittance,
    state: State,
    now: Timestamp,
) -> Result<Remittance, Problem> {
    let attempts = record.attempts.saturating_add(1);
    save(context, Remittance { state, attempts, leased_until: now, ..record }).await
}

/// Saves a changed record if nobody changed it since it was read; otherwise answers what is there now.
///
/// Whoever was first has run the same steps under the same references, so its outcome is ours.
async fn save(context: &Context, changed: Remittance) -> Result<Remittance, Problem> {
    let unchanged = Condition::number("version", changed.version);
    let changed = Remittance { version: changed.version.saturating_add(1), ..changed };
    match context.table.commit(&[Write::put(&changed, unchanged)?]).await {
        Ok(()) => Ok(changed),
        Err(error @ CommitError::Refused(_)) => match error.found(0) {
            Some(found) => Ok(store::read(found.clone())?),
            None => Err(Problem::internal("a remittance has vanished")),
        },
        Err(error) => Err(error.into()),
    }
}

/// The answer to the one who asked: done, refused, or to be continued.
fn reply(record: &Remittance) -> Result<Reply<RemittanceView>, Problem> {
    let view = RemittanceView::sent(record);
    match record.state {
        State::Completed => Ok(Reply::created(record.location(), view)),
        State::Requested | State::Recharging | State::BankUnknown => {
            Ok(Reply::accepted(record.location(), view))
        }
        State::Failed => {
            let reason = record.failure_reason.as_deref().unwrap_or_default();
            Err(Problem { location: Some(record.location()), ..refusals::of_reason(reason) })
        }
    }
}

/// Advances the remittance whose bank step has this reference. Other sagas' references are none of its business.
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
