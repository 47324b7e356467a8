//! Every operation has an example event in events/, and takes it.
//!
//! The example goes to the operation on the test bench, over HTTP or as AWS hands it over, and must be let in. What
//! the operation then finds in its empty table is another matter.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where it is surprised"
)]

use contract::{
    Caller, Operation, http, problem,
    testing::{Bench, Request},
};
use serde_json::{Value, json};
use std::fs;
use xtask::{SERVICES, root};

fn example(operation: &Operation) -> Value {
    let path = root().join(format!("events/{}.json", operation.name));
    let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is missing", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The request in an event of API Gateway's payload version 2.0.
fn request(event: &Value) -> Request {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let headers = event["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    let claims = event.pointer("/requestContext/authorizer/jwt/claims");
    Request(http::Request {
        method: text("/requestContext/http/method"),
        path: text("/rawPath"),
        query: text("/rawQueryString"),
        headers: headers.collect(),
        body: text("/body").into_bytes(),
        claims: claims.map(|claims| serde_json::from_value(claims.clone()).unwrap()),
    })
}

/// The operation's input in any other event: a direct call, a step, a message, a fact from the bus, or the input
/// itself.
fn input(event: Value) -> Value {
    if event.get("step").is_some() {
        return event["input"].clone();
    }
    if event.get("caller").is_some() {
        return event["body"].clone();
    }
    let message = event.pointer("/Records/0/body").and_then(Value::as_str);
    let message: Option<Value> = message.map(|body| serde_json::from_str(body).unwrap());
    message.map_or(event, |message| message.get("detail").unwrap_or(&message["body"]).clone())
}

#[tokio::test]
async fn every_example_is_let_in() {
    for service in SERVICES {
        for operation in service.operations {
            let bench = Bench::new(service);
            let bank = json!({ "apiKey": "example", "corporateAccount": "110-000-000000" });
            bench.world.set_secret("bank", &bank.to_string());
            let event = example(operation);
            let Some((method, path)) = operation.routes().next() else {
                let event = if event.pointer("/Records/0/dynamodb").is_some() {
                    json!({ "changes": [] })
                } else {
                    input(event)
                };
                let outcome = bench.call(operation.name, Caller::Platform, event).await;
                let refused = outcome.err().filter(|problem| problem.is(&problem::VALIDATION_FAILED));
                assert_eq!(refused, None, "events/{}.json", operation.name);
                continue;
            };
            assert_eq!(event["routeKey"], format!("{} {path}", method.as_str()).replace("ANY ", ""));
            let request = request(&event).0;
            let mut keyless = request.clone();
            keyless.headers.retain(|(name, _)| name != "idempotency-key");
            let answer = http::answer(service, Some(operation.name), &bench.context, request).await;
            let refused = REFUSALS.iter().find(|code| answer.body.contains(&format!("\"{code}\"")));
            assert!(refused.is_none(), "events/{}.json is refused: {}", operation.name, answer.body);

            let answer = http::answer(service, Some(operation.name), &bench.context, keyless).await;
            let required = answer.body.contains(problem::IDEMPOTENCY_KEY_REQUIRED.code);
            let said = operation.idempotent && !operation.key_optional;
            assert_eq!(required, said, "{}: does it need a key or not?", operation.name);
        }
    }
}

/// The codes with which the frame keeps a request out.
const REFUSALS: &[&str] = &[
    problem::VALIDATION_FAILED.code,
    problem::MALFORMED_BODY.code,
    problem::UNSUPPORTED_MEDIA_TYPE.code,
    problem::UNAUTHORIZED.code,
    problem::FORBIDDEN.code,
    problem::IDEMPOTENCY_KEY_REQUIRED.code,
    problem::IDEMPOTENCY_KEY_INVALID.code,
    problem::INTERNAL_ERROR.code,
];
