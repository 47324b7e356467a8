//! Amounts that may be below zero: what is left when more comes back than was paid.
//!
//! Only settlement's arithmetic needs them. What moves in the ledger is always a [`Money`] from one account to another.

use crate::{BasisPoints, Money, OutOfRange};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeStruct};
use std::{borrow::Cow, fmt};

/// An amount in won (KRW) from −(2^53 − 1) to 2^53 − 1.
///
/// On the wire it is `{"amount": -1200, "currency": "KRW"}`; in a table it is a plain number, see [`signed_won`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SignedMoney(i64);

impl SignedMoney {
    /// No money.
    pub const ZERO: SignedMoney = SignedMoney(0);

    /// A number of won from outside.
    pub const fn try_won(amount: i64) -> Result<SignedMoney, OutOfRange> {
        if amount.unsigned_abs() > Money::MAX.amount() { Err(OutOfRange) } else { Ok(SignedMoney(amount)) }
    }

    /// The number of won.
    pub const fn amount(self) -> i64 {
        self.0
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The sum.
    pub fn plus(self, other: SignedMoney) -> Result<SignedMoney, OutOfRange> {
        self.0.checked_add(other.0).ok_or(OutOfRange).and_then(SignedMoney::try_won)
    }

    /// The difference.
    pub fn minus(self, other: SignedMoney) -> Result<SignedMoney, OutOfRange> {
        self.0.checked_sub(other.0).ok_or(OutOfRange).and_then(SignedMoney::try_won)
    }

    /// How much it is above zero; nothing if it is below.
    pub fn above_zero(self) -> Money {
        if self.is_negative() { Money::ZERO } else { self.magnitude() }
    }

    /// How much it is below zero; nothing if it is above.
    pub fn below_zero(self) -> Money {
        if self.is_negative() { self.magnitude() } else { Money::ZERO }
    }

    /// A share of it, with what is less than a won cut off: toward zero, so that a share of an amount and of its
    /// opposite cancel each other.
    pub fn share(self, share: BasisPoints) -> SignedMoney {
        let whole = i128::from(BasisPoints::WHOLE.get());
        // 2^53 × 10 000 is far below 2^127, and a share is never more than the whole.
        let part = i128::from(self.0).saturating_mul(i128::from(share.get())).checked_div(whole);
        SignedMoney(part.and_then(|part| i64::try_from(part).ok()).unwrap_or_default())
    }

    fn magnitude(self) -> Money {
        Money::try_won(self.0.unsigned_abs()).unwrap_or(Money::MAX)
    }
}

impl From<Money> for SignedMoney {
    fn from(money: Money) -> SignedMoney {
        // 2^53 − 1 fits.
        SignedMoney(i64::try_from(money.amount()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for SignedMoney {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} won", self.0)
    }
}

impl fmt::Debug for SignedMoney {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for SignedMoney {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut wire = serializer.serialize_struct("SignedMoney", 2)?;
        wire.serialize_field("amount", &self.0)?;
        wire.serialize_field("currency", "KRW")?;
        wire.end()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    amount: i64,
    currency: Currency,
}

#[derive(Deserialize)]
enum Currency {
    #[serde(rename = "KRW")]
    Krw,
}

impl<'de> Deserialize<'de> for SignedMoney {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SignedMoney, D::Error> {
        let Wire { amount, currency: Currency::Krw } = Wire::deserialize(deserializer)?;
        SignedMoney::try_won(amount).map_err(D::Error::custom)
    }
}

impl JsonSchema for SignedMoney {
    fn schema_name() -> Cow<'static, str> {
        "SignedMoney".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let most = Money::MAX.amount();
        json_schema!({
            "type": "object",
            "description": "An amount in whole won that may be below zero",
            "properties": {
                "amount": { "type": "integer", "minimum": SignedMoney::from(Money::MAX).0.saturating_neg(), "maximum": most },
                "currency": { "type": "string", "const": "KRW" }
            },
            "required": ["amount", "currency"],
            "additionalProperties": false,
            "examples": [{ "amount": -1200, "currency": "KRW" }]
        })
    }
}

/// Stores [`SignedMoney`] as a plain number: `#[serde(with = "kernel::signed_money::signed_won")]`.
pub mod signed_won {
    use super::{Deserialize, Deserializer, Serializer, SignedMoney};
    use serde::de::Error as _;

    /// Writes the number of won.
    pub fn serialize<S: Serializer>(money: &SignedMoney, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(money.amount())
    }

    /// Reads the number of won, refusing what is out of range.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedMoney, D::Error> {
        SignedMoney::try_won(i64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a panic fails the test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: i64 = 9_007_199_254_740_991;

    proptest! {
        #[test]
        fn it_splits_into_above_and_below_zero(amount in -MOST..=MOST) {
            let money = SignedMoney(amount);
            let (above, below) = (SignedMoney::from(money.above_zero()), SignedMoney::from(money.below_zero()));
            prop_assert_eq!(above.minus(below), Ok(money));
            prop_assert!(money.above_zero().is_zero() || money.below_zero().is_zero());
            let text = serde_json::to_string(&money).unwrap();
            prop_assert_eq!(serde_json::from_str::<SignedMoney>(&text).unwrap(), money);
        }

        #[test]
        fn a_share_is_cut_toward_zero_and_mirrors(amount in -MOST..=MOST, share in 0..=10_000_u16) {
            let (money, share) = (SignedMoney(amount), BasisPoints::try_new(share).unwrap());
            let part = money.share(share);
            let exact = i128::from(amount) * i128::from(share.get());
            prop_assert!(i128::from(part.0).abs() * 10_000 <= exact.abs());
            prop_assert!((i128::from(part.0).abs() + 1) * 10_000 > exact.abs());
            prop_assert_eq!(SignedMoney(-amount).share(share), SignedMoney(-part.0));
        }
    }

    #[test]
    fn people_read_won_and_tables_keep_the_number() {
        #[derive(Serialize, Deserialize)]
        struct Item {
            #[serde(with = "signed_won")]
            amount: SignedMoney,
        }
        assert_eq!(SignedMoney(-1_200).to_string(), "-1200 won");
        assert_eq!(
            serde_json::to_string(&Item { amount: SignedMoney(-1_200) }).unwrap(),
            r#"{"amount":-1200}"#
        );
        assert_eq!(serde_json::from_str::<Item>(r#"{"amount":-1200}"#).unwrap().amount, SignedMoney(-1_200));
        assert!(serde_json::from_str::<Item>(r#"{"amount":-9007199254740992}"#).is_err());
    }

    #[test]
    fn only_what_is_below_zero_is_negative() {
        for (amount, negative) in [(-1, true), (0, false), (1, false)] {
            assert_eq!(SignedMoney(amount).is_negative(), negative, "{amount}");
        }
    }

    #[test]
    fn it_ends_where_money_ends() {
        assert_eq!(SignedMoney::try_won(MOST), Ok(Money::MAX.into()));
        assert_eq!(SignedMoney::try_won(-MOST).map(SignedMoney::amount), Ok(-MOST));
        assert_eq!(SignedMoney::try_won(-MOST - 1), Err(OutOfRange));
        assert_eq!(SignedMoney::try_won(MOST + 1), Err(OutOfRange));
        assert_eq!(SignedMoney(-MOST).minus(SignedMoney(1)), Err(OutOfRange));
        assert_eq!(SignedMoney(-MOST).plus(SignedMoney(MOST)), Ok(SignedMoney::ZERO));
        assert_eq!(SignedMoney(-3).plus(SignedMoney(5)), Ok(SignedMoney(2)));
    }
}
