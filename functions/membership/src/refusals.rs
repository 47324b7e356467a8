//! Membership's own codes, and how each refusal is answered.

use crate::domain::{Fault, Refusal};
use contract::{
    Code, FieldError, Problem,
    money_codes::{MONEY_HELD, RECHARGE_EXPECTED, WALLET_NOT_EMPTY},
    peers::WhatIsLeft,
    problem::{IDEMPOTENCY_KEY_REUSED, PRECONDITION_FAILED, code},
};

/// One email, one member.
pub static EMAIL_TAKEN: Code = code(409, "email_taken", "Another member has this email.");
/// Said of an unknown email and of a wrong password alike.
pub static INVALID_CREDENTIALS: Code =
    code(401, "invalid_credentials", "Email and password are not those of a member.");
/// Said whether or not anybody has the email.
pub static LOGIN_LOCKED: Code = code(429, "login_locked", "Too many logins with this email have failed.");
/// Said whether or not anybody has the email.
pub static TOO_MANY_EMAIL_CHANGES: Code =
    code(429, "too_many_email_changes", "The email was to be changed too often today.");
/// Unknown, expired, or of a session that was ended.
pub static INVALID_REFRESH_TOKEN: Code =
    code(401, "invalid_refresh_token", "The refresh token cannot be used: log in again.");
/// A spent token: somebody else may have it.
pub static REFRESH_TOKEN_REUSED: Code = code(
    401,
    "refresh_token_reused",
    "The refresh token was used before, so its session has been ended: log in again.",
);

/// The member owns a franchise that is open.
pub static FRANCHISE_OPEN: Code =
    code(409, "franchise_open", "A franchise of the member is open: close it first.");
/// The member owns a franchise that is closed and still to be paid out.
pub static FRANCHISE_UNSETTLED: Code = code(
    409,
    "franchise_unsettled",
    "A closed franchise of the member is still to be settled, which takes two days: ask again then.",
);

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::Invalid(faults) => Problem::fields(faults.into_iter().map(field).collect()),
            Refusal::KeyReused => (&IDEMPOTENCY_KEY_REUSED).into(),
            Refusal::EmailTaken => (&EMAIL_TAKEN).into(),
            Refusal::Changed => (&PRECONDITION_FAILED).into(),
            Refusal::Locked(seconds) => {
                Problem::new(&LOGIN_LOCKED, format!("Try again in {seconds} seconds.")).retry_after(seconds)
            }
            Refusal::EmailChanged(seconds) => {
                Problem::new(&TOO_MANY_EMAIL_CHANGES, format!("Try again in {seconds} seconds."))
                    .retry_after(seconds)
            }
            Refusal::WrongCredentials => (&INVALID_CREDENTIALS).into(),
            Refusal::UnknownToken => (&INVALID_REFRESH_TOKEN).into(),
            Refusal::TokenReused => (&REFRESH_TOKEN_REUSED).into(),
            Refusal::FranchiseOpen => (&FRANCHISE_OPEN).into(),
            Refusal::FranchiseUnsettled => (&FRANCHISE_UNSETTLED).into(),
            Refusal::MoneyLeft(WhatIsLeft::Held) => (&MONEY_HELD).into(),
            Refusal::MoneyLeft(WhatIsLeft::Expected) => (&RECHARGE_EXPECTED).into(),
            Refusal::MoneyLeft(WhatIsLeft::Balance) => (&WALLET_NOT_EMPTY).into(),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        Refusal::Invalid(vec![fault]).into()
    }
}

fn field(fault: Fault) -> FieldError {
    FieldError { pointer: fault.pointer.to_owned(), code: "invalid_value".into(), detail: fault.detail }
}
