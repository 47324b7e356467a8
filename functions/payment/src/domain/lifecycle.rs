//! What may become of a payment.
//!
//! ```text
//! requested ──▶ normal ──▶ settled
//!     └───────▶ failed
//! ```
//!
//! Cancellations change no state: a payment that was taken back in full is still settled, with nothing in it.

use crate::{
    domain::Refusal,
    items::{Payment, PaymentState},
};
use kernel::Timestamp;

/// The payment when the wallet was debited.
pub fn approved(payment: &Payment, approved_at: Timestamp) -> Payment {
    Payment { state: PaymentState::Normal, approved_at: Some(approved_at), attempts: 0, ..payment.clone() }
}

/// The payment when it is certain that the wallet was not and will not be debited.
pub fn failed(payment: &Payment, reason: &str) -> Payment {
    Payment { state: PaymentState::Failed, failure_reason: Some(reason.to_owned()), ..payment.clone() }
}

/// The payment when it is settled. None if it is already.
pub fn settled(payment: &Payment, now: Timestamp) -> Result<Option<Payment>, Refusal> {
    match (payment.state, payment.approved_at) {
        (PaymentState::Settled, _) => Ok(None),
        (PaymentState::Normal, Some(approved_at)) => {
            let settled_at = Some(now.max(approved_at));
            Ok(Some(Payment { state: PaymentState::Settled, settled_at, ..payment.clone() }))
        }
        _ => Err(Refusal::NotApproved),
    }
}
