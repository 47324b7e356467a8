//! Membership's operations, called as the gateway and the platform call them, on the twin of its table.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod closing;
mod examples;
mod internal;
mod keys;
mod login;
mod members;
mod registration;
mod tables;
mod tokens;
mod uniqueness;

use contract::{
    Caller,
    http::Claims,
    testing::{Answer, Bench, Request},
};
use kernel::id::MembershipId;
use membership::{
    SERVICE,
    domain::{
        signing_keys::KeySet,
        tokens::{self as jwt, Parties},
    },
};
use serde_json::{Value, json};
use std::sync::LazyLock;
use store::{AttributeValue, Item};

/// Making keys is slow, so all tests share a set.
static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::first("first").unwrap());

/// Issuer and audience of the bench.
const PARTIES: Parties<'static> = Parties { issuer: "https://pay.example", audience: "pay" };

/// Membership with signing keys and no members.
fn bench() -> Bench {
    let bench = Bench::new(&SERVICE);
    bench.world.set_secret("signing-keys", &serde_json::to_string(&*KEYS).unwrap());
    bench
}

/// What one person tells of herself.
fn hana() -> Value {
    json!({
        "name": "김하나",
        "email": "hana@pay.example",
        "password": "correct horse battery",
        "address": "서울특별시 중구 세종대로 110",
        "kind": "personal",
    })
}

/// The same with one field changed.
fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

fn register(body: &Value) -> Request {
    Request::new("POST", "/v1/memberships").json(body)
}

fn login(email: &str, password: &str) -> Request {
    Request::new("POST", "/v1/auth/login").json(&json!({ "email": email, "password": password }))
}

fn refresh(token: &str) -> Request {
    Request::new("POST", "/v1/auth/refresh").json(&json!({ "refreshToken": token }))
}

/// A member's request to their own membership.
fn own(method: &str, id: MembershipId) -> Request {
    Request::new(method, &format!("/v1/memberships/{id}")).caller(id, "member")
}

/// A request with this access token, as the gateway's authorizer hands its claims over.
fn bearer(mut request: Request, access_token: &str, bench: &Bench) -> Request {
    let now = bench.context.clock.now();
    let claims = jwt::verify(access_token, &KEYS.published(), PARTIES, now).unwrap();
    request.0.claims = Some(Claims { sub: claims.sub.to_string(), scope: claims.scope, sid: claims.sid });
    request
}

/// Registers and answers the id.
async fn registered(bench: &Bench, body: &Value) -> MembershipId {
    let answer = bench.send(register(body)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    text(&answer.body["membershipId"]).parse().unwrap()
}

/// Registers Hana, logs her in, and answers her id and the tokens.
async fn logged_in(bench: &Bench) -> (MembershipId, Value) {
    let id = registered(bench, &hana()).await;
    (id, hana_logs_in(bench).await.body)
}

async fn hana_logs_in(bench: &Bench) -> Answer {
    let answer = bench.send(login("hana@pay.example", "correct horse battery")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

async fn call(bench: &Bench, operation: &str, body: Value) -> Value {
    bench.call(operation, Caller::Platform, body).await.unwrap().body
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of one kind.
fn items_of(bench: &Bench, kind: &str) -> Vec<Item> {
    bench.twin.items().into_iter().filter(|item| store::kind_of(item) == kind).collect()
}

/// Everything that the table holds, as one text to search.
fn table_text(bench: &Bench) -> String {
    serde_json::to_string(&bench.twin.items()).unwrap()
}

/// An item's attribute, if it is a text.
fn attribute(item: &Item, name: &str) -> String {
    match item.get(name) {
        Some(AttributeValue::S(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// A problem without its trace id, which differs from call to call.
fn without_trace(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body["traceId"] = Value::Null;
    body
}
