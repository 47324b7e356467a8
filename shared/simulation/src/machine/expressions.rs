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
                Some(expression) => match self.looked_up(expression.trim()) {
                    Some(found) => found.clone(),
                    None => self.evaluate(expression.trim())?,
                },
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

    /// What a mere path such as `$states.input.shard` leads to. The engine finds the same and takes a hundred times as
    /// long, so it is only asked about all else: about what is not there, too, and about paths through arrays.
    fn looked_up(&self, path: &str) -> Option<&Value> {
        let mut names = path.strip_prefix('$')?.split('.');
        let is_name = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let first = names.next().filter(is_name)?;
        let variable = || self.scopes.iter().rev().find_map(|scope| scope.get(first));
        let root = if first == "states" { Some(self.states) } else { variable() }?;
        names.try_fold(root, |value, name| value.as_object()?.get(Some(name).filter(is_name)?))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_short_way_and_the_engine_agree() {
        let states = json!({ "input": { "one": [{ "a": 1 }], "none": [], "text": "x", "empty": null, "deep": { "n": -12 } } });
        let outer = BTreeMap::from([
            ("n".to_owned(), json!(9_007_199_254_740_991_i64)),
            ("empty".to_owned(), json!(null)),
        ]);
        let names = Names { states: &states, scopes: [&outer, &BTreeMap::new()] };
        let paths = [
            "$n",
            "$empty",
            "$states.input.one",
            "$states.input.none",
            "$states.input.empty",
            "$states.input.deep.n",
        ];
        for path in paths {
            assert_eq!(names.looked_up(path), Some(&names.evaluate(path).unwrap()), "{path}");
        }
        for path in ["$states.input.missing", "$missing", "$states.input.text.more"] {
            assert_eq!((names.looked_up(path), names.evaluate(path).is_err()), (None, true), "{path}");
        }
        assert_eq!(names.looked_up("$states.input.one.a"), None, "arrays are the engine's");
    }
}
