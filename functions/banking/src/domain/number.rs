//! A bank account's number.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::borrow::Cow;

/// 8 to 20 digits. Hyphens between digits are read and dropped, so that one account has one number. It has no Debug,
/// so that it cannot be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountNumber(String);

/// A text that is not an account number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 8 to 20 digits, with single hyphens between them if you like")]
pub struct NotANumber;

impl AccountNumber {
    /// Reads a number as people write it.
    pub fn parse(text: &str) -> Result<AccountNumber, NotANumber> {
        let groups_are_digits =
            text.split('-').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
        let digits = text.replace('-', "");
        if groups_are_digits && (8..=20).contains(&digits.len()) {
            Ok(AccountNumber(digits))
        } else {
            Err(NotANumber)
        }
    }

    /// The digits.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// All but the last four digits hidden.
    pub fn masked(&self) -> String {
        let hidden = self.0.len().saturating_sub(4);
        self.0.chars().enumerate().map(|(place, digit)| if place < hidden { '*' } else { digit }).collect()
    }
}

impl<'de> Deserialize<'de> for AccountNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AccountNumber, D::Error> {
        AccountNumber::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for AccountNumber {
    fn schema_name() -> Cow<'static, str> {
        "AccountNumber".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "8 to 20 digits; single hyphens between them are read and dropped",
            "pattern": "^[0-9]+(-[0-9]+)*$",
            "minLength": 8,
            "maxLength": 39,
            "examples": ["110-2345-678901"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn hyphens_make_no_difference_and_the_mask_shows_four_digits(digits in "[0-9]{8,20}", place in 1_usize..8) {
            let plain = AccountNumber::parse(&digits).ok().unwrap();
            let (left, right) = digits.split_at(place);
            let hyphened = AccountNumber::parse(&format!("{left}-{right}")).ok().unwrap();
            prop_assert!(plain == hyphened);
            let masked = plain.masked();
            prop_assert_eq!(masked.len(), digits.len());
            prop_assert_eq!(masked.matches('*').count(), digits.len().saturating_sub(4));
            prop_assert!(digits.ends_with(masked.trim_start_matches('*')));
        }

        #[test]
        fn only_digits_and_hyphens_between_them_are_read(text in "\\PC{0,24}") {
            let plain = text.chars().all(|char| char.is_ascii_digit());
            if let Ok(number) = AccountNumber::parse(&text) {
                prop_assert!(plain || text.contains('-'));
                prop_assert!(number.digits().bytes().all(|byte| byte.is_ascii_digit()));
                prop_assert!((8..=20).contains(&number.digits().len()));
            }
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let bad = [
            "",
            "1234567",
            "123456789012345678901",
            "-12345678",
            "12345678-",
            "1234--5678",
            "1234 5678",
            "１２３４５６７８",
            "1234567８",
        ];
        for text in bad {
            assert!(AccountNumber::parse(text).is_err(), "{text}");
        }
    }
}
