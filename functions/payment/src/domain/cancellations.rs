//! Taking a payment back, in whole or in parts.
//!
//! The parts live in the payment's own item, and whoever adds one does so on the version that was decided on: so the
//! sum of the parts never passes the amount, however many ask at once. The last part that there is room for must be
//! all that is left, so that a payment can always be taken back in full.

use crate::{
    domain::Refusal,
    items::{Cancellation, Payment},
};
use kernel::Money;

/// How many parts a payment can be cancelled in.
pub const MOST: usize = 20;

/// What of a payment was cancelled, or is being cancelled.
pub fn canceled(payment: &Payment) -> Money {
    let sum = |sum: Money, part: &Cancellation| sum.plus(part.amount).unwrap_or(Money::MAX);
    payment.cancellations.iter().fold(Money::ZERO, sum)
}

/// What of it is left.
pub fn left(payment: &Payment) -> Money {
    payment.amount.minus_or_zero(canceled(payment))
}

/// The payment with one more cancellation: of this amount, or of all that is left. None if it has this one already.
pub fn add(
    payment: &Payment,
    wanted: &Cancellation,
    amount: Option<Money>,
) -> Result<Option<Payment>, Refusal> {
    let id = wanted.cancellation_id;
    if let Some(known) = payment.cancellations.iter().find(|known| known.cancellation_id == id) {
        return if known.fingerprint == wanted.fingerprint { Ok(None) } else { Err(Refusal::KeyReused) };
    }
    if !payment.is_approved() {
        return Err(Refusal::NotApproved);
    }
    let left = left(payment);
    if left.is_zero() {
        return Err(Refusal::NothingLeft);
    }
    let amount = amount.unwrap_or(left);
    if amount > left {
        return Err(Refusal::MoreThanIsLeft);
    }
    let is_last = payment.cancellations.len().saturating_add(1) >= MOST;
    if is_last && amount < left {
        return Err(Refusal::TooManyParts);
    }
    let mut changed = payment.clone();
    changed.cancellations.push(Cancellation { amount, ..wanted.clone() });
    Ok(Some(changed))
}
