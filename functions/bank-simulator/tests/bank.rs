//! The bank keeps its word: one outcome per transfer id, both legs or none, whatever its accounts are told to do.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use async_trait::async_trait;
use bank_simulator::SERVICE;
use contract::testing::{Answer, Bench, Request};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use store::{CommitError, Item, Key, Page, Query, Read, Table, Unavailable, Write, twin::Twin};

const OWN: &str = "99900011122";
const HANA: &str = "11023456789";
const DUL: &str = "22034567890";

fn bench() -> Bench {
    let bench = Bench::new(&SERVICE);
    bench.world.set_secret("bank", &json!({ "apiKey": "open sesame", "corporateAccount": OWN }).to_string());
    bench
}

async fn ask(bench: &Bench, method: &str, path: &str, body: Option<Value>) -> Answer {
    let request = Request::new(method, path).header("x-api-key", "open sesame");
    bench.send(body.iter().fold(request, |request, body| request.json(body))).await
}

fn won(amount: u64) -> Value {
    json!({ "amount": amount, "currency": "KRW" })
}

async fn open(bench: &Bench, number: &str, holder: &str, balance: u64) -> Answer {
    let body = json!({ "accountNumber": number, "holder": holder, "balance": won(balance) });
    ask(bench, "POST", "/v1/accounts", Some(body)).await
}

async fn transfer(bench: &Bench, id: &str, source: &str, destination: &str, amount: u64) -> Answer {
    let body = json!({ "source": source, "destination": destination, "amount": won(amount) });
    ask(bench, "PUT", &format!("/v1/transfers/{id}"), Some(body)).await
}

async fn tell(bench: &Bench, number: &str, mode: Value) -> Answer {
    ask(bench, "PUT", &format!("/v1/accounts/{number}/mode"), Some(mode)).await
}

async fn balance(bench: &Bench, number: &str) -> u64 {
    let answer = ask(bench, "GET", &format!("/v1/accounts/{number}"), None).await;
    answer.body["balance"]["amount"].as_u64().unwrap()
}

async fn moves(bench: &Bench, number: &str) -> u64 {
    let answer = ask(bench, "GET", &format!("/v1/accounts/{number}/transfers"), None).await;
    assert_eq!(u64::try_from(answer.body["items"].as_array().unwrap().len()).unwrap(), answer.body["total"]);
    answer.body["total"].as_u64().unwrap()
}

async fn ready() -> Bench {
    let bench = bench();
    assert_eq!(open(&bench, HANA, "김하나", 50_000).await.status, 201);
    bench
}

#[tokio::test]
async fn nobody_gets_in_without_the_key() {
    let bench = bench();
    for key in [None, Some(""), Some("open sesam"), Some("open sesame ")] {
        let request = Request::new("GET", &format!("/v1/accounts/{OWN}"));
        let request = key.iter().fold(request, |request, key| request.header("x-api-key", key));
        assert_eq!(bench.send(request).await.code(), "unauthorized");
    }
    assert!(bench.twin.items().is_empty());
}

#[tokio::test]
async fn an_account_is_opened_once_and_the_clients_own_is_there() {
    let bench = ready().await;
    assert_eq!(open(&bench, HANA, "김하나", 9).await.status, 200);
    assert_eq!(balance(&bench, HANA).await, 50_000);
    assert_eq!(open(&bench, HANA, "다른이", 9).await.code(), "account_exists");
    assert!(balance(&bench, OWN).await >= 1_000_000_000);
    assert_eq!(ask(&bench, "GET", "/v1/accounts/12345678", None).await.code(), "account_not_found");
    for (number, holder, balance) in [
        ("1", "a", json!(1)),
        ("12345678", "", won(1)),
        ("12345678", "a", json!(-1)),
        ("1234-5678", "a", won(1)),
    ] {
        let body = json!({ "accountNumber": number, "holder": holder, "balance": balance });
        assert_eq!(ask(&bench, "POST", "/v1/accounts", Some(body)).await.code(), "validation_failed");
    }
}

#[tokio::test]
async fn it_says_whether_an_account_is_a_holders_and_never_whose_it_is() {
    let bench = ready().await;
    for (number, holder, exists, matches) in
        [(HANA, "김하나", true, true), (HANA, "김둘", true, false), (DUL, "김둘", false, false)]
    {
        let body = json!({ "accountNumber": number, "holder": holder });
        let answer = ask(&bench, "POST", "/v1/accounts/verifications", Some(body)).await;
        assert_eq!(answer.body, json!({ "exists": exists, "holderMatches": matches }));
    }
}

#[tokio::test]
async fn a_transfer_moves_once_and_its_id_keeps_its_outcome() {
    let bench = ready().await;
    let first = transfer(&bench, "t1", HANA, OWN, 20_000).await;
    assert_eq!((first.status, &first.body["state"]), (200, &json!("done")));
    assert_eq!(transfer(&bench, "t1", HANA, OWN, 20_000).await.body, first.body);
    assert_eq!(transfer(&bench, "t1", HANA, OWN, 20_001).await.code(), "transfer_terms_differ");
    assert_eq!(ask(&bench, "GET", "/v1/transfers/t1", None).await.body, first.body);
    assert_eq!(ask(&bench, "POST", "/v1/transfers/t1/void", Some(json!({}))).await.body, first.body);
    assert_eq!(
        (balance(&bench, HANA).await, moves(&bench, HANA).await, moves(&bench, OWN).await),
        (30_000, 1, 1)
    );

    let short = transfer(&bench, "t2", HANA, OWN, 30_001).await;
    assert_eq!(
        (&short.body["state"], &short.body["reason"]),
        (&json!("declined"), &json!("insufficient_funds"))
    );
    open(&bench, DUL, "김둘", 1).await;
    transfer(&bench, "t3", OWN, HANA, 10_000).await;
    assert_eq!(transfer(&bench, "t2", HANA, OWN, 30_001).await.body, short.body, "declined stays declined");
    assert_eq!(transfer(&bench, "t4", HANA, "12345678", 1).await.body["reason"], "account_not_found");
    assert_eq!(transfer(&bench, "t5", HANA, HANA, 1).await.body["reason"], "same_account");
    assert_eq!(balance(&bench, HANA).await, 40_000);

    for (id, source, amount) in [("t 6", HANA, won(1)), ("t6", "x", won(1)), ("t6", HANA, won(0))] {
        let body = json!({ "source": source, "destination": OWN, "amount": amount });
        let id = id.replace(' ', "%20");
        let answer = ask(&bench, "PUT", &format!("/v1/transfers/{id}"), Some(body)).await;
        assert_eq!(answer.code(), "validation_failed");
    }
}

#[tokio::test]
async fn a_void_id_refuses_what_comes_late() {
    let bench = ready().await;
    assert_eq!(ask(&bench, "GET", "/v1/transfers/t1", None).await.code(), "transfer_not_found");
    let void = || ask(&bench, "POST", "/v1/transfers/t1/void", Some(json!({})));
    assert_eq!(void().await.body["state"], "voided");
    assert_eq!(void().await.body["state"], "voided");
    assert_eq!(transfer(&bench, "t1", HANA, OWN, 1).await.body["state"], "voided");
    assert_eq!((balance(&bench, HANA).await, moves(&bench, HANA).await), (50_000, 0));
}

#[tokio::test]
async fn each_mode_does_what_it_says_and_no_more() {
    let cases = [
        // mode, status at once, moved, what an inquiry says, whether the caller waited
        ("normal", 200, 1, "done", false),
        ("decline", 200, 0, "declined", false),
        ("slow", 200, 1, "done", true),
        ("timeout", 504, 1, "done", true),
        ("silentDone", 504, 1, "done", true),
        ("lost", 504, 0, "", true),
        ("answerTwice", 200, 1, "done", false),
        ("down", 503, 0, "", false),
    ];
    for (mode, status, moved, state, waits) in cases {
        let bench = ready().await;
        assert_eq!(tell(&bench, HANA, json!({ "mode": mode, "transfers": 1 })).await.status, 200, "{mode}");
        let before = bench.context.clock.now();
        assert_eq!(transfer(&bench, "t1", HANA, OWN, 1_000).await.status, status, "{mode}");
        let waited = bench.context.clock.now().millis_since(before);
        assert_eq!(waited, if waits { 7_000 } else { 0 }, "{mode}");
        let inquiry = ask(&bench, "GET", "/v1/transfers/t1", None).await;
        assert_eq!(inquiry.body["state"].as_str().unwrap_or_default(), state, "{mode}");
        assert_eq!(moves(&bench, HANA).await, moved, "{mode}");
        // The mode was for one request: the next is done.
        assert_eq!(transfer(&bench, "t2", HANA, OWN, 1_000).await.status, 200, "{mode}");
        assert_eq!(balance(&bench, HANA).await, 50_000 - 1_000 * (moved + 1), "{mode}");
    }
}

#[tokio::test]
async fn a_mode_lasts_until_it_is_changed_and_a_bank_that_is_down_says_nothing_else() {
    let bench = ready().await;
    tell(&bench, HANA, json!({ "mode": "decline" })).await;
    for id in ["t1", "t2", "t3"] {
        assert_eq!(transfer(&bench, id, OWN, HANA, 1).await.body["state"], "declined");
    }
    tell(&bench, HANA, json!({ "mode": "normal" })).await;
    assert_eq!(transfer(&bench, "t4", OWN, HANA, 1).await.body["state"], "done");
    tell(&bench, OWN, json!({ "mode": "down" })).await;
    let verification = json!({ "accountNumber": HANA, "holder": "김하나" });
    assert_eq!(ask(&bench, "POST", "/v1/accounts/verifications", Some(verification)).await.status, 503);
    assert_eq!(ask(&bench, "GET", "/v1/transfers/t4", None).await.status, 503);
    assert_eq!(ask(&bench, "POST", "/v1/transfers/t9/void", Some(json!({}))).await.status, 503);
    for bad in [
        json!({ "mode": "rude" }),
        json!({ "mode": "slow", "transfers": 0 }),
        json!({ "mode": "slow", "delayMillis": 15_001 }),
    ] {
        assert_eq!(tell(&bench, HANA, bad).await.code(), "validation_failed");
    }
}

#[tokio::test]
async fn entries_are_listed_newest_first_in_pages() {
    let bench = ready().await;
    for count in 1..=5 {
        transfer(&bench, &format!("t{count}"), HANA, OWN, count).await;
    }
    let path = format!("/v1/accounts/{HANA}/transfers");
    let page = ask(&bench, "GET", &format!("{path}?limit=2"), None).await;
    let ids = |page: &Answer| {
        let items = page.body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["transferId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((ids(&page), &page.body["total"]), (vec!["t5".to_owned(), "t4".to_owned()], &json!(5)));
    let page = ask(&bench, "GET", &format!("{path}?before=2"), None).await;
    assert_eq!(ids(&page), ["t1"]);
    assert_eq!(ask(&bench, "GET", &format!("{path}?before=0"), None).await.code(), "validation_failed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is sent, voided and repeated in whatever modes: money is conserved, and an id has one outcome.
    #[test]
    fn money_is_conserved_and_an_id_has_one_outcome(steps in prop::collection::vec((0..4_u8, 0..5_u8, 1..40_000_u64, 0..8_usize), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bench = ready().await;
            open(&bench, DUL, "김둘", 50_000).await;
            let own = balance(&bench, OWN).await;
            let modes = ["normal", "decline", "slow", "timeout", "lost", "answerTwice", "down", "normal"];
            let mut outcomes = std::collections::BTreeMap::new();
            for (kind, id, amount, mode) in steps {
                let (source, destination) = if kind == 0 { (HANA, OWN) } else { (OWN, DUL) };
                match kind {
                    2 => drop(ask(&bench, "POST", &format!("/v1/transfers/t{id}/void"), Some(json!({}))).await),
                    3 => drop(tell(&bench, [HANA, DUL][usize::from(id % 2)], json!({ "mode": modes[mode] })).await),
                    _ => drop(transfer(&bench, &format!("t{id}"), source, destination, amount).await),
                }
                for id in 0..5 {
                    let answer = ask(&bench, "GET", &format!("/v1/transfers/t{id}"), None).await;
                    if answer.status == 200 {
                        let known = outcomes.entry(id).or_insert_with(|| answer.body.clone());
                        assert_eq!(*known, answer.body);
                    }
                }
                let sum = balance(&bench, OWN).await + balance(&bench, HANA).await + balance(&bench, DUL).await;
                assert_eq!(sum, own + 100_000);
            }
            let done = bench.twin.items().iter().filter(|item| store::kind_of(item) == "transfer")
                .filter(|item| item.get("state") == Some(&store::AttributeValue::S("done".to_owned()))).count();
            let legs = moves(&bench, OWN).await + moves(&bench, HANA).await + moves(&bench, DUL).await;
            assert_eq!(legs, 2 * u64::try_from(done).unwrap());
        });
    }
}

/// A table in which another transaction is in the way of every write.
struct Contended(Arc<Twin>);

#[async_trait]
impl Table for Contended {
    async fn get(&self, key: &Key, read: Read) -> Result<Option<Item>, Unavailable> {
        self.0.get(key, read).await
    }

    async fn query(&self, query: &Query) -> Result<Page, Unavailable> {
        self.0.query(query).await
    }

    async fn commit(&self, _: &[Write]) -> Result<(), CommitError> {
        Err(CommitError::Contended)
    }
}

#[tokio::test]
async fn an_account_that_another_transaction_was_in_the_way_of_is_opened_later() {
    let mut bench = bench();
    bench.context.table = Arc::new(Contended(bench.twin.clone()));
    let hindered = open(&bench, HANA, "하나", 1_000).await;
    assert_eq!((hindered.status, hindered.code()), (503, "temporarily_unavailable"));
    bench.context.table = bench.twin.clone();
    assert_eq!(open(&bench, HANA, "하나", 1_000).await.status, 201);
}
