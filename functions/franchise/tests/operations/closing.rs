//! Closing: once and for all, by the owner or an operator.

use crate::{
    bench, by_merchant, by_operator, dul, get, hana, nobody_asks_banking, registered,
    tables::{Fault, trying},
};
use contract::testing::Request;
use kernel::id::FranchiseId;
use serde_json::json;

fn close(path: &str) -> Request {
    Request::new("DELETE", path)
}

#[tokio::test]
async fn a_closed_franchise_stays_as_it_is() {
    let bench = bench();
    let path = registered(&bench).await;
    nobody_asks_banking(&bench);
    let mut expected = get(&bench, &path).await.body;
    bench.world.pass_seconds(60);
    let closed = bench.send(by_merchant(close(&path), hana())).await;
    expected["state"] = json!("closed");
    expected["closedAt"] = json!(bench.context.clock.now());
    expected["version"] = json!(2);
    assert_eq!((closed.status, closed.header("etag"), &closed.body), (200, Some("\"2\""), &expected));

    // Closing again, whoever asks, changes nothing.
    let before = bench.twin.items();
    bench.world.pass_seconds(60);
    for request in [by_merchant(close(&path), hana()), by_operator(close(&path))] {
        let again = bench.send(request).await;
        assert_eq!((again.status, &again.body), (200, &expected));
    }
    let change = |body| Request::new("PATCH", &path).json(&body);
    for request in [
        by_merchant(change(json!({ "name": "하나" })), hana()),
        by_merchant(change(json!({ "name": "하나" })).header("if-match", "\"2\""), hana()),
        by_merchant(change(json!({})), hana()),
        by_operator(change(json!({ "feeBps": 100, "feeFrom": "2026-12-01" }))),
    ] {
        let answer = bench.send(request).await;
        assert_eq!((answer.status, answer.code()), (409, "franchise_closed"));
    }
    assert_eq!(bench.twin.items(), before);
    assert_eq!(get(&bench, &path).await.body, expected);
    let listed = bench.send(by_merchant(Request::new("GET", "/v1/franchises"), hana())).await;
    assert_eq!(listed.body["items"], json!([expected]), "it is still listed");
}

#[tokio::test]
async fn only_its_owner_and_operators_close_a_franchise() {
    let bench = bench();
    let path = registered(&bench).await;
    let before = bench.twin.items();
    let nobodys = format!("/v1/franchises/{}", FranchiseId::from_random(7));
    for request in [by_merchant(close(&path), dul()), by_operator(close(&nobodys))] {
        let answer = bench.send(request).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
    assert_eq!(bench.send(close(&path).caller(hana(), "member")).await.code(), "forbidden");
    assert_eq!(bench.send(close(&path)).await.code(), "unauthorized");
    assert_eq!(bench.send(by_operator(close("/v1/franchises/frc_x"))).await.code(), "validation_failed");
    assert_eq!(bench.twin.items(), before);
    assert_eq!(bench.send(by_operator(close(&path))).await.body["state"], "closed");
}

#[tokio::test]
async fn closing_meets_a_change_and_a_lost_answer() {
    let mut bench = bench();
    let path = registered(&bench).await;
    trying(&mut bench, &[]);
    let change = by_merchant(Request::new("PATCH", &path).json(&json!({ "name": "하나" })), hana());
    let (changed, closed) = tokio::join!(bench.send(change), bench.send(by_operator(close(&path))));
    assert_eq!(closed.status, 200);
    // The change came first or not at all.
    let shown = get(&bench, &path).await.body;
    assert_eq!(shown["state"], "closed");
    match changed.status {
        200 => assert_eq!((&shown["version"], &shown["name"]), (&json!(3), &json!("하나"))),
        status => {
            assert_eq!((status, changed.code(), &shown["version"]), (409, "franchise_closed", &json!(2)))
        }
    }

    let other = crate::register(&crate::shop()).key("other");
    let other = bench.send(by_merchant(other, hana())).await.header("location").unwrap().to_owned();
    trying(&mut bench, &[Fault::AnswerLost, Fault::Contended]);
    assert_eq!(bench.send(by_operator(close(&other))).await.status, 503);
    let again = bench.send(by_operator(close(&other))).await;
    assert_eq!((again.status, &again.body["version"]), (200, &json!(2)));
}
