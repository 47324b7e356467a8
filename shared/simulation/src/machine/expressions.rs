//! JSONata: what a machine computes between its steps.
//!
//! An expression knows the state's input, the step's result, the context and the variables, and nothing of its
//! surroundings: not the time, and no chance, or a seed would not replay.

#![allow(
    clippy::disallowed_types,
    reason = "the crate asks for this map, and hands it to nothing that has an order"
)]

use super::Failed;
use bumpalo::Bump;
use jsonata_rs::JsonAta;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// What an expression may name.
pub struct Names<'a> {
    /// `$states`: input, result, context.
    pub states: &'a Value,
    /// Variables of the scopes around, from the outermost to the innermost.
    pub scopes: [&'a BTreeMap<String, Value>; 2],
}

/// What the real engine answers differently each time.
const UNREPEATABLE: &[&str] = &["$now", "$millis", "$random", "$uuid"];

impl Names<'_> {
    /// A template with every expression in it replaced by what it comes to.
    pub fn fill(&self, template: &Value) -> Result<Value, Failed> {
        Ok(match template {
            Value::String(text) => match text.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}")) {
                Some(expression) => self.evaluate(expression.trim())?,
                None => template.clone(),
            },
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.fill(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let filled = fields.iter().map(|(name, field)| Ok((name.clone(), self.fill(field)?)));
                Value::Object(filled.collect::<Result<_, Failed>>()?)
            }
            _ => template.clone(),
        })
    }

    fn evaluate(&self, expression: &str) -> Result<Value, Failed> {
        let found = UNREPEATABLE.iter().find(|name| expression.contains(*name));
        assert!(found.is_none(), "{expression} would come to something else each time");
        let arena = Bump::new();
        let known: HashMap<&str, &Value> = self
            .scopes
            .iter()
            .flat_map(|scope| scope.iter())
            .map(|(name, value)| (name.as_str(), value))
            .chain([("states", self.states)])
            .collect();
        let wrong =
            |reason: String| Failed::new("States.QueryEvaluationError", format!("{expression}: {reason}"));
        let parsed = JsonAta::new(expression, &arena).map_err(|error| wrong(error.to_string()))?;
        let value = parsed.evaluate(None, Some(&known)).map_err(|error| wrong(error.to_string()))?;
        // JSON has no word for nothing, and AWS takes it for an error.
        if value.is_undefined() {
            return Err(wrong("it comes to nothing".to_owned()));
        }
        serde_json::from_str(&value.serialize(false)).map_err(|error| wrong(error.to_string()))
    }
}
