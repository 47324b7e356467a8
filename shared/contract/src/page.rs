//! Lists: `?limit=1..100&cursor=`, answered with `{items, nextCursor}`.
//!
//! A cursor is the table's own position, signed with the service's key for one query of one caller: it can be
//! neither forged nor used with another query.

use crate::Problem;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::borrow::Cow;
use store::{Item, seal::ServiceKey};

/// How many items a page may hold: 1 to 100, 20 if unsaid. A query's values are texts, so a text is read too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Limit {
        Limit(20)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Limit, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = text.parse().ok().filter(|limit| plain && (1..=100).contains(limit));
        limit.map(Limit).ok_or_else(|| D::Error::custom("must be a whole number from 1 to 100"))
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 })
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ListingOf{T}")]
pub struct Listing<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// The cursor of a position, for one query: name everything that the query depends on, the caller too.
pub fn cursor(key: &ServiceKey, query: &[&str], position: &Item) -> Result<String, Problem> {
    // An item has no order of its own, a JSON value does: one position has one cursor.
    let value = serde_json::to_value(position).map_err(Problem::internal)?;
    Ok(key.sign(&purpose(query), &value.to_string()))
}

/// The position of a cursor that was made for the same query, or a problem that names the field.
pub fn position(key: &ServiceKey, query: &[&str], cursor: &str) -> Result<Item, Problem> {
    let refused = || Problem::field("/cursor", "is not a cursor of this query");
    let text = key.verify(&purpose(query), cursor).map_err(|_| refused())?;
    serde_json::from_str(&text).map_err(|_| refused())
}

fn purpose(query: &[&str]) -> String {
    store::seal::digest(&[&["cursor"], query].concat())
}
