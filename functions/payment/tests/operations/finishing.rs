//! Settling: by group, through a manifest, and never by touching a payment.

use crate::{
    Pay, id_of, merchant, operator, payer, pointers,
    services::{Fault, Plan, Trying},
    settling::{Chain, Line, collect, collect_once, finish, group, rows, settle_today, settlement},
    shop, won,
};
use contract::{
    peers::{ManifestName, ManifestOrder},
    testing::Request,
};
use kernel::{Id, Timestamp, id::PaymentId};
use serde_json::{Value, json};
use std::sync::Arc;
use store::kind_of;

fn code(outcome: Result<impl std::fmt::Debug, contract::Problem>) -> String {
    outcome.unwrap_err().code.into_owned()
}

#[tokio::test]
async fn a_payment_is_finished_when_a_settlement_has_it_and_not_before() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let path = pay.paid(1_000, "k").await;
    let early = pay.finish(&path).await;
    assert_eq!((early.status, early.code()), (409, "payment_not_settled"));
    pay.bench.world.pass_seconds(60);
    let line = settle_today(&pay).await;
    let before = pay.bench.twin.items();
    let first = pay.finish(&path).await;
    assert_eq!((first.status, &first.body["state"]), (200, &json!("settled")));
    assert_eq!(first.body["settledAt"], json!(line.recorded_at));
    assert_eq!(first.body["settlementId"], json!(line.settlement_id));
    pay.bench.world.pass_seconds(60);
    assert_eq!(pay.finish(&path).await.body, first.body);
    let body = json!({ "paymentId": id_of(&path) });
    assert_eq!(pay.bench.call("finishPayment", settlement(), body).await.unwrap().body, first.body);
    assert_eq!(pay.bench.twin.items(), before, "asking writes nothing");
    assert_eq!(pay.seen(&path).await, first.body);
    let later = pay.paid(1_000, "later").await;
    assert_eq!(pay.finish(&later).await.code(), "payment_not_settled");
    // A repetition of the request shows it as it is now.
    let again = pay.pay(1_000, "k").await;
    assert_eq!((again.status, &again.body["state"]), (201, &json!("settled")));
}

#[tokio::test]
async fn a_page_that_somebody_else_has_put_is_gone_on_with() {
    for beaten in [0, 100] {
        let mut pay = Pay::new().await;
        pay.recharge(payer(), 50_000).await;
        pay.paid(1_000, "k").await;
        let order = Chain::default().order(&events::example_time().business_day(), &pay.now().business_day());
        let plan = Plan::of(vec![Fault::Beaten; beaten]);
        pay.bench.context.table = Arc::new(Trying { inner: pay.bench.twin.clone(), plan });
        let (one, other) = tokio::join!(collect_once(&pay, &order), collect_once(&pay, &order));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!((one.complete, &other), (true, &one));
    }
}

#[tokio::test]
async fn a_payment_that_was_taken_back_is_settled_and_so_is_what_came_back() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let path = pay.paid(1_000, "k").await;
    assert_eq!(pay.cancel(&path, "c", json!({ "amount": won(400) })).await.status, 201);
    let mut chain = Chain::default();
    let today = pay.now().business_day();
    let line = chain.settle(&pay, today.clone()).await;
    let totals = json!([
        { "feeBps": 250, "payments": 1, "paid": 1_000, "cancellations": 1, "canceled": 400 }
    ]);
    assert_eq!(json!(line.manifest.totals), totals);
    // What comes back later is settled later: in the settlement of its own day.
    assert_eq!(pay.cancel(&path, "rest", json!({})).await.body["state"], "settled");
    let seen = pay.seen(&path).await;
    assert_eq!(seen["cancellations"][0]["settlementId"], json!(line.settlement_id));
    assert_eq!(seen["cancellations"][1]["settlementId"], Value::Null);
    let next = chain.settle(&pay, today.plus_days(1)).await;
    let totals = json!([{ "feeBps": 250, "payments": 0, "paid": 0, "cancellations": 1, "canceled": 600 }]);
    assert_eq!(json!(next.manifest.totals), totals);
    let seen = pay.seen(&path).await;
    assert_eq!(seen["settlementId"], json!(line.settlement_id));
    assert_eq!(seen["cancellations"][1]["settlementId"], json!(next.settlement_id));
    let statement = rows(&pay, &next.order.name).await;
    assert_eq!((statement.len(), statement[0].payment_id), (1, id_of(&path)));
    assert_eq!((statement[0].amount.amount(), statement[0].order_id.as_str()), (600, "order-1"));
    assert_eq!(json!(statement[0].cancellation_id), seen["cancellations"][1]["cancellationId"]);
}

#[tokio::test]
async fn what_was_not_paid_is_not_finished() {
    let pay = Pay::new().await;
    *pay.services.is_linked.lock().unwrap() = false;
    let failed = pay.pay(1_000, "failed").await.header("location").unwrap().to_owned();
    pay.services.fail_as(vec![Fault::Before]);
    let waiting = pay.pay(1_000, "waiting").await.header("location").unwrap().to_owned();
    assert_eq!(settle_today(&pay).await.manifest.totals, []);
    for path in [failed, waiting] {
        let answer = pay.finish(&path).await;
        assert_eq!((answer.status, answer.code()), (409, "payment_not_approved"));
    }
    let nobodys = format!("/v1/payments/{}", PaymentId::from_random(7));
    assert_eq!(pay.finish(&nobodys).await.code(), "not_found");
    assert_eq!(pointers(&pay.finish("/v1/payments/x").await), ["/paymentId"]);
    let members = Request::new("POST", &format!("{nobodys}/finish")).caller(payer(), "member merchant");
    assert_eq!(pay.bench.send(members).await.code(), "forbidden");
    let odd = Request::new("POST", &format!("{nobodys}/finish")).json(&json!({ "settledAt": "now" }));
    assert_eq!(pointers(&pay.bench.send(odd.caller(operator(), "operator")).await), ["/settledAt"]);
}

#[tokio::test]
async fn a_group_is_finished_once_and_only_when_its_manifest_is_complete() {
    let mut pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    for place in 0..7 {
        pay.paid(1_000 + place, &place.to_string()).await;
    }
    let (today, chain) = (pay.now().business_day(), Chain::default());
    let order = chain.order(&today, &today);
    pay.bench.context.settings.config = json!({ "manifestPageBytes": 32, "manifestCallItems": 3 });
    let manifest = collect_once(&pay, &order).await.unwrap();
    assert!(!manifest.complete);
    let line = Chain::line(order.clone(), manifest, pay.now());
    assert_eq!(code(finish(&pay, &line).await), "manifest_incomplete");
    let none = Chain::line(chain.order(&today, &today.plus_days(1)), line.manifest.clone(), pay.now());
    assert_eq!(code(finish(&pay, &none).await), "manifest_incomplete");
    let manifest = collect(&pay, &order).await;
    assert_eq!((manifest.totals[0].payments, manifest.totals[0].paid.amount()), (7, 7_021));
    assert_eq!(collect(&pay, &order).await, manifest, "a finished one only says its totals");
    pay.bench.context.table = Arc::new(Trying { inner: pay.bench.twin.clone(), plan: Plan::of(Vec::new()) });
    let (one, other) = tokio::join!(finish(&pay, &line), finish(&pay, &line));
    assert_eq!((one.unwrap(), other.unwrap()), (json!({ "payments": 7 }), json!({ "payments": 7 })));
    let stolen = Line { settlement_id: Id::derive(&["other"]), ..line.clone() };
    assert_eq!(code(finish(&pay, &stolen).await), "settled_otherwise");
    let later = Line { recorded_at: line.recorded_at.plus_seconds(1), ..line.clone() };
    assert_eq!(code(finish(&pay, &later).await), "settled_otherwise");
    assert_eq!(group(&line).name, order.name);
}

#[tokio::test]
async fn an_order_that_cannot_be_is_refused() {
    let pay = Pay::new().await;
    let mut chain = Chain::default();
    let today = pay.now().business_day();
    chain.settle(&pay, today.clone()).await;
    let good = chain.order(&today, &today.plus_days(1));
    let refused = async |change: &dyn Fn(&mut Value)| {
        let mut order = json!(good);
        change(&mut order);
        pay.bench.call("collectManifest", settlement(), order).await.unwrap_err()
    };
    type Change = fn(&mut Value);
    let bad: [(Change, &str); 9] = [
        (|order| order["name"]["sequence"] = json!(0), "/name/sequence"),
        (|order| order["from"] = json!("2026-11-25"), "/from"),
        (|order| order["from"] = json!("2025-10-01"), "/from"),
        (|order| order["settled"][0]["sequence"] = json!(2), "/settled"),
        (|order| order["settled"][0]["through"] = json!("2027-01-01"), "/settled"),
        (|order| order["settled"][0]["through"] = order["name"]["through"].clone(), "/settled"),
        (|order| stand_on(order, 5), "/settled"),
        (|order| order["name"]["through"] = json!("tomorrow"), "/name/through"),
        (|order| order["more"] = json!(1), "/more"),
    ];
    for (change, pointer) in bad {
        let problem = refused(&change).await;
        assert_eq!(problem.errors[0].pointer, pointer, "{problem}");
    }
    let unknown = refused(&|order| order["settled"][0]["through"] = json!("2026-11-01")).await;
    assert_eq!(unknown.code, "manifest_incomplete", "an earlier settlement has a complete manifest");
    assert_eq!(refused(&|order| stand_on(order, 4)).await.code, "manifest_incomplete", "four are few");
    collect(&pay, &good).await;
    let others: [Change; 2] =
        [|order| order["settled"] = json!([]), |order| order["from"] = order["name"]["through"].clone()];
    for change in others {
        assert_eq!(refused(&change).await.code, "other_manifest", "one name is one manifest");
    }
    let odd = json!({ "franchiseId": shop(), "name": good.name, "after": "x" });
    let problem = pay.bench.call("listManifest", settlement(), odd).await.unwrap_err();
    assert_eq!(problem.errors[0].pointer, "/after");
    let none = json!({ "franchiseId": shop(), "name": { "sequence": 9, "through": "2026-12-24" } });
    let none = pay.bench.call("listManifest", settlement(), none).await.unwrap().body;
    assert_eq!(none, json!({ "rows": [] }));
}

/// Makes an order stand on so many earlier settlements.
fn stand_on(order: &mut Value, many: u64) {
    order["name"]["sequence"] = json!(many + 1);
    let names =
        (1..=many).map(|sequence| json!({ "sequence": sequence, "through": format!("2026-11-0{sequence}") }));
    order["settled"] = names.collect();
}

#[tokio::test]
async fn what_came_before_an_earlier_settlement_is_not_in_it() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    pay.paid(1_000, "first").await;
    let first = pay.now().business_day();
    pay.bench.world.pass_seconds(86_400);
    pay.paid(2_000, "second").await;
    let second = pay.now().business_day();
    let earlier = Chain::default().order(&second, &second);
    assert_eq!(collect(&pay, &earlier).await.totals[0].paid.amount(), 2_000);
    let name = ManifestName { sequence: 2, through: second.plus_days(1) };
    let order = ManifestOrder { name, from: first, settled: vec![earlier.name.clone()], ..earlier };
    assert_eq!(collect(&pay, &order).await.totals[0].paid.amount(), 1_000);
}

/// Long before what a page shows.
fn paid_from(page: &Value) -> Timestamp {
    page["items"][0]["approvedAt"].as_str().unwrap().parse::<Timestamp>().unwrap().plus_seconds(-10 * 86_400)
}

/// Writes grow with pages of manifests and with franchises, not with payments.
#[tokio::test]
async fn a_thousand_payments_are_settled_by_a_few_writes_and_none_is_touched() {
    let pay = Pay::new().await;
    pay.recharge(payer(), 10_000_000).await;
    let mut paths = Vec::new();
    for place in 0..1_000 {
        paths.push(pay.paid(100 + place, &place.to_string()).await);
        pay.bench.world.pass_seconds(60);
    }
    pay.bench.twin.take_changes();
    let mut chain = Chain::default();
    let line = chain.settle(&pay, pay.now().business_day()).await;
    let written: Vec<String> = pay
        .bench
        .twin
        .take_changes()
        .iter()
        .map(|change| kind_of(change.new.as_ref().unwrap()).to_owned())
        .collect();
    let pages = written.iter().filter(|kind| *kind == "manifestPage").count();
    assert!(pages <= 4, "{written:?}");
    assert_eq!(written.len(), pages + 1, "and the group");
    assert_eq!(line.manifest.totals[0].paid.amount(), (100..1_100).sum::<u64>());
    assert_eq!(rows(&pay, &line.order.name).await.len(), 1_000);
    let list = format!("/v1/payments?franchiseId={}&limit=100", shop());
    let seen = pay.get(&list, merchant(), "member merchant").await;
    assert!(seen.body["items"].as_array().unwrap().iter().all(|one| one["state"] == "settled"));
    // A page of what is not settled looks at a hundred payments at most: here it is empty, and not the last.
    let (from, to) = (paid_from(&seen.body), pay.now().plus_seconds(3_600));
    let normal = format!("/v1/payments/normal?franchiseId={}&from={from}&to={to}&limit=50", shop());
    let (mut next, mut pages) = (Some(normal.clone()), 0);
    while let Some(path) = next {
        let page = pay.get(&path, merchant(), "member merchant").await.body;
        assert_eq!(page["items"], json!([]));
        next = page["nextCursor"].as_str().map(|cursor| format!("{normal}&cursor={cursor}"));
        pages += 1;
    }
    assert_eq!(pages, 10);
    // A day with one payment is one small page.
    pay.bench.world.pass_seconds(86_400);
    pay.paid(100, "one").await;
    pay.bench.twin.take_changes();
    let line = chain.settle(&pay, pay.now().business_day()).await;
    assert_eq!(line.manifest.totals[0].payments, 1);
    let written = pay.bench.twin.take_changes();
    assert_eq!(written.len(), 2);
    for change in written {
        assert!(crate::hot_items::bytes_of(&change.new.unwrap()) <= 1_024);
    }
}

#[tokio::test]
async fn settling_and_taking_back_at_once_are_both_done() {
    let mut pay = Pay::new().await;
    pay.recharge(payer(), 50_000).await;
    let path = pay.paid(1_000, "k").await;
    pay.bench.context.table = Arc::new(Trying { inner: pay.bench.twin.clone(), plan: Plan::of(Vec::new()) });
    let (line, canceled) = tokio::join!(settle_today(&pay), pay.cancel(&path, "c", json!({})));
    assert_eq!((line.manifest.totals[0].payments, canceled.status), (1, 201));
    let payment = &pay.payments()[0];
    assert!(payment.is_at_rest());
    assert_eq!(pay.finish(&path).await.status, 200);
    assert_eq!(pay.balance(payer()).await, 50_000);
}
