//! A merchant's own name for an order.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{borrow::Cow, fmt};

/// How long an order's id may be.
const MOST: usize = 64;

/// 1 to 64 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct OrderId(String);

impl OrderId {
    /// Checks an order's id.
    pub fn parse(text: &str) -> Option<OrderId> {
        let known = (1..=MOST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        known.then(|| OrderId(text.to_owned()))
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for OrderId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OrderId, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        OrderId::parse(&text).ok_or_else(|| D::Error::custom("must be 1 to 64 visible ASCII characters"))
    }
}

impl JsonSchema for OrderId {
    fn schema_name() -> Cow<'static, str> {
        "OrderId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The merchant's own name for the order: visible ASCII characters",
            "pattern": "^[!-~]{1,64}$",
            "examples": ["order-20261122-0001"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_is_short_and_visible() {
        for good in ["a", "order-1", "!~", &"x".repeat(64)] {
            assert_eq!(OrderId::parse(good).map(|id| id.to_string()).as_deref(), Some(good));
            assert!(serde_json::from_value::<OrderId>(good.into()).is_ok());
        }
        for bad in ["", " ", "a b", "주문", "a\n", "\u{7f}", &"x".repeat(65)] {
            assert!(OrderId::parse(bad).is_none(), "{bad}");
            assert!(serde_json::from_value::<OrderId>(bad.into()).is_err());
        }
    }
}
