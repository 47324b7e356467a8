//! The steps of a hold, as other services ask for them: the call's reference names the hold in all of them.
//!
//! The hold is an entry under that reference, and whatever closes it is one under `{hold}/close`. So it is made once
//! and closed once, however many ask, and only the first way of closing it is done.

use crate::{
    chains,
    domain::{Order, Step, close_reference},
    settings::Settings,
};
use contract::{Call, Context, Problem, Reply, peers::HoldEntry, problem};
use kernel::{Money, Timestamp, id::MembershipId};

/// Takes a step of the hold that the call's reference names.
pub async fn take<I>(
    context: &Context,
    call: &Call<I>,
    owner: MembershipId,
    step: Step,
    expires_at: Option<Timestamp>,
) -> Result<Reply<HoldEntry>, Problem> {
    let hold = call.reference.clone().ok_or(&problem::IDEMPOTENCY_KEY_REQUIRED)?;
    let reference = if let Step::Hold(_) = step { hold } else { close_reference(&hold) };
    let order = Order { step, reference, expires_at, traceparent: call.trace.traceparent().to_owned() };
    let limits = Settings::of(context)?.limits;
    let mut chain = chains::load(context, owner, order.reference.birth).await?;

    let entry = chains::append(context, &mut chain, &order, &limits).await?;

    Ok(Reply::ok(HoldEntry {
        wallet_id: entry.wallet_id,
        sequence: entry.sequence,
        amount: entry.amount,
        balance: entry.standing.balance,
        held: entry.standing.held,
        entered_at: entry.time,
    }))
}

/// The amount, unless it is nothing.
pub fn at_least_one(amount: Money) -> Result<Money, Problem> {
    if amount.is_zero() { Err(Problem::field("/amount/amount", "must be at least 1")) } else { Ok(amount) }
}
