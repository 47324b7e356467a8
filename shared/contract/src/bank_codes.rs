//! Why banking says no to an account at the bank. Remittance answers its own callers with the same codes.

use crate::{Code, problem::code};

/// The bank has no such account.
pub static UNKNOWN_TO_BANK: Code =
    code(422, "account_unknown_to_bank", "The bank knows no account with this number.");
/// The account is somebody else's.
pub static HOLDER_MISMATCH: Code = code(422, "holder_mismatch", "The bank says that the holder is another.");
/// The account is one that nobody remits to.
pub static PAYEE_NOT_ALLOWED: Code =
    code(422, "payee_not_allowed", "This account is Pay's own: it takes no remittances.");

/// The codes that a payee is refused with.
pub static PAYEE: &[&Code] = &[&UNKNOWN_TO_BANK, &HOLDER_MISMATCH, &PAYEE_NOT_ALLOWED];
