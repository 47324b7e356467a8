//! The payloads in events/, which documentation shows and `make invoke` sends, are ones that the operations take.

use crate::{bench, text};
use contract::{
    Access, Caller,
    http::Claims,
    testing::{Answer, Bench, Request},
};
use membership::SERVICE;
use serde_json::Value;
use std::{fs, path::Path};

fn event(operation: &str) -> Value {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    serde_json::from_str(&fs::read_to_string(events.join(format!("{operation}.json"))).unwrap()).unwrap()
}

async fn send(bench: &Bench, event: &Value) -> Answer {
    let http = &event["requestContext"]["http"];
    assert_eq!(http["path"], event["rawPath"]);
    let mut request = Request::new(text(&http["method"]), text(&event["rawPath"]));
    for (name, value) in event["headers"].as_object().unwrap() {
        request = request.header(name, text(value));
    }
    let claims: Option<Claims> =
        serde_json::from_value(event["requestContext"]["authorizer"]["jwt"]["claims"].clone()).ok();
    request.0.claims = claims;
    bench.send(request.bytes(text(&event["body"]).as_bytes())).await
}

#[tokio::test]
async fn every_route_has_an_example_that_is_well_formed() {
    let bench = bench();
    for operation in SERVICE.operations.iter().filter(|operation| operation.routes().next().is_some()) {
        let event = event(operation.name);
        let (method, path) = operation.routes().next().unwrap();
        let route = if path == "$default" { path.to_owned() } else { format!("{} {path}", method.as_str()) };
        assert_eq!(text(&event["routeKey"]), route);
        let claimed = !event["requestContext"]["authorizer"].is_null();
        assert_eq!(claimed, matches!(operation.access, Access::Scopes(_)), "{route}");
        let answer = send(&bench, &event).await;
        // Its member and tokens do not exist here; that is all that may be wrong with it.
        let fits = match operation.name {
            "findMembership" | "modifyMembership" | "closeMembership" | "getMembershipByJwtToken" => {
                answer.code() == "not_found"
            }
            "refreshJwtTokenByRefreshToken" => answer.code() == "invalid_refresh_token",
            "answerUnknownPath" => answer.code() == "unknown_path",
            _ => operation.answers.contains(&answer.status),
        };
        assert!(fits, "{route}: {} {}", answer.status, answer.body);
    }
}

#[tokio::test]
async fn the_payloads_without_a_route_are_taken_too() {
    let bench = Bench::new(&SERVICE);
    send(&bench, &event("registerMembership")).await;
    for operation in ["ensureSigningKey", "grantOperator", "revokeOperator"] {
        let event = event(operation);
        assert_eq!(event["operation"], format!("membership.{operation}"));
        crate::call(&bench, operation, event["body"].clone()).await;
    }
    crate::call(&bench, "rotateSigningKey", event("rotateSigningKey")).await;
    let message = event("onRegisterMembershipRequested");
    let message: Value = serde_json::from_str(text(&message["Records"][0]["body"])).unwrap();
    let outcome = bench.call("onRegisterMembershipRequested", Caller::Platform, message["detail"].clone());
    // The example's request is not stored here: the event was read, and looked for.
    assert!(outcome.await.unwrap_err().cause.unwrap().ends_with("was requested and is not stored"));
}
