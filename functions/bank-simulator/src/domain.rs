//! The bank's rules: what becomes of a transfer, decided without I/O.

use kernel::{Money, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest time for which an answer may be held back.
pub const MOST_DELAY_MILLIS: u32 = 15_000;
/// The usual one: longer than a client waits.
pub const USUAL_DELAY_MILLIS: u32 = 7_000;

/// How the bank treats transfers from or to an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Does them.
    #[default]
    Normal,
    /// Declines them, for good.
    Decline,
    /// Waits first, then does them and answers: the transfer comes after its caller has given up.
    Slow,
    /// Does them at once and never says so.
    #[serde(alias = "silentDone")]
    Timeout,
    /// Loses them on the way: does nothing and says nothing.
    Lost,
    /// Gets each one twice, and answers the second time.
    AnswerTwice,
    /// Answers everything that concerns the account with 503 and does nothing.
    Down,
}

/// How a transfer ended. Nothing ever changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TransferState {
    /// The money has moved.
    Done,
    /// The money has not moved and will not under this id.
    Declined,
    /// The id was voided before a transfer came: one that comes later is refused.
    Voided,
}

/// Why a transfer was declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decline {
    /// One of the accounts does not exist.
    AccountNotFound,
    /// Source and destination are the same.
    SameAccount,
    /// The bank was told to decline.
    Declined,
    /// The source has too little.
    InsufficientFunds,
    /// The destination would have more than the bank can count.
    BalanceLimit,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The account to debit.
    pub source: String,
    /// The account to credit.
    pub destination: String,
    /// How much.
    pub amount: Money,
}

/// The balances after a transfer, or why there is none. The first reason that applies is the one given.
pub fn settle(
    terms: &Terms,
    source: Option<Money>,
    destination: Option<Money>,
    told_to_decline: bool,
) -> Result<(Money, Money), Decline> {
    let (Some(source), Some(destination)) = (source, destination) else {
        return Err(Decline::AccountNotFound);
    };
    if terms.source == terms.destination {
        return Err(Decline::SameAccount);
    }
    if told_to_decline {
        return Err(Decline::Declined);
    }
    let less = source.minus(terms.amount).map_err(|_| Decline::InsufficientFunds)?;
    let more = destination.plus(terms.amount).map_err(|_| Decline::BalanceLimit)?;
    Ok((less, more))
}

/// Whether a text is an account number: 8 to 20 digits.
pub fn is_account_number(text: &str) -> bool {
    (8..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text may name a transfer: 1 to 64 letters, digits, underscores or hyphens.
pub fn is_transfer_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// A moment that is not before another: an account's entries are in the order of time.
pub fn not_before(now: Timestamp, earlier: Timestamp) -> Timestamp {
    now.max(earlier)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms(amount: u64, same: bool) -> Terms {
        let destination = if same { "11111111" } else { "22222222" };
        Terms {
            source: "11111111".to_owned(),
            destination: destination.to_owned(),
            amount: Money::try_won(amount).unwrap(),
        }
    }

    fn balance() -> impl Strategy<Value = Option<u64>> {
        prop::option::of(prop_oneof![0..5_u64, Just(Money::MAX.amount() - 1), Just(Money::MAX.amount())])
    }

    proptest! {
        #[test]
        fn a_transfer_moves_its_amount_or_nothing(amount in 1..4_u64, source in balance(), destination in balance(), same: bool, told: bool) {
            let won = |amount: u64| Money::try_won(amount).unwrap();
            match settle(&terms(amount, same), source.map(won), destination.map(won), told) {
                Ok((less, more)) => {
                    prop_assert!(!same && !told);
                    prop_assert_eq!(less.amount() + amount, source.unwrap());
                    prop_assert_eq!(more.amount(), destination.unwrap() + amount);
                }
                Err(Decline::AccountNotFound) => prop_assert!(source.is_none() || destination.is_none()),
                Err(Decline::SameAccount) => prop_assert!(same),
                Err(Decline::Declined) => prop_assert!(told),
                Err(Decline::InsufficientFunds) => prop_assert!(source.unwrap() < amount),
                Err(Decline::BalanceLimit) => prop_assert!(destination.unwrap() + amount > Money::MAX.amount()),
            }
        }
    }

    #[test]
    fn numbers_and_ids_have_their_form() {
        for (text, number, id) in [
            ("12345678", true, true),
            ("1234567", false, true),
            ("123456789012345678901", false, true),
            ("1234-5678", false, true),
            ("１２３４５６７８", false, false),
            ("", false, false),
            ("fbk_01", false, true),
            ("a b", false, false),
            (&"a".repeat(65), false, false),
        ] {
            assert_eq!((is_account_number(text), is_transfer_id(text)), (number, id), "{text}");
        }
    }
}
