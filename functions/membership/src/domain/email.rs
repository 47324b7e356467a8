//! Email addresses: one address is one member, however it is capitalised.
//!
//! Only ASCII is taken (an internationalised domain in its `xn--` form), so that folding case has one meaning and no
//! address can look like another's.

use super::Fault;
use email_address::{EmailAddress, Options};

const POINTER: &str = "/email";
/// RFC 5321, section 4.5.3.1.3: a path has 256 octets, two of them its angle brackets.
const MOST_BYTES: usize = 254;

/// A valid address. It is personal data and has no Debug, so that it cannot be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Checks an address.
    pub fn parse(text: &str) -> Result<Email, Fault> {
        kernel::text::check(text, MOST_BYTES).map_err(|error| Fault::at(POINTER, error))?;
        if !text.is_ascii() {
            return Err(Fault::at(POINTER, "must be in ASCII; write an international domain as xn--"));
        }
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        EmailAddress::parse_with_options(text, options)
            .map(|_| Email(text.to_owned()))
            .map_err(|_| Fault::at(POINTER, "must be an email address"))
    }

    /// As its owner writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which two addresses are the same.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn capitals_do_not_make_another_address(local in "[a-z0-9]{1,10}", domain in "[a-z]{1,10}") {
            let text = format!("{local}@{domain}.example");
            let (lower, upper) = (Email::parse(&text).unwrap(), Email::parse(&text.to_uppercase()).unwrap());
            prop_assert_eq!(lower.folded(), upper.folded());
        }

        #[test]
        fn no_text_breaks_the_check(text in ".{0,300}") {
            let _ = Email::parse(&text);
        }
    }

    #[test]
    fn addresses_are_told_from_other_texts() {
        for good in ["hana@pay.example", "Hana.Kim+pay@mail.pay.example", "a@xn--bj0bj06e.example"] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        let long = format!("{}@pay.example", "a".repeat(250));
        for bad in [
            "",
            " ",
            "hana",
            "hana@",
            "@pay.example",
            "hana@pay",
            "hana@pay..example",
            "hana@[127.0.0.1]",
            "Hana <hana@pay.example>",
            " hana@pay.example",
            "hana@pay.example\n",
            "ha\u{200B}na@pay.example",
            "h\u{0430}na@pay.example",
            "하나@pay.example",
            &long,
        ] {
            assert_eq!(Email::parse(bad).err().map(|fault| fault.pointer), Some("/email"), "{bad:?}");
        }
    }
}
