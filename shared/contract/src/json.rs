//! JSON in which no object says a name twice.
//!
//! Of two values under one name a reader may take the first, the last or none (RFC 8259, 4). Something that inspects a
//! request on its way to Pay could then see another request than Pay does, so such a text is refused. That needs no
//! parser of its own: serde_json parses, and the visitor here builds the value as serde_json's does, but refuses a name
//! that the object has already.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use std::fmt;

/// A value whose objects say each name once.
pub struct Unrepeated(pub Value);

impl<'de> Deserialize<'de> for Unrepeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unrepeated, D::Error> {
        deserializer.deserialize_any(Reader).map(Unrepeated)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value whose objects say each name once")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number without an end"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unrepeated(part)) = parts.next_element()? {
            array.push(part);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unrepeated(value))) = fields.next_entry::<String, Unrepeated>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name is said twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Option<Value> {
        serde_json::from_str(text).ok().map(|Unrepeated(value)| value)
    }

    #[test]
    fn a_name_that_is_said_twice_is_refused_at_any_depth() {
        for text in [
            r#"{"amount":1,"amount":2}"#,
            r#"{"amount":1,"amount":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":{"b":1,"c":2,"b":3}}"#,
            r#"[[{"a":null,"a":null}]]"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(r#"[{"a":1},{"a":1},{"A":{"a":1}}]"#), Some(json!([{"a":1},{"a":1},{"A":{"a":1}}])));
    }

    #[test]
    fn it_stops_where_serde_json_stops() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(read(&deep(127)).is_some());
        assert_eq!(read(&deep(128)), None);
        assert_eq!(read("1e400"), None);
        assert_eq!(read("{} {}"), None);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e300..1e300).prop_map(|number: f64| json!(number)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn everything_else_reads_as_serde_json_reads_it(value in any_value()) {
            let text = value.to_string();
            prop_assert_eq!(read(&text), serde_json::from_str(&text).ok());
        }
    }
}
