//! The name of a bank account's holder.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::borrow::Cow;

const MOST_CHARS: usize = 100;

/// A holder's name, as the bank knows it: one line of plain text. It has no Debug, so that it cannot be logged.
#[derive(Clone, PartialEq, Eq, JsonSchema)]
#[schemars(transparent)]
pub struct Holder(#[schemars(length(min = 1, max = 100))] String);

impl Holder {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<Holder, kernel::text::NotPlain> {
        kernel::text::check(text, MOST_CHARS)?;
        Ok(Holder(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Holder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Holder, D::Error> {
        Holder::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
