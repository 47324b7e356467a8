//! Every answer that is not a success: RFC 9457 problems by status with their codes, and the gateway's own shape.

use anyhow::{Context as _, Result};
use contract::{Access, Code, Method, Operation, Problem, Service, Trace, problem};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The codes that the frame itself answers with, for a request of this kind.
fn common(operation: &Operation, method: Method, path: &str) -> Vec<&'static Code> {
    let mut codes =
        vec![&problem::VALIDATION_FAILED, &problem::INTERNAL_ERROR, &problem::TEMPORARILY_UNAVAILABLE];
    if !matches!(method, Method::Get | Method::Delete) {
        codes.extend([&problem::MALFORMED_BODY, &problem::BODY_TOO_LARGE, &problem::UNSUPPORTED_MEDIA_TYPE]);
    }
    if path.contains('{') {
        codes.push(&problem::UNKNOWN_PATH);
    }
    if operation.idempotent {
        codes.push(&problem::IDEMPOTENCY_KEY_INVALID);
        codes.extend([&problem::IDEMPOTENCY_KEY_REUSED, &problem::REQUEST_IN_PROGRESS]);
    }
    if operation.idempotent && !operation.key_optional {
        codes.push(&problem::IDEMPOTENCY_KEY_REQUIRED);
    }
    match operation.access {
        Access::Scopes(_) => codes.extend([&problem::UNAUTHORIZED, &problem::FORBIDDEN]),
        Access::ApiKey(_) => codes.push(&problem::UNAUTHORIZED),
        Access::Public | Access::Internal => {}
    }
    codes
}

/// The statuses with which the gateway answers by itself.
fn gateway(operation: &Operation, method: Method) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::from([429, 503]);
    if matches!(operation.access, Access::Scopes(_)) {
        statuses.extend([401, 403]);
    }
    if !matches!(method, Method::Get | Method::Delete) {
        statuses.insert(413);
    }
    statuses
}

/// The responses of a route that are not a success, by status.
pub fn responses(operation: &Operation, method: Method, path: &str) -> Result<Map<String, Value>> {
    let mut by_status: BTreeMap<u16, BTreeMap<&str, &Code>> = BTreeMap::new();
    for code in common(operation, method, path).into_iter().chain(operation.refuses.iter().copied()) {
        by_status.entry(code.status).or_default().insert(code.code, code);
    }
    let gateway = gateway(operation, method);
    for status in &gateway {
        by_status.entry(*status).or_default();
    }
    let mut responses = Map::new();
    for (status, codes) in by_status {
        let mut titles: Vec<_> =
            codes.values().map(|code| format!("{}: {}", code.code, code.title)).collect();
        let mut content = Map::new();
        if !codes.is_empty() {
            let examples = codes.keys().map(|code| ((*code).to_owned(), reference("examples", code)));
            let media = json!({
                "schema": { "allOf": [
                    reference("schemas", "Problem"),
                    { "properties": { "status": { "const": status }, "code": { "enum": codes.keys().collect::<Vec<_>>() } } },
                ] },
                "examples": examples.collect::<Map<String, Value>>(),
            });
            content.insert("application/problem+json".to_owned(), media);
        }
        if gateway.contains(&status) {
            titles.push("The gateway itself may answer so, before any operation runs.".to_owned());
            content.insert(
                "application/json".to_owned(),
                json!({ "schema": reference("schemas", "GatewayMessage") }),
            );
        }
        let named = [
            ("trace-id", true),
            ("Retry-After", matches!(status, 409 | 429 | 503)),
            ("Idempotent-Replayed", operation.idempotent && matches!(status, 400..500)),
        ];
        let headers = headers(named);
        let response = json!({ "description": titles.join("\n\n"), "headers": headers, "content": content });
        responses.insert(status.to_string(), response);
    }
    Ok(responses)
}

/// A problem of every code that these services answer with.
pub fn examples(services: &[&&'static Service]) -> Result<Map<String, Value>> {
    let trace = Trace::parse(events::EXAMPLE_TRACEPARENT).context("the example's trace")?;
    let operations = services.iter().flat_map(|service| service.operations);
    let codes = operations.flat_map(|operation| {
        let routes = operation.routes().filter(|(method, _)| *method != Method::Any);
        routes.flat_map(|(method, path)| {
            common(operation, method, path).into_iter().chain(operation.refuses.iter().copied())
        })
    });
    let example = |code: &'static Code| {
        let problem = if *code == problem::VALIDATION_FAILED {
            Problem::field("/amount/amount", "expected an integer")
        } else {
            code.into()
        };
        (code.code.to_owned(), json!({ "summary": code.title, "value": problem.to_json(&trace) }))
    };
    Ok(codes.map(example).collect())
}

/// The schemas of the two shapes.
pub fn schemas() -> [(String, Value); 2] {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let field = json!({
        "type": "object",
        "required": ["pointer", "code", "detail"],
        "properties": {
            "pointer": text("Which field: a JSON pointer into the input (RFC 6901)."),
            "code": { "enum": ["required", "unknown_field", "invalid_type", "invalid_value"] },
            "detail": text("For people."),
        },
    });
    let problem = json!({
        "type": "object",
        "description": "An answer that is not a success (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "traceId"],
        "properties": {
            "type": text("The code as a URI."),
            "title": text("The same sentence for every occurrence of the code."),
            "status": { "type": "integer", "description": "The HTTP status." },
            "detail": text("What happened this time, for people."),
            "code": text("Stable: what programs compare."),
            "traceId": text("The request's trace: what to name when asking for help."),
            "errors": { "type": "array", "items": field, "description": "What is wrong with which field." },
        },
    });
    let gateway = json!({
        "type": "object",
        "description": "What API Gateway answers by itself, before any operation runs.",
        "required": ["message"],
        "properties": { "message": { "type": "string" } },
        "examples": [{ "message": "Unauthorized" }],
    });
    [("Problem".to_owned(), problem), ("GatewayMessage".to_owned(), gateway)]
}

/// Those of the headers that are given.
pub fn headers<const N: usize>(named: [(&str, bool); N]) -> Map<String, Value> {
    let given = named.into_iter().filter(|(_, given)| *given);
    given.map(|(name, _)| (name.to_owned(), reference("headers", name))).collect()
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}
