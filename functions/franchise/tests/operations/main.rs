//! Franchise's operations, called as the gateway and the platform call them, on the twin of its table.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod audit;
mod closing;
mod modification;
mod publishing;
mod reading;
mod registration;
mod tables;

use contract::{
    ports::DirectAnswer,
    testing::{Answer, Bench, Request},
};
use franchise::SERVICE;
use kernel::{
    Id,
    id::{BankAccountId, MembershipId},
};
use serde_json::{Value, json};

const SHOP: &str = "하나 커피";
const PERSON: &str = "김하나";

/// A merchant with two linked accounts.
fn hana() -> MembershipId {
    Id::derive(&["hana"])
}

/// A merchant with one.
fn dul() -> MembershipId {
    Id::derive(&["dul"])
}

fn operator() -> MembershipId {
    Id::derive(&["operator"])
}

fn account(name: &str) -> BankAccountId {
    Id::derive(&[name])
}

/// Franchise with a banking that knows three accounts.
fn bench() -> Bench {
    let bench = Bench::new(&SERVICE);
    banking_answers(&bench);
    bench
}

fn banking_answers(bench: &Bench) {
    let linked = [("hana", hana()), ("hana's second", hana()), ("dul", dul())];
    let linked = linked.map(|(name, owner)| json!({ "bankAccountId": account(name), "membershipId": owner }));
    bench.world.answer_calls(move |call| {
        assert_eq!(call.operation, "banking.verifyBankAccountOwner");
        assert_eq!(json!(call.on_behalf_of), call.body["membershipId"]);
        Ok(DirectAnswer::Done(json!({ "linked": linked.contains(&call.body) })))
    });
}

fn nobody_asks_banking(bench: &Bench) {
    bench.world.answer_calls(|call| panic!("{} was asked for nothing", call.operation));
}

/// What a merchant says of a shop.
fn shop() -> Value {
    json!({
        "name": SHOP,
        "contact": { "name": PERSON, "email": "hana@shop.example", "phone": "02-1234-5678" },
        "bankAccountId": account("hana"),
        "settlementCycle": { "kind": "daily" },
    })
}

/// The same with one field changed.
fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

fn register(body: &Value) -> Request {
    Request::new("POST", "/v1/franchises").json(body)
}

fn by_merchant(request: Request, member: MembershipId) -> Request {
    request.caller(member, "member merchant")
}

fn by_operator(request: Request) -> Request {
    request.caller(operator(), "member operator")
}

/// Hana's shop; its path.
async fn registered(bench: &Bench) -> String {
    let answer = bench.send(by_merchant(register(&shop()).key("shop"), hana())).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.header("location").unwrap().to_owned()
}

async fn get(bench: &Bench, path: &str) -> Answer {
    bench.send(by_operator(Request::new("GET", path))).await
}

/// The pointers of the fields that a problem names.
fn pointers(answer: &Answer) -> Vec<&str> {
    let errors = answer.body["errors"].as_array().into_iter().flatten();
    errors.map(|error| error["pointer"].as_str().unwrap()).collect()
}
