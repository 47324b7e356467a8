//! Why money says no. Its callers' sagas end for the same reasons, so the codes are everybody's.

use crate::{Code, problem::code};

/// The step was asked for before, with other terms.
pub static OTHER_TERMS: Code = code(422, "other_terms", "This step was asked for before with other terms.");
/// The step's birth lies in this clock's future.
pub static BORN_LATER: Code = code(503, "born_later", "The step's time lies ahead of this clock: ask again.");
/// Debit and credit are the same wallet.
pub static SAME_WALLET: Code = code(422, "same_wallet", "A wallet cannot transfer to itself.");
/// The wallet is closed.
pub static WALLET_CLOSED: Code = code(409, "wallet_closed", "The wallet is closed.");
/// The receiving wallet is closed.
pub static RECEIVER_CLOSED: Code = code(409, "receiver_closed", "The receiving wallet is closed.");
/// Too much at once.
pub static EACH_LIMIT_EXCEEDED: Code =
    code(422, "each_limit_exceeded", "The amount is above the limit for one transaction.");
/// Not enough money.
pub static INSUFFICIENT_BALANCE: Code = code(422, "insufficient_balance", "The wallet's balance is too low.");
/// Too much today.
pub static DAY_LIMIT_EXCEEDED: Code =
    code(422, "day_limit_exceeded", "The limit for one day would be exceeded.");
/// Too much this month.
pub static MONTH_LIMIT_EXCEEDED: Code =
    code(422, "month_limit_exceeded", "The limit for one month would be exceeded.");
/// The wallet would hold too much.
pub static WALLET_CAP_EXCEEDED: Code =
    code(422, "wallet_cap_exceeded", "The wallet would hold more than it may.");
/// The receiver's wallet would hold too much.
pub static RECEIVER_CAP_EXCEEDED: Code =
    code(422, "receiver_cap_exceeded", "The receiving wallet would hold more than it may.");
/// The hold was given up before it was made.
pub static HOLD_CLOSED: Code = code(409, "hold_closed", "This hold was released before it was made.");
/// The wallet cannot be closed, because money is in it.
pub static WALLET_NOT_EMPTY: Code = code(409, "wallet_not_empty", "There is money in the wallet.");
/// The wallet cannot be closed, because money is held.
pub static MONEY_HELD: Code =
    code(409, "money_held", "Money in the wallet is held for something on its way.");
/// The wallet cannot be closed, because a recharge is on its way.
pub static RECHARGE_EXPECTED: Code =
    code(409, "recharge_expected", "A recharge of the wallet is on its way.");
/// The step's time is over.
pub static EXPIRED: Code = code(422, "expired", "This was not done in its time, and will not be.");
/// Nobody has the wallet that the money should go to.
pub static RECEIVER_NOT_FOUND: Code =
    code(422, "receiver_not_found", "There is no such member to receive it.");
/// There is nothing to post.
pub static NOT_HELD: Code = code(422, "not_held", "No hold of this amount stands under this reference.");
/// There is no wallet.
///
/// Only a version of getBalanceRequest from before says so, which may still answer in the middle of a deployment.
pub static WALLET_NOT_FOUND: Code = code(404, "wallet_not_found", "There is no such wallet.");
/// The bank declined.
pub static BANK_DECLINED: Code = code(422, "bank_declined", "The bank did not move the money.");
/// The linked account cannot be used.
pub static BANK_ACCOUNT_NOT_FOUND: Code =
    code(422, "bank_account_not_found", "There is no such linked bank account of this member.");

/// The codes that money refuses an order with, for ever: a saga that meets one of them ends with it.
pub static FINAL: &[&Code] = &[
    &WALLET_CLOSED,
    &RECEIVER_CLOSED,
    &RECEIVER_NOT_FOUND,
    &EACH_LIMIT_EXCEEDED,
    &INSUFFICIENT_BALANCE,
    &DAY_LIMIT_EXCEEDED,
    &MONTH_LIMIT_EXCEEDED,
    &WALLET_CAP_EXCEEDED,
    &RECEIVER_CAP_EXCEEDED,
    &EXPIRED,
    &BANK_DECLINED,
    &BANK_ACCOUNT_NOT_FOUND,
];

/// The final code of this name.
pub fn named(name: &str) -> Option<&'static Code> {
    FINAL.iter().find(|code| code.code == name).copied()
}
