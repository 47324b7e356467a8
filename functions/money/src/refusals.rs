//! Why money says no, in the order in which it looks: each refusal has a stable code.

use contract::{Code, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use contract::money_codes::*;

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
    /// The step's time is over.
    #[error("too late")]
    Expired,
    /// Nobody has the wallet that the money should go to.
    #[error("there is no such receiver")]
    ReceiverNotFound,
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
            Refusal::Expired => &EXPIRED,
            Refusal::ReceiverNotFound => &RECEIVER_NOT_FOUND,
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
