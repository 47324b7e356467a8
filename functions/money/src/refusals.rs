//! Why money says no, in the order in which it looks: each refusal has a stable code.

use contract::{Code, Problem, problem::code};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
/// There is nothing to post.
pub static NOT_HELD: Code = code(422, "not_held", "No hold of this amount stands under this reference.");
/// There is no wallet.
pub static WALLET_NOT_FOUND: Code = code(404, "wallet_not_found", "There is no such wallet.");
/// The bank declined.
pub static BANK_DECLINED: Code = code(422, "bank_declined", "The bank did not move the money.");
/// The linked account cannot be used.
pub static BANK_ACCOUNT_NOT_FOUND: Code =
    code(422, "bank_account_not_found", "There is no such linked bank account of this member.");

/// Why the ledger refused a step. A refusal is an entry, so that every later attempt of the step is refused alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The wallet is closed.
    #[error("the wallet is closed")]
    WalletClosed,
    /// The receiving wallet is closed.
    #[error("the receiving wallet is closed")]
    ReceiverClosed,
    /// Too much at once.
    #[error("above the limit for one transaction")]
    EachLimitExceeded,
    /// Not enough money.
    #[error("the balance is too low")]
    InsufficientBalance,
    /// Too much today.
    #[error("above the limit for one day")]
    DayLimitExceeded,
    /// Too much this month.
    #[error("above the limit for one month")]
    MonthLimitExceeded,
    /// The wallet would hold too much.
    #[error("above the wallet's cap")]
    WalletCapExceeded,
    /// The receiver's wallet would hold too much.
    #[error("above the receiving wallet's cap")]
    ReceiverCapExceeded,
    /// The hold was given up before it was made.
    #[error("released before it was made")]
    HoldClosed,
    /// Money is held.
    #[error("money is held")]
    MoneyHeld,
    /// A recharge is on its way.
    #[error("a recharge is on its way")]
    RechargeExpected,
    /// There is money in it.
    #[error("there is money in the wallet")]
    WalletNotEmpty,
}

impl Refusal {
    /// Its code.
    pub fn code(self) -> &'static Code {
        match self {
            Refusal::WalletClosed => &WALLET_CLOSED,
            Refusal::ReceiverClosed => &RECEIVER_CLOSED,
            Refusal::EachLimitExceeded => &EACH_LIMIT_EXCEEDED,
            Refusal::InsufficientBalance => &INSUFFICIENT_BALANCE,
            Refusal::DayLimitExceeded => &DAY_LIMIT_EXCEEDED,
            Refusal::MonthLimitExceeded => &MONTH_LIMIT_EXCEEDED,
            Refusal::WalletCapExceeded => &WALLET_CAP_EXCEEDED,
            Refusal::ReceiverCapExceeded => &RECEIVER_CAP_EXCEEDED,
            Refusal::HoldClosed => &HOLD_CLOSED,
            Refusal::MoneyHeld => &MONEY_HELD,
            Refusal::RechargeExpected => &RECHARGE_EXPECTED,
            Refusal::WalletNotEmpty => &WALLET_NOT_EMPTY,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        refusal.code().into()
    }
}

/// The problem that a failed money request is answered with: the ledger's own code, or the bank's reason in words.
pub fn of_reason(reason: &str) -> Problem {
    let own: Result<Refusal, _> = serde_json::from_value(serde_json::Value::String(reason.to_owned()));
    match own {
        Ok(refusal) => refusal.into(),
        Err(_) if reason == BANK_ACCOUNT_NOT_FOUND.code => (&BANK_ACCOUNT_NOT_FOUND).into(),
        Err(_) => Problem::new(&BANK_DECLINED, format!("The bank did not move the money: {reason}.")),
    }
}

/// The codes that a recharge may end with.
pub static RECHARGE_CODES: &[&Code] = &[
    &WALLET_CLOSED,
    &EACH_LIMIT_EXCEEDED,
    &DAY_LIMIT_EXCEEDED,
    &MONTH_LIMIT_EXCEEDED,
    &WALLET_CAP_EXCEEDED,
    &BANK_ACCOUNT_NOT_FOUND,
    &BANK_DECLINED,
    &BORN_LATER,
];

/// The codes that a withdrawal may end with.
pub static WITHDRAWAL_CODES: &[&Code] = &[
    &WALLET_CLOSED,
    &EACH_LIMIT_EXCEEDED,
    &INSUFFICIENT_BALANCE,
    &DAY_LIMIT_EXCEEDED,
    &MONTH_LIMIT_EXCEEDED,
    &BANK_ACCOUNT_NOT_FOUND,
    &BANK_DECLINED,
    &BORN_LATER,
];
