//! The saga of a payment: pay; if money is short, plan a recharge, recharge, and pay again.
//!
//! The record is put first. Every step is idempotent under a reference that derives from the record's id, so
//! [`advance`] may be run again, by anybody, from the start, at any time: the API call, a repetition of its key, the
//! relay's delayed message and the sweeper all run the same function, possibly at the same time. The second try has a
//! reference of its own, because a refusal is an entry too: under the first reference the step stays refused. Each try
//! names the moment from which it is too late, so that the ledger itself refuses a payment that was given up.

use crate::{
    answers,
    domain::{Moved, lifecycle},
    items::{Payment, PaymentState},
    refusals,
};
use contract::{
    Call, Code, Context, Grant, Operation, Problem, Reply,
    money_codes::INSUFFICIENT_BALANCE,
    peers::{
        FIND_RECHARGE_ACCOUNT, GET_BALANCE_REQUEST, INCREASE_MONEY_REQUEST, TRANSFER_MONEY, TransferOrder,
        TransferParty,
    },
    ports::CallError,
    top_up::{self, Next, Wanted},
};
use events::{Fact, payment::PaymentApproved};
use kernel::{Timestamp, id::PaymentId};
use store::{Condition, Read, Write};

/// The declaration of an operation that runs [`advance`]: what that needs, and what it brings about.
pub const fn advances(operation: Operation) -> Operation {
    Operation {
        grants: &[Grant::ReadTable, Grant::WriteTable],
        calls: &[
            TRANSFER_MONEY.operation,
            GET_BALANCE_REQUEST.operation,
            FIND_RECHARGE_ACCOUNT.operation,
            INCREASE_MONEY_REQUEST.operation,
        ],
        emits: &[PaymentApproved::TYPE],
        timeout_seconds: 20,
        ..operation
    }
}

/// How often a change is decided again because somebody else was first. Each time somebody has got on with the
/// payment, and there are not so many things to do with one: it is approved, and cancelled in parts.
const TRIES: u32 = 64;

/// The payment with this id, as of now.
pub async fn find(context: &Context, id: PaymentId) -> Result<Option<Payment>, Problem> {
    let item = context.table.get(&Payment::key_of(id), Read::Consistent).await?;
    Ok(item.map(store::read).transpose()?)
}

/// Brings a payment as far as it will go now. Safe to run again and at once with others.
pub async fn advance<I>(context: &Context, call: &Call<I>, payment: Payment) -> Result<Payment, Problem> {
    let mut payment = payment;
    let call = &call.in_trace_of(&payment.traceparent);
    for _ in 0..TRIES {
        if payment.state != PaymentState::Requested {
            return Ok(payment);
        }
        payment = match next(context, call, &payment).await {
            Some(changed) => save(context, changed).await?,
            None => return wait(context, payment).await,
        };
    }
    Ok(payment)
}

/// The payment after its next step; none if nobody can say yet how it goes on.
async fn next<I>(context: &Context, call: &Call<I>, payment: &Payment) -> Option<Payment> {
    if payment.top_up.is_none() {
        match pay(context, call, payment, "pay/1").await {
            Tried::Refused(code) if *code == INSUFFICIENT_BALANCE => {}
            tried => return after(context, payment, tried),
        }
    }
    let wanted = Wanted {
        member: payment.membership_id,
        amount: payment.amount,
        named: payment.bank_account_id,
        until: payment.payable_until,
        recharge: payment.reference("recharge"),
    };
    match top_up::next(context, call, &wanted, payment.top_up.as_ref()).await {
        Next::Keep(planned) => Some(Payment { top_up: Some(planned), ..payment.clone() }),
        Next::TryAgain => after(context, payment, pay(context, call, payment, "pay/2").await),
        Next::GiveUp(code) => Some(lifecycle::failed(payment, code.code)),
        Next::Wait => None,
    }
}

/// The payment after the ledger was asked; none if that has not said for ever how it ends.
fn after(context: &Context, payment: &Payment, tried: Tried) -> Option<Payment> {
    match tried {
        Tried::Paid(entered_at) => {
            Some(lifecycle::approved(payment, Moved::recorded(entered_at, context.clock.now())))
        }
        Tried::Refused(code) => Some(lifecycle::failed(payment, code.code)),
        Tried::Unknown => None,
    }
}

/// What came of asking the ledger.
enum Tried {
    /// The wallet is debited, since this moment.
    Paid(Timestamp),
    /// It is not, and never will be by this step.
    Refused(&'static Code),
    /// Nobody knows.
    Unknown,
}

async fn pay<I>(context: &Context, call: &Call<I>, payment: &Payment, step: &str) -> Tried {
    let order = TransferOrder {
        debit: TransferParty::Member { membership_id: payment.membership_id },
        credit: TransferParty::Franchise { franchise_id: payment.franchise_id },
        amount: payment.amount,
        expires_at: Some(payment.payable_until),
    };
    let (member, reference) = (Some(payment.membership_id), Some(payment.reference(step)));
    match context.call(&TRANSFER_MONEY, call, member, reference, &order).await {
        Ok(entry) => Tried::Paid(entry.transferred_at),
        Err(CallError::Refused(problem)) => known(&problem),
        Err(CallError::Unanswered(error)) => {
            tracing::warn!(cause = %error, "money did not answer a payment");
            Tried::Unknown
        }
    }
}

/// A refusal ends a payment only if it is known to be for ever: anything else is a fault on our side and says nothing
/// of the wallet, so the payment waits, and the log tells.
fn known(problem: &Problem) -> Tried {
    match refusals::final_code(problem) {
        Some(code) => Tried::Refused(code),
        None => {
            tracing::error!(code = %problem.code, "a payment was refused for an unknown reason");
            Tried::Unknown
        }
    }
}

/// Leaves the payment for the relay's message or the sweeper, and its lease to whoever comes.
pub async fn wait(context: &Context, payment: Payment) -> Result<Payment, Problem> {
    let attempts = payment.attempts.saturating_add(1);
    save(context, Payment { attempts, leased_until: context.clock.now(), ..payment }).await
}

/// Saves a changed payment if nobody changed it since it was read; otherwise answers what is there now.
///
/// Whoever was first has run the same steps under the same references, so its outcome is ours.
pub async fn save(context: &Context, changed: Payment) -> Result<Payment, Problem> {
    match put(context, changed).await? {
        Put::Done(payment) | Put::SomebodyElse(payment) => Ok(payment),
    }
}

/// Changes a payment by a decision, which is made again on what is there if somebody else was first. A decision that
/// has nothing to change answers the payment as it is.
pub async fn change(
    context: &Context,
    payment: Payment,
    decide: impl Fn(&Payment) -> Result<Option<Payment>, Problem>,
) -> Result<Payment, Problem> {
    let mut payment = payment;
    for _ in 0..TRIES {
        let Some(changed) = decide(&payment)? else { return Ok(payment) };
        match put(context, changed).await? {
            Put::Done(payment) => return Ok(payment),
            Put::SomebodyElse(there) => payment = there,
        }
    }
    Err(Problem::unavailable("the payment kept changing"))
}

/// What came of a conditional put.
enum Put {
    /// It is there.
    Done(Payment),
    /// Somebody else has changed it: this is there.
    SomebodyElse(Payment),
}

async fn put(context: &Context, changed: Payment) -> Result<Put, Problem> {
    let unchanged = Condition::number("version", changed.version);
    let id = changed.payment_id;
    let changed = Payment { version: changed.version.saturating_add(1), ..changed };
    match context.table.commit(&[Write::put(&changed, unchanged)?]).await {
        Ok(()) => Ok(Put::Done(changed)),
        Err(error) if error.is_collision() => {
            let there = match error.found(0) {
                Some(found) => Some(store::read(found.clone())?),
                None => find(context, id).await?,
            };
            there.map(Put::SomebodyElse).ok_or_else(|| Problem::internal("a payment has vanished"))
        }
        Err(error) => Err(error.into()),
    }
}

/// The answer to the one who asked: paid, refused, or to be continued.
pub fn reply(payment: &Payment, shown: answers::Payment) -> Result<Reply<answers::Payment>, Problem> {
    match payment.state {
        PaymentState::Normal => Ok(Reply::created(payment.location(), shown)),
        PaymentState::Requested => Ok(Reply::accepted(payment.location(), shown)),
        PaymentState::Failed => {
            let reason = payment.failure_reason.as_deref().unwrap_or_default();
            Err(Problem { location: Some(payment.location()), ..refusals::of_reason(reason) })
        }
    }
}
