//! Amounts of money in whole won.
//!
//! The won has no minor unit (ISO 4217 gives KRW exponent 0), so an amount is one integer. The upper bound is
//! 2^53 − 1, the largest integer that every JSON client reads exactly (RFC 8259, section 6).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeStruct};
use std::{borrow::Cow, fmt};

/// An amount that Pay cannot represent: below zero or above [`Money::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount leaves the range of 0 to 9007199254740991 won")]
pub struct OutOfRange;

/// A non-negative amount in won (KRW).
///
/// On the wire it is `{"amount": 15000, "currency": "KRW"}`; in a table it is a plain number, see [`won`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(u64);

impl Money {
    /// No money.
    pub const ZERO: Money = Money(0);
    /// The largest amount, 2^53 − 1 won.
    pub const MAX: Money = Money(9_007_199_254_740_991);

    /// An amount of won known when the program is written. Larger constants than [`Money::MAX`] do not compile
    /// when used in a `const`.
    pub const fn won(amount: u32) -> Money {
        // A u32 always fits; `From` is not usable in a const context.
        #[allow(clippy::as_conversions, reason = "lossless widening, and From is not const")]
        Money(amount as u64)
    }

    /// An amount of won from outside.
    pub const fn try_won(amount: u64) -> Result<Money, OutOfRange> {
        if amount > Money::MAX.0 { Err(OutOfRange) } else { Ok(Money(amount)) }
    }

    /// The number of won.
    pub const fn amount(self) -> u64 {
        self.0
    }

    /// Whether this is no money at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or [`OutOfRange`] above [`Money::MAX`].
    pub fn plus(self, other: Money) -> Result<Money, OutOfRange> {
        self.0.checked_add(other.0).ok_or(OutOfRange).and_then(Money::try_won)
    }

    /// The difference, or [`OutOfRange`] if `other` is larger.
    pub fn minus(self, other: Money) -> Result<Money, OutOfRange> {
        self.0.checked_sub(other.0).map(Money).ok_or(OutOfRange)
    }

    /// The difference, or zero if `other` is larger.
    pub fn minus_or_zero(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} won", self.0)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut wire = serializer.serialize_struct("Money", 2)?;
        wire.serialize_field("amount", &self.0)?;
        wire.serialize_field("currency", "KRW")?;
        wire.end()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    amount: u64,
    currency: Currency,
}

#[derive(Deserialize)]
enum Currency {
    #[serde(rename = "KRW")]
    Krw,
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        let Wire { amount, currency: Currency::Krw } = Wire::deserialize(deserializer)?;
        Money::try_won(amount).map_err(D::Error::custom)
    }
}

impl JsonSchema for Money {
    fn schema_name() -> Cow<'static, str> {
        "Money".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "An amount in whole won",
            "properties": {
                "amount": { "type": "integer", "minimum": 0, "maximum": Money::MAX.0 },
                "currency": { "type": "string", "const": "KRW" }
            },
            "required": ["amount", "currency"],
            "additionalProperties": false,
            "examples": [{ "amount": 15000, "currency": "KRW" }]
        })
    }
}

/// Stores [`Money`] as a plain number: `#[serde(with = "kernel::money::won")]`, for items and facts' tables.
pub mod won {
    use super::{Deserialize, Deserializer, Money, Serializer};
    use serde::de::Error as _;

    /// Writes the number of won.
    pub fn serialize<S: Serializer>(money: &Money, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(money.amount())
    }

    /// Reads the number of won, refusing what is out of range.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        Money::try_won(u64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn subtraction_undoes_addition(a in 0..=Money::MAX.0, b in 0..=Money::MAX.0) {
            let (a, b) = (Money(a), Money(b));
            match a.plus(b) {
                Ok(sum) => prop_assert_eq!(sum.minus(b), Ok(a)),
                Err(OutOfRange) => prop_assert!(u128::from(a.0).saturating_add(u128::from(b.0)) > u128::from(Money::MAX.0)),
            }
        }

        #[test]
        fn the_wire_form_round_trips(amount in 0..=Money::MAX.0) {
            let text = serde_json::to_string(&Money(amount)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Money>(&text).unwrap(), Money(amount));
        }
    }

    #[test]
    fn it_ends_at_what_a_browser_counts_exactly() {
        assert_eq!(Money::try_won(9_007_199_254_740_991), Ok(Money::MAX));
        assert_eq!(Money::try_won(9_007_199_254_740_992), Err(OutOfRange));
        assert_eq!(Money::MAX.plus(Money::won(1)), Err(OutOfRange));
        assert_eq!(Money::won(1).minus(Money::won(2)), Err(OutOfRange));
        assert_eq!(Money::won(1).minus_or_zero(Money::won(2)), Money::ZERO);
        assert_eq!(Money::won(5).minus_or_zero(Money::won(2)), Money::won(3));
        assert_eq!(Money::won(u32::MAX).amount(), 4_294_967_295);
        assert!(Money::ZERO.is_zero() && !Money::won(1).is_zero());
    }

    #[test]
    fn people_read_won_and_tables_keep_the_number() {
        #[derive(Serialize, Deserialize)]
        struct Item {
            #[serde(with = "won")]
            amount: Money,
        }
        assert_eq!(Money::won(15_000).to_string(), "15000 won");
        assert_eq!(
            serde_json::to_string(&Item { amount: Money::won(15_000) }).unwrap(),
            r#"{"amount":15000}"#
        );
        assert_eq!(serde_json::from_str::<Item>(r#"{"amount":15000}"#).unwrap().amount, Money::won(15_000));
        assert!(serde_json::from_str::<Item>(r#"{"amount":9007199254740992}"#).is_err());
    }

    #[test]
    fn the_wire_refuses_what_is_not_a_whole_number_of_won() {
        for text in [
            r#"{"amount":-1,"currency":"KRW"}"#,
            r#"{"amount":1.5,"currency":"KRW"}"#,
            r#"{"amount":1e3,"currency":"KRW"}"#,
            r#"{"amount":"1","currency":"KRW"}"#,
            r#"{"amount":1,"currency":"USD"}"#,
            r#"{"amount":9007199254740992,"currency":"KRW"}"#,
            r#"{"amount":1,"currency":"KRW","scale":2}"#,
            r#"{"amount":1}"#,
            "15000",
        ] {
            assert!(serde_json::from_str::<Money>(text).is_err(), "{text} was accepted");
        }
    }
}
