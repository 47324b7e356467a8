//! From recorded events to answers: what each kind of sender hands over and expects back.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may fail loudly")]

use aws::event::{Failure, Function};
use contract::{
    Access, Api, Call, Context, Method, Operation, Problem, Reply, Scope, Service, Trace, Trigger,
    handled_by, problem, testing::Bench,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};

const TRACEPARENT: &str = events::EXAMPLE_TRACEPARENT;
const FACT: &str = "membership.registered.v1";

/// What an operation saw of a call.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Seen {
    operation: String,
    caller: String,
    on_behalf_of: Option<String>,
    reference: Option<String>,
    idempotency_key: Option<String>,
    trace_id: String,
    body: Value,
}

#[derive(Deserialize, JsonSchema)]
struct Anything(Value);

/// How many calls have met.
static MET: AtomicU32 = AtomicU32::new(0);

/// Lets whoever else is at work go on until all have come, if ever they do.
async fn meet(all: u32) -> Result<(), Problem> {
    MET.fetch_add(1, Ordering::SeqCst);
    for _ in 0..100 {
        if MET.load(Ordering::SeqCst) >= all {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
    Err(Problem::unavailable("nobody else has come"))
}

async fn show(_: &Context, call: Call<Anything>) -> Result<Reply<Seen>, Problem> {
    if let Some(all) = call.body.0.get("meet").and_then(Value::as_u64) {
        meet(u32::try_from(all).unwrap()).await?;
    }
    if call.body.0.get("refuse").is_some() {
        return Err((&problem::PRECONDITION_FAILED).into());
    }
    Ok(Reply::ok(Seen {
        operation: call.operation,
        caller: call.caller.to_string(),
        on_behalf_of: call.on_behalf_of.map(|member| member.to_string()),
        reference: call.reference.map(|reference| reference.id),
        idempotency_key: call.idempotency_key.map(|key| key.as_str().to_owned()),
        trace_id: call.trace.id().to_owned(),
        body: call.body.0,
    }))
}

/// Answers the last change as failed if it is told to; otherwise that all went well.
async fn relay(
    _: &Context,
    call: Call<contract::outbox::StreamBatch>,
) -> Result<Reply<contract::outbox::Relayed>, Problem> {
    let mut failed_sequence = None;
    for change in &call.body.changes {
        let told = change.new.as_ref().and_then(|item| item.get("told"));
        match told {
            Some(store::AttributeValue::S(text)) if text == "fail" => {
                failed_sequence.get_or_insert(change.sequence.clone());
            }
            Some(store::AttributeValue::S(text)) if text == "break" => {
                return Err(Problem::unavailable("the bus"));
            }
            _ => {}
        }
    }
    Ok(Reply::ok(contract::outbox::Relayed { published: call.body.changes.len(), failed_sequence }))
}

static SERVICE: Service = Service {
    name: "example",
    summary: "An example",
    api: Api::Pay,
    indexes: &[],
    records: &[],
    operations: &[
        Operation {
            name: "showThing",
            triggers: &[Trigger::Route(Method::Get, "/v1/things/{thingId}"), Trigger::Call],
            access: Access::Scopes(&[Scope::Member]),
            ..handled_by!(show)
        },
        Operation {
            name: "makeThing",
            triggers: &[Trigger::Route(Method::Post, "/v1/things")],
            access: Access::Public,
            ..handled_by!(show)
        },
        Operation { name: "onRegistered", triggers: &[Trigger::Fact(FACT)], ..handled_by!(show) },
        Operation {
            name: "sweepThings",
            triggers: &[Trigger::Queue, Trigger::Schedule("rate(5 minutes)")],
            ..handled_by!(show)
        },
        Operation { name: "rotateKey", triggers: &[Trigger::Rotation("key")], ..handled_by!(show) },
        Operation { name: "relayOutbox", triggers: &[Trigger::Stream], ..handled_by!(relay) },
    ],
};

fn function(name: Option<&str>) -> Function {
    let Bench { context, .. } = Bench::new(&SERVICE);
    Function { service: &SERVICE, name: name.map(str::to_owned), prefix: "pay".to_owned(), context }
}

/// What an operation of this name does with an event; a laptop, where the event tells which, must do the same.
async fn handle(name: &str, event: &Value) -> Result<Value, Failure> {
    let on_lambda = function(Some(name)).handle(event.clone(), "").await;
    let on_a_laptop = function(None).handle(event.clone(), "").await;
    assert_eq!(on_lambda, on_a_laptop, "{name}");
    on_lambda
}

fn http_event(method: &str, path: &str, query: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": format!("{method} /v1/things/{{thingId}}"), "rawPath": path, "rawQueryString": query,
        "headers": {"host": "127.0.0.1:4999", "accept": "*/*", "user-agent": "curl", "traceparent": TRACEPARENT},
        "requestContext": {"accountId": "000000000000", "apiId": "pay", "domainName": "pay.execute-api.localhost",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "curl"},
            "requestId": "127c4cff", "routeKey": format!("{method} /v1/things/{{thingId}}"), "stage": "$default",
            "time": "22/Nov/2026:19:11:35 +0000", "timeEpoch": 1_795_374_695_073_i64},
        "pathParameters": null, "isBase64Encoded": false
    })
}

fn with_claims(mut event: Value, scope: &str) -> Value {
    let member: kernel::id::MembershipId = kernel::Id::derive(&["one"]);
    event["requestContext"]["authorizer"] = json!({"jwt": {
        "claims": {"iss": "http://…", "aud": "pay", "sub": member.to_string(), "scope": scope, "sid": "s",
            "exp": "1795375294", "iat": "1795374694", "jti": "x"},
        "scopes": null}});
    event
}

fn body_of(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn an_http_request_reaches_its_operation_and_is_answered_as_the_gateway_expects() {
    let mut event = with_claims(http_event("GET", "/v1/things/t%201", "a=1&b=%20"), "member merchant");
    event["headers"]["Idempotency-Key"] = json!("k1");
    event["headers"]["x-name"] = json!("김하나, which HTTP allows as bytes");
    event["queryStringParameters"] = json!({"a": "1", "b": " "});
    let answer = handle("showThing", &event).await.unwrap();
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["isBase64Encoded"], false);
    assert_eq!(answer["headers"]["content-type"], "application/json");
    assert_eq!(answer["headers"]["trace-id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    let seen = body_of(&answer);
    assert_eq!(seen["operation"], "example.showThing");
    assert!(seen["caller"].as_str().unwrap().starts_with("mbr_"));
    assert_eq!(seen["idempotencyKey"], "k1");
    assert_eq!(seen["body"], json!({"a": "1", "b": " ", "thingId": "t 1"}));
}

#[tokio::test]
async fn a_body_comes_as_text_or_as_base64() {
    let mut event = http_event("POST", "/v1/things", "");
    event["headers"]["content-type"] = json!("application/json");
    event["body"] = json!("{\"n\":1}");
    assert_eq!(body_of(&handle("makeThing", &event).await.unwrap())["body"], json!({"n": 1}));
    event["body"] = json!("eyJuIjoxfQ==");
    event["isBase64Encoded"] = json!(true);
    assert_eq!(body_of(&handle("makeThing", &event).await.unwrap())["body"], json!({"n": 1}));
}

#[tokio::test]
async fn a_refused_request_is_a_problem_and_no_error_of_the_function() {
    let cases = [
        (http_event("GET", "/v1/things/t", ""), "showThing", 401, "unauthorized"),
        (with_claims(http_event("GET", "/v1/things/t", ""), "operator"), "showThing", 403, "forbidden"),
        (
            with_claims(http_event("GET", "/v1/things/t", "refuse=1"), "member"),
            "showThing",
            412,
            "precondition_failed",
        ),
        (http_event("PATCH", "/v1/things", ""), "makeThing", 404, "unknown_path"),
    ];
    for (event, name, status, code) in cases {
        let answer = handle(name, &event).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{code}");
        assert_eq!(answer["headers"]["content-type"], "application/problem+json");
        assert_eq!(body_of(&answer)["code"], code);
    }
}

#[tokio::test]
async fn a_request_without_a_trace_gets_the_gateways_or_lambdas_own() {
    let lambdas = "Root=1-6b033de1-9800ced546f7767bbe4b2c7e;Parent=c053c071ad47ad0b;Sampled=1";
    let mut event = with_claims(http_event("GET", "/v1/things/t", ""), "member");
    let mut traced = async |headers: [(&str, Value); 2]| {
        for (name, value) in headers {
            event["headers"][name] = value;
        }
        let answer = function(Some("showThing")).handle(event.clone(), lambdas).await.unwrap();
        answer["headers"]["trace-id"].as_str().unwrap().to_owned()
    };
    for header in [json!(null), json!("no traceparent")] {
        let trace = traced([("traceparent", header), ("X-Amzn-Trace-Id", json!(null))]).await;
        assert_eq!(trace, "6b033de19800ced546f7767bbe4b2c7e");
    }
    let gateways = json!("Root=1-67891233-abcdef012345678912345678");
    let trace = traced([("traceparent", json!(null)), ("X-Amzn-Trace-Id", gateways.clone())]).await;
    assert_eq!(trace, "67891233abcdef012345678912345678");
    let trace = traced([("traceparent", json!(TRACEPARENT)), ("X-Amzn-Trace-Id", gateways)]).await;
    assert_eq!(Trace::parse(TRACEPARENT).unwrap().id(), trace);
}

fn direct(operation: &str, body: &Value) -> Value {
    let member: kernel::id::MembershipId = kernel::Id::derive(&["one"]);
    json!({"operation": operation, "caller": "money.increaseMoneyRequest", "onBehalfOf": member.to_string(),
        "traceparent": TRACEPARENT, "body": body})
}

#[tokio::test]
async fn a_direct_call_is_answered_with_what_was_done_or_why_not() {
    let done = handle("showThing", &direct("example.showThing", &json!({"n": 1}))).await.unwrap();
    let seen = &done["done"];
    assert_eq!(seen["caller"], "money.increaseMoneyRequest");
    assert!(seen["onBehalfOf"].as_str().unwrap().starts_with("mbr_"));
    assert_eq!(seen["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(seen["body"], json!({"n": 1}));

    let refused = handle("showThing", &direct("example.showThing", &json!({"refuse": 1}))).await.unwrap();
    assert_eq!(refused["refused"]["code"], "precondition_failed");
    // Neither another function's name nor an operation that nobody may call is served.
    for (name, called) in [("showThing", "example.makeThing"), ("makeThing", "example.makeThing")] {
        let event = direct(called, &json!({}));
        let refused = function(Some(name)).handle(event, "").await.unwrap();
        assert_eq!(refused["refused"]["code"], "internal_error", "{name}");
    }
}

fn record(id: &str, operation: &str, body: &str) -> Value {
    json!({"messageId": id, "receiptHandle": "r", "body": body, "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {}, "md5OfBody": "…", "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:pay-example-{operation}"), "awsRegion": "us-east-1"})
}

fn message(operation: &str, body: &Value) -> String {
    json!({"operation": operation, "traceparent": TRACEPARENT, "body": body}).to_string()
}

#[tokio::test]
async fn each_message_of_a_batch_succeeds_or_comes_again_by_itself() {
    let records: Vec<Value> = [
        ("good", message("example.sweepThings", &json!({"n": 1}))),
        ("refused", message("example.sweepThings", &json!({"refuse": 1}))),
        ("for another", message("example.showThing", &json!({}))),
        ("not JSON", "{".to_owned()),
        ("not ours", "{}".to_owned()),
        ("good too", message("example.sweepThings", &json!({}))),
    ]
    .into_iter()
    .map(|(id, body)| record(id, "sweepThings", &body))
    .collect();
    let answer = handle("sweepThings", &json!({ "Records": records })).await.unwrap();
    let failed: Vec<&str> = answer["batchItemFailures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["itemIdentifier"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["refused", "for another", "not JSON", "not ours"]);
}

#[tokio::test]
async fn one_message_does_not_wait_for_another() {
    let body = message("example.sweepThings", &json!({"meet": 10}));
    let records: Vec<Value> = (0..10).map(|id| record(&id.to_string(), "sweepThings", &body)).collect();
    let event = json!({ "Records": records });
    let answer = function(Some("sweepThings")).handle(event, "").await;
    assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}));
}

fn bus_event(kind: &str, detail: &Value) -> String {
    json!({"version": "0", "id": "15220039", "source": "pay.membership", "account": "000000000000",
        "time": "2026-11-22T19:09:22Z", "region": "us-east-1", "resources": [], "detail-type": kind, "detail": detail})
    .to_string()
}

#[tokio::test]
async fn a_fact_reaches_its_listener_as_a_whole_envelope() {
    let fact = events::ALL.iter().find(|fact| fact.name == FACT).unwrap();
    let mut envelope = serde_json::to_value((fact.example)()).unwrap();
    let event =
        |envelope: &Value| json!({"Records": [record("m", "onRegistered", &bus_event(FACT, envelope))]});
    let none = json!({"batchItemFailures": []});
    let one = json!({"batchItemFailures": [{"itemIdentifier": "m"}]});
    assert_eq!(handle("onRegistered", &event(&envelope)).await.unwrap(), none);
    // The handler of these tests refuses an input with `refuse`: it saw the envelope, and only its known fields.
    envelope["refuse"] = json!(1);
    assert_eq!(handle("onRegistered", &event(&envelope)).await.unwrap(), none);
    envelope["type"] = json!("membership.forgotten.v1");
    assert_eq!(handle("onRegistered", &event(&envelope)).await.unwrap(), one);
    assert_eq!(handle("onRegistered", &event(&json!({"no": "envelope"}))).await.unwrap(), one);
}

fn change(sequence: &str, told: &str) -> Value {
    let item = json!({"pk": {"S": "a"}, "sk": {"S": "b"}, "told": {"S": told}, "n": {"N": "1"}, "l": {"L": [{"BOOL": true}]}});
    json!({"eventID": "e", "eventName": "MODIFY", "eventVersion": "1.1", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
        "dynamodb": {"ApproximateCreationDateTime": 1_795_374_562, "Keys": {"pk": {"S": "a"}, "sk": {"S": "b"}},
            "SequenceNumber": sequence, "SizeBytes": 0, "StreamViewType": "NEW_AND_OLD_IMAGES",
            "OldImage": {"pk": {"S": "a"}, "sk": {"S": "b"}}, "NewImage": item},
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:000000000000:table/pay-example/stream/2026-11-22T19:09:22.831"})
}

#[tokio::test]
async fn a_stream_comes_again_from_the_first_change_that_failed() {
    let removed = json!({"eventSource": "aws:dynamodb", "eventName": "REMOVE", "dynamodb": {"SequenceNumber": "9",
        "Keys": {"pk": {"S": "a"}, "sk": {"S": "b"}}, "OldImage": {"pk": {"S": "a"}, "sk": {"S": "b"}}}});
    let cases = [
        (vec![change("1", "ok"), change("2", "ok"), removed], json!([])),
        (vec![change("1", "ok"), change("2", "fail"), change("3", "fail")], json!([{"itemIdentifier": "2"}])),
        (vec![change("1", "ok"), change("2", "break")], json!([{"itemIdentifier": "1"}])),
    ];
    for (records, failures) in cases {
        let answer = handle("relayOutbox", &json!({ "Records": records })).await.unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": failures }));
    }
}

#[tokio::test]
async fn schedules_rotations_and_people_give_the_input_as_it_is() {
    let rotation = json!({"Step": "createSecret", "SecretId": "arn:…", "ClientRequestToken": "token"});
    for (name, input) in [("sweepThings", json!({})), ("rotateKey", rotation)] {
        let answer = handle(name, &input).await.unwrap();
        assert_eq!(answer["operation"], format!("example.{name}"));
        assert_eq!((&answer["caller"], &answer["body"]), (&json!("platform"), &input));
    }
    let nothing = function(Some("sweepThings")).handle(Value::Null, "").await.unwrap();
    assert_eq!(nothing["body"], json!({}));
    let failure = function(Some("sweepThings")).handle(json!({"refuse": 1}), "").await.unwrap_err();
    assert_eq!(failure.kind, "precondition_failed", "Step Functions match on an error's type");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_an_error_that_quotes_nothing() {
    let odd = [
        json!({"requestContext": {"secret": "s3cr3t"}}),
        json!({"operation": 1, "caller": "s3cr3t", "traceparent": ""}),
        json!({"Records": [{"eventSource": "aws:sqs", "body": ["s3cr3t"]}]}),
        json!({"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {"NewImage": {"a": {"S": 5}}}}]}),
    ];
    for event in odd {
        let failure = function(Some("showThing")).handle(event, "").await.unwrap_err();
        assert_eq!(failure.kind, "internal_error");
        assert!(!failure.message.contains("s3cr3t"));
    }
}
