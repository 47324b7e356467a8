//! A deployment in the middle of a history: functions of two versions run side by side, and each must understand what
//! the other says.
//!
//! There is one version of the sources, so the other one is made at its border. An event comes as its oldest form had
//! it, without any field that its schema does not require, or as a later form will have it, with fields that nobody
//! knows yet wherever the schema does not close an object; answers, items and inputs come with such a field too. An
//! input with a field that the callee does not know is refused by it, since a field that is ignored could be an
//! order: the caller must take that as no answer, and ask again when the deployment is over.

use crate::{
    mix,
    random::{Dice, Stream},
    run::number_of,
    world::World,
};
use schemars::SchemaGenerator;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::LazyLock};
use store::{AttributeValue, Item};

/// A field that no version knows yet.
const LATER: &str = "addedLater";
/// How many of ten thousand direct calls come from a caller of a later version to a callee of this one.
const CALLS_FROM_LATER: u64 = 500;

/// The schema of each fact's data, as `make generate` commits it.
static SCHEMAS: LazyLock<BTreeMap<&'static str, Value>> = LazyLock::new(|| {
    let schema = |fact: &'static events::FactType| {
        let mut generator = SchemaGenerator::default();
        let mut schema = (fact.schema)(&mut generator).to_value();
        let definitions = generator.take_definitions(true);
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("$defs".to_owned(), Value::Object(definitions));
        }
        (fact.name, schema)
    };
    events::ALL.iter().map(schema).collect()
});

/// The chance of one moment, if a deployment is at work.
fn dice(world: &World, purpose: &str) -> Option<Dice> {
    let state = world.state();
    let moment = u64::try_from(state.messages.len()).expect("few enough") + (state.calls << 20);
    state.are_versions_mixed.then(|| Dice::new(world.seed, Stream::Run(number_of(purpose), moment)))
}

/// An event as a producer of some version publishes it.
pub fn published(world: &World, kind: &str, mut event: Value) -> Value {
    let Some(mut dice) = dice(world, "a publisher's version") else { return event };
    let Some(root) = SCHEMAS.get(kind) else { return event };
    let before = event.clone();
    match dice.below(3) {
        0 => change(&mut event["data"], root, root, &oldest),
        1 => {
            change(&mut event["data"], root, root, &later);
            // Whatever the schema says now: consumers have to bear what a later version adds to a fact.
            event["data"] = extended(event["data"].take());
            event[LATER.to_lowercase()] = json!("later");
        }
        _ => {}
    }
    if event != before {
        world.happened(mix::EVENT_OF_ANOTHER_VERSION);
    }
    event
}

/// What a caller of some version asks.
pub fn asked(world: &World, input: Value) -> Value {
    let is_later = dice(world, "a caller's version").is_some_and(|mut dice| dice.chance(CALLS_FROM_LATER));
    if is_later { extended(input) } else { input }
}

/// What a callee of some version answers.
pub fn answered(world: &World, answer: Value) -> Value {
    let is_later = dice(world, "a callee's version").is_some_and(|mut dice| dice.chance(5_000));
    if !is_later || !answer.is_object() {
        return answer;
    }
    world.happened(mix::ANSWER_OF_ANOTHER_VERSION);
    extended(answer)
}

/// An item as a later version leaves it.
pub fn extend_item(item: &mut Item) {
    item.insert(LATER.to_owned(), AttributeValue::S("later".to_owned()));
}

fn extended(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.insert(LATER.to_owned(), json!({ "by": "a later version" }));
    }
    value
}

/// Leaves out what the schema does not require.
fn oldest(object: &mut serde_json::Map<String, Value>, schema: &Value) {
    let required = |name: &str| {
        let names = schema["required"].as_array();
        names.is_some_and(|names| names.iter().any(|known| known == name))
    };
    let known = schema["properties"].as_object();
    object.retain(|name, _| required(name) || !known.is_some_and(|known| known.contains_key(name)));
}

/// Adds what nobody knows, where the schema lets it.
fn later(object: &mut serde_json::Map<String, Value>, schema: &Value) {
    if schema["additionalProperties"] != Value::Bool(false) {
        object.insert(LATER.to_owned(), json!({ "by": "a later version" }));
    }
}

/// Changes every object of a value that its schema describes.
fn change(
    value: &mut Value,
    schema: &Value,
    root: &Value,
    how: &impl Fn(&mut serde_json::Map<String, Value>, &Value),
) {
    let schema = match schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        Some(name) => &root["$defs"][name],
        None => schema,
    };
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| change(item, &schema["items"], root, how)),
        Value::Object(object) if schema["properties"].is_object() => {
            for (name, value) in object.iter_mut() {
                change(value, &schema["properties"][name], root, how);
            }
            how(object, schema);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both forms of every fact's example are still that fact.
    #[test]
    fn every_fact_can_be_read_in_its_oldest_and_in_a_later_form() {
        let mut changed = 0;
        for fact in events::ALL {
            let event = serde_json::to_value((fact.example)()).unwrap();
            let root = &SCHEMAS[fact.name];
            for how in [oldest, later] {
                let mut other = event.clone();
                change(&mut other["data"], root, root, &how);
                changed += usize::from(other != event);
                assert!((fact.reads)(&other.to_string()), "{} cannot be read as {other}", fact.name);
            }
        }
        // A later form of each, and the older form of those that have grown.
        assert!(changed > events::ALL.len(), "only {changed} forms differ");
    }
}
