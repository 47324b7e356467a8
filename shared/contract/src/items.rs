//! Items in DynamoDB's own JSON, such as `{"balance": {"N": "10"}}`, for the stored forms in events/items.

use data_encoding::BASE64;
use serde_json::{Map, Value, json};
use store::{AttributeValue, Item};

/// An item as DynamoDB writes it.
pub fn to_json(item: &Item) -> Value {
    item.iter().map(|(name, value)| (name.clone(), attribute(value))).collect::<Map<_, _>>().into()
}

/// The item that DynamoDB would write so; none if there is an attribute of a type that no record uses.
#[allow(clippy::disallowed_types, reason = "an item is made of one, and nothing here asks for its order")]
pub fn from_json(json: &Value) -> Option<Item> {
    let mut item = Item::default();
    for (name, value) in json.as_object()? {
        item.insert(name.clone(), read(value)?);
    }
    Some(item)
}

fn attribute(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        AttributeValue::Bool(truth) => json!({ "BOOL": truth }),
        AttributeValue::B(bytes) => json!({ "B": BASE64.encode(bytes) }),
        AttributeValue::Null(_) => json!({ "NULL": true }),
        AttributeValue::L(list) => json!({ "L": list.iter().map(attribute).collect::<Vec<_>>() }),
        AttributeValue::M(map) => {
            let fields = map.iter().map(|(name, value)| (name.clone(), attribute(value)));
            json!({ "M": fields.collect::<Map<_, _>>() })
        }
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => json!({ "set": texts }),
        AttributeValue::Bs(list) => {
            json!({ "set": list.iter().map(|one| BASE64.encode(one)).collect::<Vec<_>>() })
        }
    }
}

fn read(json: &Value) -> Option<AttributeValue> {
    let (kind, value) = json.as_object()?.iter().next()?;
    let text = || value.as_str().map(str::to_owned);
    Some(match kind.as_str() {
        "S" => AttributeValue::S(text()?),
        "N" => AttributeValue::N(text()?),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "B" => AttributeValue::B(BASE64.decode(value.as_str()?.as_bytes()).ok()?),
        "NULL" => AttributeValue::Null(true),
        "L" => AttributeValue::L(value.as_array()?.iter().map(read).collect::<Option<_>>()?),
        "M" => {
            let fields = value.as_object()?.iter().map(|(name, value)| Some((name.clone(), read(value)?)));
            AttributeValue::M(fields.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}
