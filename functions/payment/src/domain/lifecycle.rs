//! What may become of a payment.
//!
//! ```text
//! requested ──▶ normal
//!     └───────▶ failed
//! ```
//!
//! Cancellations change no state, and neither does settlement: a settled payment is one that a settlement lists.

use crate::items::{Payment, PaymentState};
use kernel::Timestamp;

/// The payment when the wallet was debited.
pub fn approved(payment: &Payment, approved_at: Timestamp) -> Payment {
    Payment { state: PaymentState::Normal, approved_at: Some(approved_at), attempts: 0, ..payment.clone() }
}

/// The payment when it is certain that the wallet was not and will not be debited.
pub fn failed(payment: &Payment, reason: &str) -> Payment {
    Payment { state: PaymentState::Failed, failure_reason: Some(reason.to_owned()), ..payment.clone() }
}
