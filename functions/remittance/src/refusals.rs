//! Why a remittance is refused: its own code, and those of the services that it goes through.

use contract::{Code, Problem, bank_codes, money_codes, problem::code};

/// Sender and receiver are the same member.
pub static TO_ONESELF: Code = code(422, "remittance_to_oneself", "A member cannot remit to themselves.");

/// The codes that a remittance may be refused with, or end with.
pub static CODES: &[&Code] = &[
    &TO_ONESELF,
    &bank_codes::PAYEE_NOT_ALLOWED,
    &bank_codes::UNKNOWN_TO_BANK,
    &bank_codes::HOLDER_MISMATCH,
    &money_codes::WALLET_CLOSED,
    &money_codes::RECEIVER_CLOSED,
    &money_codes::RECEIVER_NOT_FOUND,
    &money_codes::EACH_LIMIT_EXCEEDED,
    &money_codes::INSUFFICIENT_BALANCE,
    &money_codes::DAY_LIMIT_EXCEEDED,
    &money_codes::MONTH_LIMIT_EXCEEDED,
    &money_codes::WALLET_CAP_EXCEEDED,
    &money_codes::RECEIVER_CAP_EXCEEDED,
    &money_codes::EXPIRED,
    &money_codes::BANK_DECLINED,
    &money_codes::BANK_ACCOUNT_NOT_FOUND,
];

/// The problem that a failed remittance is answered with: money's own code, or the bank's reason in words.
pub fn of_reason(reason: &str) -> Problem {
    match money_codes::named(reason) {
        Some(code) => code.into(),
        None => {
            Problem::new(&money_codes::BANK_DECLINED, format!("The bank did not move the money: {reason}."))
        }
    }
}
