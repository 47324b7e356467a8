//! The schemas of inputs and answers, and the names that they have in the document.
//!
//! One Rust type may differ between reading and writing, for example in whether a field that may be null is always
//! there. Inputs are described as they are read, answers as they are written.

use anyhow::{Context as _, Result, ensure};
use contract::Operation;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const SCHEMAS: &str = "#/components/schemas/";
/// Where inputs' references point until the end, so that they can be told from answers'.
const INPUTS: &str = "#/components/inputs/";

/// The schemas in use so far.
pub struct Schemas {
    inputs: SchemaGenerator,
    answers: SchemaGenerator,
    own: Map<String, Value>,
}

impl Default for Schemas {
    fn default() -> Schemas {
        let at = |place: &'static str| {
            SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = place.into())
        };
        Schemas {
            inputs: at(INPUTS).for_deserialize().into_generator(),
            answers: at(SCHEMAS).for_serialize().into_generator(),
            own: Map::new(),
        }
    }
}

/// An operation's input: an object whose properties come from path, query and body.
pub struct Input {
    /// The whole.
    pub schema: Value,
    /// Its properties, in order.
    pub properties: BTreeMap<String, Value>,
    /// The names of those that must be there.
    pub required: BTreeSet<String>,
}

impl Input {
    fn of(schema: Value) -> Input {
        let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let properties = properties.into_iter().collect();
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let required = required.filter_map(Value::as_str).map(str::to_owned).collect();
        Input { schema, properties, required }
    }

    /// Takes out one property.
    pub fn take(&mut self, name: &str) {
        self.properties.remove(name);
        self.required.remove(name);
        if let Some(schema) = self.schema.as_object_mut() {
            schema.insert("properties".to_owned(), json!(self.properties));
            schema.insert("required".to_owned(), json!(self.required));
        }
    }

    /// Whether nothing is left to send; an input that is one of several shapes has no properties of its own.
    pub fn is_empty(&self) -> bool {
        let shapes = ["oneOf", "anyOf", "allOf"].iter().any(|key| self.schema.get(key).is_some());
        self.properties.is_empty() && !shapes
    }

    /// Whether an empty body would be refused.
    pub fn requires_something(&self) -> bool {
        !self.required.is_empty() || self.properties.is_empty()
    }
}

impl Schemas {
    /// The input and the answer of an operation.
    pub fn of(&mut self, operation: &Operation) -> Result<(Input, Value)> {
        let input = operation.describe.schemas(&mut self.inputs).0.to_value();
        let answer = operation.describe.schemas(&mut self.answers).1.to_value();
        let name = input.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix(INPUTS));
        let schema = match name {
            Some(name) => self.inputs.definitions().get(name).context("a reference to nothing")?.clone(),
            None => input,
        };
        Ok((Input::of(schema), answer))
    }

    /// Gives a schema a name and answers a reference to it.
    pub fn define(&mut self, name: String, schema: Value) -> Value {
        let reference = json!({ "$ref": format!("{SCHEMAS}{name}") });
        self.own.insert(name, schema);
        reference
    }

    /// Puts every schema that the document refers to into its components.
    pub fn complete(mut self, document: &mut Value) -> Result<()> {
        let moved = |value: &Value| serde_json::from_str(&value.to_string().replace(INPUTS, SCHEMAS));
        let mut schemas = self.answers.take_definitions(true);
        let inputs = self.inputs.take_definitions(true);
        let own = Value::Object(self.own);
        for name in reached(&[document, &own], INPUTS, &inputs) {
            let schema: Value = moved(inputs.get(&name).context("a reference to nothing")?)?;
            let known = schemas.entry(&name).or_insert_with(|| schema.clone());
            ensure!(*known == schema, "{name} differs between input and answer: make two types of it");
        }
        schemas.extend(moved(&own)?.as_object().cloned().unwrap_or_default());
        schemas.extend(super::problems::schemas());
        *document = moved(document)?;
        let reached = reached(&[document], SCHEMAS, &schemas);
        schemas.retain(|name, _| reached.contains(name));
        let components = document.get_mut("components").and_then(Value::as_object_mut);
        components.context("components")?.insert("schemas".to_owned(), Value::Object(schemas));
        forget_null_defaults(document);
        Ok(())
    }
}

/// The names of the schemas that the texts refer to, and those that they refer to in turn.
fn reached(texts: &[&Value], place: &str, known: &Map<String, Value>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut texts: Vec<_> = texts.iter().map(|text| text.to_string()).collect();
    while let Some(text) = texts.pop() {
        for name in text.split(place).skip(1).filter_map(|rest| rest.split('"').next()) {
            if reached.insert(name.to_owned()) {
                texts.extend(known.get(name).map(Value::to_string));
            }
        }
    }
    reached
}

/// An optional field's default is to be absent: null would not fit its schema.
fn forget_null_defaults(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("default") == Some(&Value::Null) {
                object.remove("default");
            }
            object.values_mut().for_each(forget_null_defaults);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_null_defaults),
        _ => {}
    }
}

/// A schema without null: a query cannot say it.
pub fn not_null(mut schema: Value) -> Value {
    let null = json!("null");
    let Some(object) = schema.as_object_mut() else { return schema };
    if let Some([one, other]) = object.get("type").and_then(Value::as_array).map(Vec::as_slice) {
        let kind = if *one == null { other } else { one };
        object.insert("type".to_owned(), kind.clone());
    }
    if let Some([one, other]) = object.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
        let choice = if one.get("type") == Some(&null) { other } else { one };
        let choice = choice.as_object().cloned().unwrap_or_default();
        object.remove("anyOf");
        object.extend(choice);
    }
    schema
}
