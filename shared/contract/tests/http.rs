//! The frame's promises to every operation, held against a service of two operations.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines,
    reason = "a test that fails should fail loudly"
)]

use contract::{
    Access, Api, Call, Context, Method, Operation, Problem, Reply, Scope, Service, Trigger, handled_by,
    testing::{Bench, Request},
};
use kernel::{Id, Money, id::MembershipId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Deposit {
    membership_id: MembershipId,
    amount: Money,
}

#[derive(Serialize, JsonSchema)]
struct Deposited {
    fingerprint: String,
}

async fn deposit(_: &Context, call: Call<Deposit>) -> Result<Reply<Deposited>, Problem> {
    call.caller.owns(call.body.membership_id)?;
    let id: kernel::id::TransferId = call.derived_id()?;
    if call.body.amount.is_zero() {
        return Err(Problem::field("/amount", "must be at least 1 won"));
    }
    Ok(Reply::created(format!("/v1/deposits/{id}"), Deposited { fingerprint: call.fingerprint }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn greet(_: &Context, _: Call<Nothing>) -> Result<Reply<()>, Problem> {
    Ok(Reply::done())
}

async fn export(_: &Context, _: Call<Nothing>) -> Result<Reply<String>, Problem> {
    Ok(Reply::ok("a,b\r\n".to_owned()).going_on(Some("/v1/export?cursor=2".to_owned())))
}

static SERVICE: Service = Service {
    name: "example",
    summary: "An example",
    api: Api::Pay,
    indexes: &[],
    records: &[],
    operations: &[
        Operation {
            name: "deposit",
            triggers: &[Trigger::Route(Method::Post, "/v1/members/{membershipId}/deposits")],
            access: Access::Scopes(&[Scope::Member]),
            refuses: &[&contract::problem::NOT_FOUND],
            ..handled_by!(deposit)
        },
        Operation {
            name: "greet",
            triggers: &[Trigger::Route(Method::Get, "/v1/greeting")],
            access: Access::Public,
            ..handled_by!(greet)
        },
        Operation {
            name: "export",
            triggers: &[Trigger::Route(Method::Get, "/v1/export")],
            access: Access::Public,
            produces: "text/csv; charset=utf-8",
            ..handled_by!(export)
        },
    ],
};

fn member() -> MembershipId {
    Id::derive(&["one"])
}

fn valid() -> Request {
    Request::new("POST", &format!("/v1/members/{}/deposits", member()))
        .caller(member(), "member")
        .key("k1")
        .json(&json!({ "amount": { "amount": 15000, "currency": "KRW" } }))
}

#[tokio::test]
async fn a_valid_request_is_answered_with_its_place() {
    let bench = Bench::new(&SERVICE);
    let first = bench.send(valid()).await;
    assert_eq!(first.status, 201);
    assert!(first.header("location").unwrap().starts_with("/v1/deposits/txf_"));
    assert_eq!(first, {
        let mut again = bench.send(valid()).await;
        again.headers[2] = first.headers[2].clone();
        again
    });
    assert_eq!(bench.send(Request::new("GET", "/v1/greeting")).await.status, 204);
}

#[tokio::test]
async fn each_bad_request_names_what_is_wrong() {
    let bench = Bench::new(&SERVICE);
    let path = format!("/v1/members/{}/deposits", member());
    let asked = |request: Request| request.caller(member(), "member").key("k");
    let amount = |value: &str| {
        asked(Request::new("POST", &path))
            .header("content-type", "application/json")
            .bytes(format!(r#"{{"amount":{value}}}"#).as_bytes())
    };
    let deep = format!("{}{}", r#"{"amount":"#.repeat(200), "}".repeat(200));
    let cases = [
        (amount(r#"{"amount":1.5,"currency":"KRW"}"#), 400, "validation_failed", "/amount/amount"),
        (amount(r#"{"amount":"1","currency":"KRW"}"#), 400, "validation_failed", "/amount/amount"),
        (amount(r#"{"amount":1e3,"currency":"KRW"}"#), 400, "validation_failed", "/amount/amount"),
        (amount(r#"{"amount":-1,"currency":"KRW"}"#), 400, "validation_failed", "/amount/amount"),
        (amount(r#"{"amount":0,"currency":"KRW"}"#), 400, "validation_failed", "/amount"),
        (amount(r#"{"amount":1,"currency":"USD"}"#), 400, "validation_failed", "/amount/currency"),
        (amount(r#"{"amount":1}"#), 400, "validation_failed", "/amount/currency"),
        (amount(r#"1,"extra":1"#), 400, "validation_failed", "/amount"),
        (amount(r#"{"amount":1,"currency":"KRW"},"extra":1"#), 400, "validation_failed", "/extra"),
        (
            amount(r#"{"amount":1,"currency":"KRW"},"membershipId":"x""#),
            400,
            "validation_failed",
            "/membershipId",
        ),
        (asked(Request::new("POST", &path)), 400, "validation_failed", "/amount"),
        (
            asked(Request::new("POST", "/v1/members/mbr_1/deposits")),
            400,
            "validation_failed",
            "/membershipId",
        ),
        (asked(Request::new("POST", &format!("{path}?dry=1"))), 400, "validation_failed", "/dry"),
        (asked(Request::new("GET", "/v1/greeting?a=1&a=2")), 400, "validation_failed", "/a"),
        (asked(Request::new("GET", "/v1/greeting?a=1")), 400, "validation_failed", "/a"),
        (asked(Request::new("GET", "/v1/greeting?a~1b=1")), 400, "validation_failed", "/a~01b"),
        (amount("{"), 400, "malformed_body", ""),
        (amount("\u{0}"), 400, "malformed_body", ""),
        (
            amount(r#"{"amount":1,"currency":"KRW"},"amount":{"amount":2,"currency":"KRW"}"#),
            400,
            "malformed_body",
            "",
        ),
        (amount(r#"{"amount":1,"amount":2,"currency":"KRW"}"#), 400, "malformed_body", ""),
        (
            asked(Request::new("POST", &path))
                .header("content-type", "application/json")
                .bytes(b"{\"a\":\"\xff\"}"),
            400,
            "malformed_body",
            "",
        ),
        (
            asked(Request::new("POST", &path)).header("content-type", "application/json").bytes(b"[]"),
            400,
            "malformed_body",
            "",
        ),
        (
            asked(Request::new("POST", &path))
                .header("content-type", "application/json")
                .bytes(deep.as_bytes()),
            400,
            "malformed_body",
            "",
        ),
        (
            asked(Request::new("POST", &path)).header("content-type", "text/plain").bytes(b"{}"),
            415,
            "unsupported_media_type",
            "",
        ),
        (
            asked(Request::new("POST", &path))
                .header("content-type", "application/json")
                .bytes(&[b' '; 65_537]),
            413,
            "body_too_large",
            "",
        ),
        (valid().0.without("idempotency-key"), 400, "idempotency_key_required", ""),
        (valid().0.without("idempotency-key").key("a b"), 400, "idempotency_key_invalid", ""),
        (valid().0.without("idempotency-key").key(&"k".repeat(256)), 400, "idempotency_key_invalid", ""),
        (Request::new("POST", &path), 401, "unauthorized", ""),
        (Request::new("POST", &path).caller(member(), "operator"), 403, "forbidden", ""),
        (valid().caller(Id::derive(&["another"]), "member"), 404, "not_found", ""),
        (Request::new("GET", "/v1/nowhere"), 404, "unknown_path", ""),
    ];
    for (request, status, code, pointer) in cases {
        let told = format!("{} {}", request.0.method, String::from_utf8_lossy(&request.0.body));
        let answer = bench.send(request).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{told}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.body["traceId"].as_str(), answer.header("trace-id"));
        assert_eq!(answer.body["errors"][0]["pointer"].as_str().unwrap_or_default(), pointer, "{told}");
    }
}

#[tokio::test]
async fn a_trace_that_was_begun_elsewhere_goes_on() {
    let bench = Bench::new(&SERVICE);
    let request = |traceparent| Request::new("GET", "/v1/greeting").header("traceparent", traceparent);
    let known = bench.send(request(events::EXAMPLE_TRACEPARENT)).await;
    assert_eq!(known.header("trace-id"), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    for odd in ["", "00-0-0-0", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "zz"] {
        let fresh = bench.send(request(odd)).await;
        assert_eq!(fresh.header("trace-id").map(str::len), Some(32), "{odd}");
    }
}

trait Without {
    fn without(self, name: &str) -> Request;
}

impl Without for contract::http::Request {
    fn without(mut self, name: &str) -> Request {
        self.headers.retain(|(known, _)| known != name);
        Request(self)
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_sent_as_it_is_and_says_where_it_goes_on() {
    let bench = Bench::new(&SERVICE);
    let answer = bench.send(Request::new("GET", "/v1/export")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(answer.header("link"), Some("</v1/export?cursor=2>; rel=\"next\""));
    assert_eq!(answer.body, json!("a,b\r\n"));

    let refused = bench.send(Request::new("GET", "/v1/export?unknown=1")).await;
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.body["errors"][0]["pointer"], "/unknown");
}
