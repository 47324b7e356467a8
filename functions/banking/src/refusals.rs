//! Why banking says no: each refusal has a stable code.

use contract::{Code, problem::code};

pub use contract::bank_codes::*;

/// The number is linked already, here or by another member.
pub static ALREADY_LINKED: Code =
    code(409, "bank_account_already_linked", "This account number is linked already.");
/// Pay's own account at the bank.
pub static NOT_LINKABLE: Code =
    code(422, "bank_account_not_linkable", "This account belongs to Pay and cannot be a member's.");
/// A firmbanking is not final.
pub static IN_USE: Code =
    code(409, "bank_account_in_use", "A transfer from or to this bank account is not finished yet.");
/// The member has closed their membership.
pub static MEMBER_LEFT: Code = code(409, "member_left", "The membership is closed.");
/// An order names an account that is not linked, or not the member's.
pub static BANK_ACCOUNT_NOT_FOUND: Code =
    code(422, "bank_account_not_found", "There is no such linked bank account of this member.");
/// An order between two accounts of which not exactly one is Pay's own.
pub static NOT_WITH_CORPORATE: Code = code(
    422,
    "corporate_account_required",
    "A firmbanking goes between a linked account and the corporate account.",
);
