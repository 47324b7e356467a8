//! What may become of a payment.
//!
//! ```text
//! requested ──▶ normal
//!     └───────▶ failed
//! ```
//!
//! Cancellations change no state, and neither does settlement: a settled payment is one that a settlement lists.

use crate::{
    domain::Moved,
    items::{Payment, PaymentState},
};

/// The payment when the wallet was debited.
pub fn approved(payment: &Payment, Moved { at, entered_at }: Moved) -> Payment {
    let (state, approved_at) = (PaymentState::Normal, Some(at));
    Payment { state, approved_at, entered_at, attempts: 0, ..payment.clone() }
}

/// The payment when it is certain that the wallet was not and will not be debited.
pub fn failed(payment: &Payment, reason: &str) -> Payment {
    Payment { state: PaymentState::Failed, failure_reason: Some(reason.to_owned()), ..payment.clone() }
}
