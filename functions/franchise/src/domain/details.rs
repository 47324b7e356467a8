//! What a franchise tells of itself: its name, and whom to ask for.
//!
//! All of it may be a person's, so it is sealed at rest, and none of these types has a Debug that could be logged.

use email_address::{EmailAddress, Options};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::borrow::Cow;

const NAME_CHARS: usize = 100;
/// RFC 5321, section 4.5.3.1.3: a path has 256 octets, two of them its angle brackets.
const EMAIL_BYTES: usize = 254;
/// ITU-T E.164: at most 15 digits; the shortest numbers of Korean shops have 8.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// The name of a shop or a person: one line of plain text.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct Name(#[schemars(length(min = 1, max = 100))] String);

impl Name {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<Name, String> {
        kernel::text::check(text, NAME_CHARS).map_err(|error| error.to_string())?;
        Ok(Name(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An email address in ASCII.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct Email(#[schemars(length(max = 254), email)] String);

impl Email {
    /// Checks an address. An internationalised domain is written as `xn--`, so that no address can look like another.
    pub fn parse(text: &str) -> Result<Email, String> {
        kernel::text::check(text, EMAIL_BYTES).map_err(|error| error.to_string())?;
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        if text.is_ascii() && EmailAddress::parse_with_options(text, options).is_ok() {
            Ok(Email(text.to_owned()))
        } else {
            Err("must be an email address in ASCII; write an international domain as xn--".to_owned())
        }
    }
}

/// A telephone number as people write it.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct Phone(
    #[schemars(
        length(min = 8, max = 30),
        regex(pattern = r"^\+?[0-9]+(-[0-9]+)*$"),
        example = "02-1234-5678"
    )]
    String,
);

impl Phone {
    /// Checks a number.
    pub fn parse(text: &str) -> Result<Phone, String> {
        let national = text.strip_prefix('+').unwrap_or(text);
        let groups_are_digits = national
            .split('-')
            .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        if groups_are_digits && PHONE_DIGITS.contains(&digits) {
            Ok(Phone(text.to_owned()))
        } else {
            Err("must be 8 to 15 digits, with single hyphens between them and a + before them if you like"
                .to_owned())
        }
    }
}

/// Whom to ask for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Contact {
    /// The person's name.
    pub name: Name,
    /// Their email.
    pub email: Email,
    /// Their telephone.
    pub phone: Phone,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        Name::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Email, D::Error> {
        Email::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Phone, D::Error> {
        Phone::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_breaks_a_check_and_what_passes_is_kept_as_it_was(text in ".{0,300}") {
            if let Ok(Name(kept)) = Name::parse(&text) {
                prop_assert_eq!(&kept, &text);
            }
            if let Ok(Email(kept)) = Email::parse(&text) {
                prop_assert_eq!(&kept, &text);
            }
            if let Ok(Phone(kept)) = Phone::parse(&text) {
                prop_assert_eq!(&kept, &text);
            }
        }

        #[test]
        fn a_telephone_has_so_many_digits(groups in prop::collection::vec("[0-9]{1,8}", 1..4), plus: bool) {
            let text = format!("{}{}", if plus { "+" } else { "" }, groups.join("-"));
            let digits: usize = groups.iter().map(String::len).sum();
            prop_assert_eq!(Phone::parse(&text).is_ok(), (8..=15).contains(&digits), "{}", text);
        }
    }

    #[test]
    fn details_are_told_from_other_texts() {
        for good in ["02-1234-5678", "010-1234-5678", "15880000", "+82-2-1234-5678"] {
            assert!(Phone::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "1588",
            "02 1234 5678",
            "02--12345678",
            "-0212345678",
            "0212345678-",
            "++82212345678",
            "전화",
        ] {
            assert!(Phone::parse(bad).is_err(), "{bad}");
        }
        assert!(Email::parse("shop@pay.example").is_ok());
        let long = format!("{}@pay.example", "a".repeat(250));
        for bad in [
            "",
            "shop",
            "shop@pay",
            "하나@pay.example",
            "Shop <shop@pay.example>",
            " shop@pay.example",
            &long,
        ] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
        assert!(Name::parse("하나 커피 (본점)").is_ok());
        for bad in ["", " ", "a\nb", "a\u{202E}b", &"가".repeat(101)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }
}
