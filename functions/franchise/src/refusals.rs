//! Franchise's own codes, and how each refusal is answered.

use crate::domain::Refusal;
pub use contract::franchise_codes::FRANCHISE_CLOSED;
use contract::{
    Code, Problem,
    problem::{IDEMPOTENCY_KEY_REUSED, PRECONDITION_FAILED, code},
};

/// A merchant names a fee.
pub static FEE_SET_BY_OPERATOR: Code =
    code(403, "fee_set_by_operator", "Only an operator sets a franchise's fee.");
/// The schedule of fees is full.
pub static TOO_MANY_FEE_CHANGES: Code =
    code(409, "too_many_fee_changes", "The fee has changed so often lately that it cannot change again yet.");
/// The settlement account is not linked, or not the owner's.
pub static BANK_ACCOUNT_NOT_FOUND: Code =
    code(422, "bank_account_not_found", "There is no such linked bank account of this member.");

/// The owner is no member any more.
pub static OWNER_LEFT: Code = code(409, "owner_left", "The owner's membership is closed.");

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::FeeByMerchant => (&FEE_SET_BY_OPERATOR).into(),
            Refusal::Invalid(pointer, detail) => Problem::field(pointer, detail),
            Refusal::KeyReused => (&IDEMPOTENCY_KEY_REUSED).into(),
            Refusal::Closed => (&FRANCHISE_CLOSED).into(),
            Refusal::Changed => (&PRECONDITION_FAILED).into(),
            Refusal::TooManyFees => (&TOO_MANY_FEE_CHANGES).into(),
            Refusal::NoSuchBankAccount => (&BANK_ACCOUNT_NOT_FOUND).into(),
            Refusal::OwnerLeft => (&OWNER_LEFT).into(),
        }
    }
}
