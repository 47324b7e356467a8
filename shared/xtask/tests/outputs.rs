//! What `make generate` writes is up to date, right, and frozen where it is published.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where it is surprised")]

use jsonschema::Validator;
use serde_json::{Value, json};
use xtask::{SERVICES, generate, generate::facts, root};

fn openapi() -> Value {
    generate::openapi::document(&root(), SERVICES, contract::Api::Pay).unwrap()
}

/// A validator of one schema in the document.
fn validator(document: &Value, pointer: &str) -> Validator {
    let schema = json!({ "$ref": format!("#{pointer}"), "components": document["components"] });
    jsonschema::draft202012::new(&schema).unwrap()
}

fn violations(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{error} at {}", error.instance_path())).collect()
}

#[test]
fn everything_generated_is_up_to_date() {
    generate::check(&root(), SERVICES).unwrap();
}

#[test]
fn request_examples_and_problems_fit_their_schemas() {
    let document = openapi();
    let none: Vec<String> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let media = &operation["requestBody"]["content"]["application/json"];
            if let (Some(schema), Some(example)) = (media["schema"]["$ref"].as_str(), media.get("example")) {
                let found = violations(&validator(&document, schema.trim_start_matches('#')), example);
                assert_eq!(found, none, "{method} {path}: correct events/{}.json", operation["operationId"]);
            }
        }
    }
    let problem = validator(&document, "/components/schemas/Problem");
    for (code, example) in document["components"]["examples"].as_object().unwrap() {
        assert_eq!(violations(&problem, &example["value"]), none, "{code}");
    }
}

#[test]
fn every_reference_resolves_and_every_name_is_said_once() {
    let document = openapi();
    let text = document.to_string();
    for reference in text.split(r##""$ref":"#"##).skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference} is nowhere");
    }
    let mut ids: Vec<_> =
        text.split(r#""operationId":""#).skip(1).map(|rest| rest.split('"').next()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an operationId is used twice");
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let numbered = name.ends_with(|last: char| last.is_ascii_digit());
        assert!(!numbered, "two types are called {name}: rename one with #[schemars(rename = \"…\")]");
    }
}

#[test]
fn the_example_of_every_fact_fits_its_schema_and_round_trips() {
    for fact in events::ALL {
        let example = serde_json::to_value((fact.example)()).unwrap();
        let validator = jsonschema::draft202012::new(&facts::schema(fact).unwrap()).unwrap();
        assert_eq!(violations(&validator, &example["data"]), Vec::<String>::new(), "{}", fact.name);
        assert!((fact.round_trips)(&example.to_string()), "{}", fact.name);
    }
}

#[test]
fn a_published_fact_may_gain_optional_fields_and_nothing_else() {
    let id = json!({ "type": "string", "description": "Which." });
    let fact = |properties: Value, required: Value, defs: Value| json!({ "type": "object", "properties": properties, "required": required, "$defs": defs });
    let published =
        fact(json!({ "id": id, "sum": { "$ref": "#/$defs/Sum" } }), json!(["id"]), json!({ "Sum": id }));
    let more = json!({ "type": "integer" });
    let all = json!({ "id": id, "sum": { "$ref": "#/$defs/Sum" }, "more": more });
    let fine = [
        published.clone(),
        fact(all.clone(), json!(["id"]), json!({ "Sum": { "type": "string" }, "More": more })),
    ];
    for schema in fine {
        assert_eq!(facts::extends(&published, &schema, ""), Ok(()));
    }
    let broken = [
        (fact(json!({ "id": id }), json!(["id"]), json!({ "Sum": id })), "/properties/sum is gone"),
        (fact(all.clone(), json!(["id", "more"]), json!({ "Sum": id })), r#"/required was ["id"]"#),
        (fact(all.clone(), json!([]), json!({ "Sum": id })), r#"/required was ["id"]"#),
        (fact(all.clone(), json!(["id"]), json!({ "Sum": more })), r#"/$defs/Sum/type was "string""#),
        (
            fact(all, json!(["id"]), json!({ "Sum": { "type": "string", "maxLength": 3 } })),
            "/$defs/Sum/maxLength is new",
        ),
    ];
    for (schema, difference) in broken {
        assert_eq!(facts::extends(&published, &schema, ""), Err(difference.to_owned()));
    }
}

#[test]
fn every_committed_schema_is_of_something_that_there_is() {
    let written: Vec<String> =
        generate::outputs(&root(), SERVICES).unwrap().into_iter().map(|output| output.path).collect();
    for folder in ["events/schemas", "events/facts", "events/calls"] {
        for file in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = format!("{folder}/{}", file.unwrap().file_name().to_str().unwrap());
            assert!(
                written.contains(&path),
                "{path} is of nothing any more: make compatibility says whether it may go"
            );
        }
    }
}
