//! Payment's own codes, and how each refusal is answered.

use crate::domain::Refusal;
use contract::{
    Code, Problem,
    franchise_codes::{FRANCHISE_CLOSED, FRANCHISE_NOT_FOUND},
    money_codes,
    problem::{IDEMPOTENCY_KEY_REUSED, code},
};

/// The payment was not made.
pub static PAYMENT_NOT_APPROVED: Code =
    code(409, "payment_not_approved", "The payment was not made, or not yet.");
/// All of it was cancelled.
pub static NOTHING_LEFT_TO_CANCEL: Code =
    code(409, "nothing_left_to_cancel", "The payment was cancelled in full before.");
/// More than there is.
pub static CANCELLATION_EXCEEDS_PAYMENT: Code =
    code(422, "cancellation_exceeds_payment", "The amount is more than is left of the payment.");
/// Too many parts.
pub static TOO_MANY_CANCELLATIONS: Code = code(
    409,
    "too_many_cancellations",
    "The payment was cancelled in so many parts that the next one must be all that is left.",
);
/// Not in a settlement.
pub static PAYMENT_NOT_SETTLED: Code =
    code(409, "payment_not_settled", "The payment is not settled yet: only a settlement makes it so.");
/// Another content under the same name.
pub static OTHER_MANIFEST: Code = code(
    409,
    "other_manifest",
    "The manifest of this name was begun over other days, or beside other settlements.",
);
/// Not to its end.
pub static MANIFEST_INCOMPLETE: Code =
    code(409, "manifest_incomplete", "The manifest is not collected to its end.");
/// In another settlement.
pub static SETTLED_OTHERWISE: Code = code(
    409,
    "settled_otherwise",
    "The franchise's business days through this one are settled in another settlement.",
);

/// The codes that a payment is refused or may end with.
pub static REQUEST_CODES: &[&Code] = &[
    &FRANCHISE_NOT_FOUND,
    &FRANCHISE_CLOSED,
    &money_codes::WALLET_CLOSED,
    &money_codes::EACH_LIMIT_EXCEEDED,
    &money_codes::INSUFFICIENT_BALANCE,
    &money_codes::DAY_LIMIT_EXCEEDED,
    &money_codes::MONTH_LIMIT_EXCEEDED,
    &money_codes::WALLET_CAP_EXCEEDED,
    &money_codes::EXPIRED,
    &money_codes::BANK_DECLINED,
    &money_codes::BANK_ACCOUNT_NOT_FOUND,
];

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::NoSuchFranchise => (&FRANCHISE_NOT_FOUND).into(),
            Refusal::FranchiseClosed => (&FRANCHISE_CLOSED).into(),
            Refusal::KeyReused => (&IDEMPOTENCY_KEY_REUSED).into(),
            Refusal::NotApproved => (&PAYMENT_NOT_APPROVED).into(),
            Refusal::NothingLeft => (&NOTHING_LEFT_TO_CANCEL).into(),
            Refusal::MoreThanIsLeft => (&CANCELLATION_EXCEEDS_PAYMENT).into(),
            Refusal::TooManyParts => (&TOO_MANY_CANCELLATIONS).into(),
            Refusal::NotSettled => (&PAYMENT_NOT_SETTLED).into(),
            Refusal::OtherManifest => (&OTHER_MANIFEST).into(),
            Refusal::ManifestIncomplete => (&MANIFEST_INCOMPLETE).into(),
            Refusal::SettledOtherwise => (&SETTLED_OTHERWISE).into(),
        }
    }
}

/// The problem that a failed payment is answered with.
pub fn of_reason(reason: &str) -> Problem {
    match REQUEST_CODES.iter().find(|code| code.code == reason) {
        Some(code) => (*code).into(),
        None => Problem::internal(format!("a payment failed with {reason}")),
    }
}

/// The code with which money ended a step for ever, if it is one that a payment can end with.
pub fn final_code(problem: &Problem) -> Option<&'static Code> {
    let ends = |code: &&&Code| money_codes::named(code.code).is_some() && problem.is(code);
    REQUEST_CODES.iter().find(ends).copied()
}
