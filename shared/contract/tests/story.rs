//! What a call leaves in the log: one line with all that it did, and what the relay counts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should fail loudly"
)]

use contract::{
    Access, Api, Call, Caller, Context, Method, Operation, Problem, Reply, Service, Trigger, handled_by,
    outbox::{Later, Outbox, StreamBatch, StreamChange, relay},
    peers::Peer,
    ports::{DirectAnswer, Incoming, Outgoing},
    testing::{Bench, Log, Request},
};
use events::{Envelope, Fact as _, payment::PaymentApproved};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{AttributeValue, Condition, Item, Unreadable, Write};

const REQUEST: &str = "mcr_01ARZ3NDEKTSV4RRFFQ69G5FAV";
const ELSEWHERE: &str = "00-11111111111111111111111111111111-1111111111111111-01";

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Order {
    money_request_id: String,
    owner: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Nothing {}

const STOCK: Peer<Nothing, Nothing> = Peer::new("stock.take", 1_000);
const NOBODY: Peer<Nothing, Nothing> = Peer::new("nobody.home", 1_000);

fn item(attributes: &[(&str, AttributeValue)]) -> Item {
    let mut item = Item::default();
    for (name, value) in attributes {
        item.insert((*name).to_owned(), value.clone());
    }
    item
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

async fn buy(context: &Context, call: Call<Order>) -> Result<Reply<()>, Problem> {
    let (number, owner) = (|digits: &str| AttributeValue::N(digits.to_owned()), text(&call.body.owner));
    let entry = item(&[
        ("pk", text("wal_1")),
        ("sk", text("7")),
        ("kind", text("entry")),
        ("purpose", text("payment")),
        ("amount", number("42000")),
        ("sequence", number("7")),
        ("owner", owner),
    ]);
    let put = [Write::Put(entry, Condition::Absent)];
    context.table.commit(&put).await.unwrap();
    context.table.commit(&put).await.unwrap_err();
    let elsewhere = call.in_trace_of(ELSEWHERE);
    context.call(&STOCK, &elsewhere, None, None, &Nothing {}).await.unwrap();
    let url = "https://bank.example/v1/accounts/9990000000001".to_owned();
    let asked = Outgoing { method: "GET", url, headers: Vec::new(), body: None, timeout_ms: 10 };
    context.egress.send(asked).await.unwrap();
    context.queues.send("shop.sweep", &json!({}), 25, &call.trace).await.unwrap();
    context.call(&NOBODY, &call, None, None, &Nothing {}).await.unwrap_err();
    Err(Problem::field("/owner", "is not known"))
}

#[derive(Deserialize, JsonSchema)]
struct Anything {}

async fn hear(_: &Context, _: Call<Anything>) -> Result<Reply<()>, Problem> {
    Ok(Reply::done())
}

static SERVICE: Service = Service {
    name: "shop",
    summary: "",
    api: Api::Pay,
    indexes: &[],
    records: &[],
    operations: &[
        Operation {
            name: "buy",
            triggers: &[Trigger::Route(Method::Post, "/v1/orders")],
            access: Access::Public,
            ..handled_by!(buy)
        },
        Operation {
            name: "hear",
            triggers: &[
                Trigger::Route(Method::Post, "/v1/orders/heard"),
                Trigger::Route(Method::Get, "/v1/orders/heard"),
                Trigger::Fact(PaymentApproved::TYPE),
            ],
            access: Access::Public,
            ..handled_by!(hear)
        },
    ],
};

#[tokio::test]
async fn a_calls_last_line_tells_what_it_did_and_of_nobody() {
    let bench = Bench::new(&SERVICE);
    bench.world.answer_calls(|call| match call.operation.as_str() {
        "stock.take" => Ok(DirectAnswer::Done(json!({}))),
        _ => Err(contract::ports::Unanswered("no answer within 1000 ms".to_owned())),
    });
    bench.world.answer_bank(|_| Ok(Incoming { status: 200, body: Value::Null }));
    let log = Log::default();
    let _open = log.open();
    let order = json!({ "moneyRequestId": REQUEST, "owner": "mbr_HANA" });
    let request = Request::new("POST", "/v1/orders").header("traceparent", events::EXAMPLE_TRACEPARENT);
    assert_eq!(bench.send(request.json(&order)).await.status, 400);

    let lines = log.lines();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&line["service"], &line["message"]), (&Value::Null, &json!("buy refused")));
    assert_eq!(line["span"]["service"], "shop");
    assert_eq!(line["span"]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((&line["status"], &line["caller"]), (&json!(400), &json!("anonymous")));
    assert_eq!((&line["refusals"], &line["unanswered"]), (&json!(1), &json!(1)));
    assert_eq!(line["metrics"], "refusals,unanswered");
    assert_eq!(line["ids"], json!(format!("[\"{REQUEST}\"]")));
    let steps: Vec<Value> = serde_json::from_str(line["steps"].as_str().unwrap()).unwrap();
    let told: Vec<_> =
        steps.iter().map(|step| [&step["did"], &step["what"], &step["went"], &step["trace"]]).collect();
    let elsewhere = json!("11111111111111111111111111111111");
    let expected = [
        ["commit", "entry payment 42000 won #7", "done"],
        ["commit", "entry payment 42000 won #7", "a condition did not hold"],
        ["call", "stock.take", "done"],
        ["bank", "GET /v1/accounts/…", "200"],
        ["queue", "shop.sweep", "comes after 25 s"],
        ["call", "nobody.home", "no answer within 1000 ms"],
    ];
    for (place, (told, expected)) in told.iter().zip(expected).enumerate() {
        assert_eq!(told[..3], expected.map(Value::from).each_ref()[..], "step {place}");
        assert_eq!(told[3], if place == 2 { &elsewhere } else { &Value::Null }, "step {place}");
    }
    assert_eq!(told.len(), expected.len());
    let text = line.to_string();
    assert!(!text.contains("HANA") && !text.contains("9990000000001") && !text.contains("wal_"), "{text}");
}

/// What the body, or the query, of anybody's request can hold.
#[tokio::test]
async fn nobody_but_the_platform_chooses_which_fact_a_line_names() {
    let bench = Bench::new(&SERVICE);
    let log = Log::default();
    let _open = log.open();
    let kind = PaymentApproved::TYPE;
    for told in [kind, "Runtime.", "Task timed out"] {
        let fact = json!({ "specversion": "1.0", "type": told });
        assert_eq!(bench.send(Request::new("POST", "/v1/orders/heard").json(&fact)).await.status, 204);
        let query = format!("/v1/orders/heard?specversion=1&type={}", told.replace(' ', "+"));
        assert_eq!(bench.send(Request::new("GET", &query)).await.status, 204);
        let service = Caller::Service("shop.buy".to_owned());
        bring(&bench, service, &fact).await;
    }
    assert!(!log.text().contains("Runtime.") && !log.text().contains("Task timed out"), "{}", log.text());
    assert!(log.lines().iter().all(|line| line.get("fact").is_none()), "{}", log.text());

    bring(&bench, Caller::Platform, &json!({ "specversion": "1.0", "type": "Runtime." })).await;
    bring(&bench, Caller::Platform, &json!({ "specversion": "1.0", "type": kind })).await;
    let named: Vec<_> = log.lines().iter().filter_map(|line| line.get("fact").cloned()).collect();
    assert_eq!(named, [kind]);
}

#[tokio::test]
async fn a_line_tells_which_operator_called_and_never_which_member() {
    let bench = Bench::new(&SERVICE);
    let log = Log::default();
    let _open = log.open();
    let who: kernel::id::MembershipId = kernel::Id::derive(&["somebody"]);
    for scope in ["member", "member merchant", "member operator", "operator"] {
        let request = Request::new("GET", "/v1/orders/heard").caller(who, scope);
        assert_eq!(bench.send(request).await.status, 204);
    }
    let callers: Vec<_> = log.lines().iter().map(|line| line["caller"].clone()).collect();
    assert_eq!(callers, [json!("member"), json!("member"), json!(who), json!(who)]);
}

/// As the function's frame calls an operation that is not reached by HTTP.
async fn bring(bench: &Bench, caller: Caller, body: &Value) {
    let operation = SERVICE.operation("hear").unwrap();
    let trace = bench.trace();
    let outcome =
        contract::log::told(&SERVICE, "hear", &bench.context, &trace, |context, story| async move {
            let call = call_of(caller, &bench.trace(), body.clone());
            story.of_call(&call);
            (operation.handle)(&context, call).await
        });
    assert_eq!(outcome.await.unwrap().status, 204);
}

fn call_of<I>(caller: Caller, trace: &contract::Trace, body: I) -> Call<I> {
    Call {
        operation: "shop.hear".to_owned(),
        caller,
        on_behalf_of: None,
        idempotency_key: None,
        reference: None,
        if_match: None,
        trace: trace.clone(),
        now: events::example_time(),
        fingerprint: String::new(),
        body,
    }
}

fn facts(item: &Item) -> Result<Vec<Envelope>, Unreadable> {
    let approved = item.get("state") == Some(&text("normal"));
    let fact = Envelope::of(&PaymentApproved::example(), "", events::example_time(), ELSEWHERE);
    Ok(if approved { vec![fact] } else { Vec::new() })
}

fn unfinished(item: &Item) -> Result<Option<Later>, Unreadable> {
    let open = item.get("state") == Some(&text("requested"));
    Ok(open.then(|| Later {
        operation: "shop.sweep",
        body: json!({}),
        delay_seconds: 25,
        busy_until: kernel::Timestamp::EPOCH,
    }))
}

const OUTBOX: Outbox = Outbox { facts, unfinished, republish: "shop.republish" };

#[tokio::test]
async fn the_relay_counts_states_that_sagas_come_to_and_won_that_facts_tell() {
    let bench = Bench::new(&SERVICE);
    let payment = |id: &str, state: &str| {
        item(&[("pk", text(id)), ("sk", text("payment")), ("kind", text("payment")), ("state", text(state))])
    };
    let change = |old: Option<&str>, new: &str, id: &str| StreamChange {
        sequence: id.to_owned(),
        old: old.map(|state| payment(id, state)),
        new: Some(payment(id, new)),
    };
    // A new record has come to no other state, and what was final before is no saga any more.
    let changes = vec![
        change(None, "requested", "1"),
        change(Some("requested"), "normal", "2"),
        change(Some("requested"), "normal", "3"),
        change(Some("requested"), "failed", "4"),
        change(Some("requested"), "requested", "5"),
        change(Some("failed"), "archived", "6"),
    ];
    let log = Log::default();
    let _open = log.open();
    let call = call_of(Caller::Platform, &bench.trace(), StreamBatch { changes });
    relay(&bench.context, call, &OUTBOX).await.unwrap();
    let lines = log.lines();
    let reached: Vec<_> = lines.iter().filter(|line| line["metrics"] == "reached").collect();
    let states: Vec<_> =
        reached.iter().map(|line| [&line["record"], &line["state"], &line["reached"]]).collect();
    assert_eq!(
        states,
        [[&json!("payment"), &json!("failed"), &json!(1)], [&json!("payment"), &json!("normal"), &json!(2)]]
    );
    let won: Vec<_> = lines.iter().filter(|line| line["metrics"] == "won").collect();
    let amount = PaymentApproved::example().amount.amount();
    assert_eq!(won.len(), 1);
    assert_eq!(won[0]["fact"], PaymentApproved::TYPE);
    assert_eq!(won[0]["won"], json!(format!("[{amount},{amount}]")));
}
