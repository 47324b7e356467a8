//! events/calls: what is said to each operation by a direct call, a message in its queue or a state machine, and what it
//! answers.
//!
//! Functions of two versions run side by side during a deployment, so these are compared with the released ones like
//! the public API (shared/compatibility). They are written to be compared; a caller is held to them by the Rust types.

use super::{Output, json};
use anyhow::Result;
use contract::{Operation, Service, Trigger};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

/// Where they are, from the project's root.
pub const FOLDER: &str = "events/calls";

/// A file for every operation that something of Pay's own reaches.
pub fn files(services: &[&'static Service]) -> Result<Vec<Output>> {
    let all =
        || services.iter().flat_map(|service| service.operations.iter().map(move |one| (*service, one)));
    let called: Vec<&str> = all().flat_map(|(_, operation)| operation.calls).copied().collect();
    let mut files = Vec::new();
    for (service, operation) in all() {
        let name = service.full_name(operation);
        let own = [Trigger::Call, Trigger::Queue, Trigger::Step];
        if called.contains(&name.as_str()) || operation.triggers.iter().any(|trigger| own.contains(trigger)) {
            files.push(json(&format!("{FOLDER}/{name}.json"), describe(operation)?));
        }
    }
    Ok(files)
}

/// Inputs as they are read, answers as they are written.
fn describe(operation: &Operation) -> Result<Value> {
    let mut inputs = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut answers = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let input = operation.describe.schemas(&mut inputs).0.to_value();
    let answer = operation.describe.schemas(&mut answers).1.to_value();
    let mut refuses: Vec<&str> = operation.refuses.iter().map(|code| code.code).collect();
    refuses.sort_unstable();
    let whole = |schema: Value, mut generator: SchemaGenerator| {
        let mut schema = schema.as_object().cloned().unwrap_or_default();
        schema.insert("$defs".to_owned(), Value::Object(generator.take_definitions(true)));
        Value::Object(schema)
    };
    Ok(json!({ "input": whole(input, inputs), "answer": whole(answer, answers), "refuses": refuses }))
}
