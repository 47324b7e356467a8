//! What the gate lets pass, and what it stops.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where it is surprised")]

use compatibility::{Finding, compare, excuses::Excuses, tree::Tree};
use serde_json::{Value, json};
use std::path::Path;

const API: &str = "infra/terraform/openapi.json";
const OPERATIONS: &str = "infra/terraform/operations.json";
const FACT: &str = "events/schemas/money.increased.v1.json";
const CALL: &str = "events/calls/money.holdMoney.json";
const ITEM: &str = "events/items/money.entry.json";

/// A small system, released.
fn released() -> Vec<(String, Value)> {
    let state =
        json!({ "oneOf": [{ "const": "open", "type": "string" }, { "const": "closed", "type": "string" }] });
    let order = json!({ "type": "object", "additionalProperties": false, "required": ["amount"], "properties": {
        "amount": { "type": "integer", "minimum": 1, "maximum": 100 }, "memo": { "type": ["string", "null"] } } });
    let entry = json!({ "type": "object", "required": ["id", "state"], "properties": {
        "id": { "type": "string", "pattern": "^ent_" }, "state": { "$ref": "#/$defs/State" } }, "$defs": { "State": state } });
    let operation = |more: Value| {
        let mut operation = json!({ "calls": [], "emits": [], "subscribes": [], "enqueues": [],
            "queue": false, "stream": false, "step": false });
        operation.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        operation
    };
    let files = [
        (
            API,
            json!({
                "paths": { "/v1/entries": { "post": {
                    "operationId": "enter",
                    "security": [{ "accessToken": ["member"] }],
                    "parameters": [
                        { "in": "query", "name": "limit", "required": false, "schema": { "type": "integer", "maximum": 9 } }],
                    "requestBody": { "required": true, "content": {
                        "application/json": { "schema": { "$ref": "#/components/schemas/Order" } } } },
                    "responses": {
                        "201": { "headers": { "Location": {} }, "content": {
                            "application/json": { "schema": { "$ref": "#/components/schemas/Entry" } } } },
                        "409": { "content": { "application/problem+json": {
                            "examples": { "too_late": {}, "too_much": {} } } } } } } } },
                "components": { "schemas": { "Order": order, "Entry": {
                    "type": "object", "required": ["id", "state"], "properties": {
                        "id": { "type": "string" }, "state": { "$ref": "#/components/schemas/State" },
                        "note": { "type": "string" } } }, "State": state } },
            }),
        ),
        (
            OPERATIONS,
            json!({
                "services": { "money": { "indexes": [{ "name": "byDay", "partition": "day", "sort": "sk" }] } },
                "operations": {
                    "money.holdMoney": operation(json!({})),
                    "money.listen": operation(json!({ "queue": true, "subscribes": ["money.increased.v1"] })),
                    "payment.pay": operation(json!({ "calls": ["money.holdMoney"], "enqueues": ["payment.go"],
                        "publishes": true, "table": ["read", "write"], "workflows": ["settlement"],
                        "secrets": { "read": ["payment-key"], "write": ["signing-keys"] } })),
                    "payment.show": operation(json!({})),
                },
            }),
        ),
        (FACT, entry.clone()),
        ("events/schemas/money.forgotten.v1.json", entry.clone()),
        (CALL, json!({ "input": order, "answer": entry })),
        (ITEM, json!([{ "balance": { "N": "1" } }])),
    ];
    files.into_iter().map(|(path, file)| (path.to_owned(), file)).collect()
}

/// What is found when one file of the released system becomes another one.
fn found(path: &str, change: impl FnOnce(&mut Value)) -> Vec<Finding> {
    let mut files = released();
    change(&mut files.iter_mut().find(|(name, _)| name == path).unwrap().1);
    let found = compare(&Tree::of(released()), &Tree::of(files));
    found.into_iter().flat_map(|(_, found)| found).collect()
}

/// What is found when a file is deleted.
fn without(path: &str) -> Vec<Finding> {
    let files = released().into_iter().filter(|(name, _)| name != path);
    let found = compare(&Tree::of(released()), &Tree::of(files));
    found.into_iter().flat_map(|(_, found)| found).collect()
}

fn breaks(found: &[Finding]) -> Vec<String> {
    let breaks = found.iter().filter(|finding| finding.breaks);
    breaks.map(|finding| format!("{}: {}", finding.subject, finding.what)).collect()
}

fn assert_breaks(found: &[Finding], expected: &str) {
    assert_eq!(breaks(found), [expected], "{found:#?}");
}

/// It is told, and breaks nobody.
fn assert_grows(found: &[Finding]) {
    assert!(!found.is_empty());
    assert_eq!(breaks(found), Vec::<String>::new());
}

#[test]
fn nothing_changed_is_nothing_found() {
    assert_eq!(found(API, |_| {}), []);
    let present = Tree::present(Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()).unwrap();
    let found: Vec<_> = compare(&present, &present).into_iter().flat_map(|(_, found)| found).collect();
    assert_eq!(found, []);
}

#[test]
fn clients_keep_their_operations_inputs_and_answers() {
    const ENTER: &str = "/paths/~1v1~1entries/post";
    let at = |pointer: &'static str, value: Value| {
        found(API, move |file| *file.pointer_mut(pointer).unwrap() = value)
    };
    let order = |pointer: &str, value: Value| {
        let pointer = format!("/components/schemas/Order{pointer}");
        found(API, |file| *file.pointer_mut(&pointer).unwrap() = value)
    };
    let entry =
        |change: fn(&mut Value)| found(API, |file| change(&mut file["components"]["schemas"]["Entry"]));

    assert_breaks(&at("/paths", json!({})), "POST /v1/entries: is gone");
    assert_breaks(
        &order("/required", json!(["amount", "memo"])),
        "POST /v1/entries: body/memo must be given now",
    );
    assert_breaks(
        &order("/properties/amount/maximum", json!(50)),
        "POST /v1/entries: body/amount maximum was 100 and is 50",
    );
    assert_grows(&order("/properties/amount/maximum", json!(500)));
    assert_grows(&order("/properties/amount/minimum", json!(0)));
    assert_breaks(
        &order("/properties", json!({ "amount": { "type": "integer", "minimum": 1, "maximum": 100 } })),
        "POST /v1/entries: body/memo is gone",
    );
    let more = |file: &mut Value| file["components"]["schemas"]["Order"]["properties"]["more"] = json!({});
    assert_grows(&found(API, more));

    assert_breaks(
        &entry(|entry| {
            entry["properties"] =
                json!({ "state": entry["properties"]["state"], "note": { "type": "string" } })
        }),
        "POST /v1/entries: 201/id is gone",
    );
    assert_breaks(
        &entry(|entry| entry["required"] = json!(["state"])),
        "POST /v1/entries: 201/id may be missing now",
    );
    assert_grows(&entry(|entry| entry["required"] = json!(["id", "state", "note"])));
    assert_grows(&entry(|entry| entry["properties"]["more"] = json!({ "type": "string" })));
    let new_state = |file: &mut Value| {
        let states = file["components"]["schemas"]["State"]["oneOf"].as_array_mut().unwrap();
        states.push(json!({ "const": "lost", "type": "string" }));
    };
    assert_breaks(&found(API, new_state), "POST /v1/entries: 201/state can be \"lost\", which nobody knew");

    let responses = |change: fn(&mut Value)| {
        found(API, |file| change(&mut file.pointer_mut(ENTER).unwrap()["responses"]))
    };
    let renamed = |all: &mut Value| {
        all["409"]["content"]["application/problem+json"]["examples"] =
            json!({ "too_late": {}, "too_big": {} });
    };
    assert_breaks(&responses(renamed), "POST /v1/entries: 409 too_much is answered no more");
    let moved = |all: &mut Value| {
        let was = all.as_object_mut().unwrap().remove("201").unwrap();
        all["202"] = was;
    };
    assert_eq!(breaks(&responses(moved)).len(), 2);
    assert_breaks(
        &found(API, |file| {
            file.pointer_mut(ENTER).unwrap()["security"] = json!([{ "accessToken": ["operator"] }])
        }),
        "POST /v1/entries: {\"accessToken\":[\"member\"]} is not let in any more",
    );
    let needs_limit =
        |file: &mut Value| file.pointer_mut(ENTER).unwrap()["parameters"][0]["required"] = json!(true);
    assert_breaks(&found(API, needs_limit), "POST /v1/entries: query limit must be given now");
}

#[test]
fn a_fact_grows_by_optional_fields_and_goes_when_nobody_uses_it() {
    assert_grows(&found(FACT, |fact| fact["properties"]["more"] = json!({ "type": "string" })));
    assert_breaks(
        &found(FACT, |fact| {
            fact["properties"]["more"] = json!({ "type": "string" });
            fact["required"] = json!(["id", "state", "more"]);
        }),
        "money.increased.v1: data/more is new and must be given",
    );
    assert_breaks(
        &found(FACT, |fact| fact["required"] = json!(["id"])),
        "money.increased.v1: data/state may be missing now",
    );
    // A consumer of the old version would refuse the field, and its message would end among the dead letters.
    let closed = |fact: &mut Value| {
        fact["properties"]["inner"] =
            json!({ "type": "object", "additionalProperties": false, "properties": {} });
    };
    let mut was = released();
    closed(&mut was.iter_mut().find(|(name, _)| name == FACT).unwrap().1);
    let mut is = was.clone();
    let fact = &mut is.iter_mut().find(|(name, _)| name == FACT).unwrap().1;
    fact["properties"]["inner"]["properties"]["more"] = json!({ "type": "string" });
    let found: Vec<_> =
        compare(&Tree::of(was), &Tree::of(is)).into_iter().flat_map(|(_, found)| found).collect();
    assert_breaks(
        &found,
        "money.increased.v1: data/inner/more is new where the old version takes no further field",
    );

    assert_breaks(&without(FACT), "money.increased.v1: is gone, but was used by money.listen");
    assert_grows(&without("events/schemas/money.forgotten.v1.json"));
}

#[test]
fn services_of_two_versions_understand_each_other() {
    // An input may gain a field: an older callee makes its caller wait. It may not lose one, or ask for more.
    assert_grows(&found(CALL, |call| call["input"]["properties"]["more"] = json!({ "type": "string" })));
    assert_breaks(
        &found(CALL, |call| call["input"]["required"] = json!(["amount", "memo"])),
        "money.holdMoney: input/memo must be given now",
    );
    // Wider is as bad as narrower: an older callee refuses what a newer caller may ask.
    assert_breaks(
        &found(CALL, |call| call["input"]["properties"]["amount"]["maximum"] = json!(500)),
        "money.holdMoney: input/amount maximum was 100 and is 500",
    );
    assert_grows(&found(CALL, |call| call["answer"]["properties"]["more"] = json!({ "type": "string" })));
    assert_breaks(
        &found(CALL, |call| {
            call["answer"]["properties"]["more"] = json!({ "type": "string" });
            call["answer"]["required"] = json!(["id", "state", "more"]);
        }),
        "money.holdMoney: answer/more is new and must be given",
    );
}

#[test]
fn an_operation_goes_when_nothing_can_reach_it() {
    let remove = |name: &'static str| {
        found(OPERATIONS, move |file| drop(file["operations"].as_object_mut().unwrap().remove(name)))
    };
    assert_grows(&remove("payment.show"));
    assert_breaks(&remove("money.holdMoney"), "money.holdMoney: is gone, but payment.pay calls it");
    assert_breaks(&remove("money.listen"), "money.listen: is gone, but its queue may hold something");
}

#[test]
fn what_an_operation_may_do_is_taken_from_it_after_the_code_that_needs_it() {
    let pay = |pointer: &'static str, value: Value| {
        found(OPERATIONS, move |file| {
            *file["operations"]["payment.pay"].pointer_mut(pointer).unwrap() = value
        })
    };
    let lost = |what: &str| {
        format!(
            "payment.pay: {what} is granted no more, and the version that is live runs with the same role: remove it in \
             the next deployment"
        )
    };
    for (pointer, left, what) in [
        ("/table", json!(["read"]), "table: write"),
        ("/secrets/read", json!([]), "secrets: payment-key"),
        ("/calls", json!(["money.keepMoney"]), "calls: money.holdMoney"),
        ("/enqueues", json!([]), "enqueues: payment.go"),
        ("/workflows", json!([]), "workflows: settlement"),
        ("/publishes", json!(false), "publishes: facts"),
    ] {
        assert_breaks(&pay(pointer, left), &lost(what));
    }
    // Who writes a secret reads it, so that a writer that becomes a reader loses the writing only.
    let reader = json!({ "read": ["payment-key", "signing-keys"], "write": [] });
    assert_breaks(&pay("/secrets", reader), &lost("secrets to be written: signing-keys"));
    assert_eq!(pay("/secrets", json!({ "read": [], "write": ["payment-key", "signing-keys"] })), []);
    assert_eq!(pay("/table", json!(["read", "write", "scan"])), []);
}

#[test]
fn a_fact_that_is_new_to_a_handler_would_reach_its_old_version() {
    let listens = |operation: &'static str, facts: Value| {
        found(OPERATIONS, move |file| file["operations"][operation]["subscribes"] = facts)
    };
    assert_breaks(
        &listens("money.listen", json!(["money.increased.v1", "money.decreased.v1"])),
        "money.listen: listens to money.decreased.v1 now, and the version that is live would get it too: give it a \
         handler of its own",
    );
    assert_eq!(listens("money.listen", json!([])), []);
    // A handler that is new itself has no old version.
    assert_grows(&found(OPERATIONS, |file| {
        file["operations"]["money.hear"] = json!({ "queue": true, "subscribes": ["money.increased.v1"] });
    }));
}

#[test]
fn tables_only_gain() {
    let indexes = |list: Value| found(OPERATIONS, move |file| file["services"]["money"]["indexes"] = list);
    let by_day = json!({ "name": "byDay", "partition": "day", "sort": "sk" });
    assert_grows(&indexes(json!([by_day, { "name": "byOwner", "partition": "owner", "sort": "sk" }])));
    assert_breaks(&indexes(json!([])), "money: index byDay is gone, and the old version reads it");
    assert_breaks(
        &indexes(json!([{ "name": "byDay", "partition": "day", "sort": "at" }])),
        "money: index byDay is another: give it a new name",
    );
    assert_grows(&found(ITEM, |forms| forms.as_array_mut().unwrap().push(json!({ "memo": { "S": "" } }))));
    assert_eq!(breaks(&found(ITEM, |forms| forms[0] = json!({ "sum": { "N": "1" } }))).len(), 1);
    assert_eq!(breaks(&without(ITEM)).len(), 1);
}

#[test]
fn a_break_that_is_meant_has_a_reason() {
    let finding = Finding::breaks("GET /v1/old", "is gone");
    let text = "[[break]]\nsubject = \"GET /v1/old\"\nwhat = \"is gone\"\nreason = \"nobody has called it for a year\"";
    let excuses = Excuses::parse(text).unwrap();
    assert_eq!(excuses.reason(&finding), Some("nobody has called it for a year"));
    assert_eq!(excuses.reason(&Finding::breaks("GET /v1/new", "is gone")), None);
    assert!(Excuses::parse("[[break]]\nsubject = \"a\"\nwhat = \"b\"\nreason = \" \"").is_err());
}
