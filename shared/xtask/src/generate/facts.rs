//! events/schemas and events/facts: the JSON Schema of each fact's data, and a whole event as an example.
//!
//! A committed schema is a promise: a fact of that version may gain optional fields and nothing else, so that events
//! that lie in queues and archives stay readable, and consumers that know the old schema stay right.

use super::{Output, json};
use anyhow::{Context as _, Result, bail};
use events::FactType;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

/// The schema and the example of every fact.
pub fn files(root: &Path) -> Result<Vec<Output>> {
    let mut files = Vec::new();
    for fact in events::ALL {
        let path = format!("events/schemas/{}.json", fact.name);
        let schema = schema(fact)?;
        if let Ok(published) = fs::read_to_string(root.join(&path)) {
            let published = serde_json::from_str(&published).with_context(|| path.clone())?;
            if let Err(difference) = extends(&published, &schema, "") {
                bail!(
                    "{} is published and frozen, but {difference}; add a new version of the fact",
                    fact.name
                );
            }
        }
        files.push(json(&path, schema));
        let example = serde_json::to_value((fact.example)())?;
        files.push(json(&format!("events/facts/{}.json", fact.name), example));
    }
    Ok(files)
}

/// The schema of a fact's data, complete in itself.
pub fn schema(fact: &FactType) -> Result<Value> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let reference = (fact.schema)(&mut generator);
    let name = reference.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    let mut definitions = generator.take_definitions(true);
    let mut schema = name.and_then(|name| definitions.remove(name)).context("a fact must be a struct")?;
    let root = schema.as_object_mut().context("a fact must be a struct")?;
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".to_owned(), json!(fact.name));
    if !definitions.is_empty() {
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Ok(schema)
}

/// Whether everything that the published schema says still holds, but for new optional fields; else what does not.
pub fn extends(published: &Value, schema: &Value, at: &str) -> Result<(), String> {
    let (Value::Object(published), Value::Object(schema)) = (published, schema) else {
        return if published == schema { Ok(()) } else { Err(format!("{at} was {published}")) };
    };
    let additions_allowed = at.ends_with("/properties") || at.ends_with("/$defs");
    for (key, old) in published.iter().filter(|(key, _)| additions_allowed || says_something(key)) {
        let new = schema.get(key).ok_or_else(|| format!("{at}/{key} is gone"))?;
        extends(old, new, &format!("{at}/{key}"))?;
    }
    let known = |key: &&String| {
        additions_allowed || published.contains_key(*key) || *key == "$defs" || !says_something(key)
    };
    match Map::keys(schema).find(|key| !known(key)) {
        Some(key) => Err(format!("{at}/{key} is new")),
        None => Ok(()),
    }
}

/// Descriptions and examples are for people: they may become better.
fn says_something(keyword: &str) -> bool {
    !["description", "title", "examples", "$schema"].contains(&keyword)
}
