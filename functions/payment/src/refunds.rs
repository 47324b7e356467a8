//! The second half of a cancellation: the money goes back, and the payment's item says so.
//!
//! A cancellation that stands in the item will be paid back, whatever happens: its step is never refused, and is
//! idempotent under a reference of its own. So anybody may go on with it at any time. When the money has moved, the
//! cancellation gets a record of its own for settlement, and then the payment's item says so: whoever dies between is
//! followed by one who puts the same record again.

use crate::{
    domain::Moved,
    items::{Canceled, Cancellation, Payment},
    payments,
};
use contract::{
    Call, Context, Problem,
    peers::{TRANSFER_MONEY, TransferOrder, TransferParty},
};
use kernel::{Timestamp, id::CancellationId};
use store::{CommitError, Condition, Write};

/// How often the record is put again because somebody else is just putting it.
const TRIES: u32 = 4;

/// Pays back every part of a payment that is not back yet, as far as money answers.
pub async fn advance<I>(context: &Context, call: &Call<I>, payment: Payment) -> Result<Payment, Problem> {
    let open = payment.cancellations.iter().filter(|part| part.refunded_at.is_none());
    let open: Vec<CancellationId> = open.map(|part| part.cancellation_id).collect();
    let mut payment = payment;
    for id in open {
        payment = advance_one(context, call, payment, id).await?;
    }
    Ok(payment)
}

/// Pays back one part of a payment.
pub async fn advance_one<I>(
    context: &Context,
    call: &Call<I>,
    payment: Payment,
    id: CancellationId,
) -> Result<Payment, Problem> {
    let part = payment.cancellations.iter().find(|part| part.cancellation_id == id);
    let Some(part) = part.filter(|part| part.refunded_at.is_none()) else { return Ok(payment) };
    match refund(context, call, &payment, part).await {
        Some(entered_at) => {
            let moved = Moved::recorded(entered_at, context.clock.now());
            let moved = record(context, Canceled::of(&payment, part, moved)).await?.moved();
            payments::change(context, payment, |payment| Ok(refunded(payment, id, moved))).await
        }
        None => Ok(payment),
    }
}

/// Moves the money; none if nobody can say that it has moved.
async fn refund<I>(
    context: &Context,
    call: &Call<I>,
    payment: &Payment,
    part: &Cancellation,
) -> Option<Timestamp> {
    let order = TransferOrder {
        debit: TransferParty::Franchise { franchise_id: payment.franchise_id },
        credit: TransferParty::Member { membership_id: payment.membership_id },
        amount: part.amount,
        expires_at: None,
    };
    let (member, reference) = (Some(payment.membership_id), Some(payment.refund_reference(part)));
    let call = &call.in_trace_of(&part.traceparent);
    match context.call(&TRANSFER_MONEY, call, member, reference, &order).await {
        Ok(entry) => Some(entry.transferred_at),
        Err(error) => {
            tracing::warn!(cause = %error, "money did not take a cancellation back yet");
            None
        }
    }
}

/// Puts the record by which settlement takes the cancellation, or answers the one that is there: its place is fixed
/// from then on, and the payment's item must tell the same.
async fn record(context: &Context, canceled: Canceled) -> Result<Canceled, Problem> {
    let put = [Write::put(&canceled, Condition::Absent)?];
    for _ in 0..TRIES {
        match context.table.commit(&put).await {
            Ok(()) => return Ok(canceled),
            Err(CommitError::Contended) => {}
            Err(error) => {
                let found = error.found(0).cloned();
                return Ok(store::read(found.ok_or(error)?)?);
            }
        }
    }
    Err(Problem::unavailable("a contended put"))
}

/// The payment with this part back; none if it says so already.
fn refunded(payment: &Payment, id: CancellationId, moved: Moved) -> Option<Payment> {
    let mut changed = payment.clone();
    let open = |part: &&mut Cancellation| part.cancellation_id == id && part.refunded_at.is_none();
    let part = changed.cancellations.iter_mut().find(open)?;
    (part.refunded_at, part.entered_at) = (Some(moved.at), moved.entered_at);
    Some(changed)
}
