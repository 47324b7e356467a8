//! Modifying: what is named changes and nothing else, fees by the day, versions, and what is refused.

use crate::{
    PERSON, account, banking_answers, bench, by_merchant, by_operator, dul, get, hana, nobody_asks_banking,
    pointers, registered,
    tables::{Fault, trying},
    with,
};
use contract::testing::{Answer, Bench, Request};
use kernel::{Id, Timestamp, id::FranchiseId};
use serde_json::{Value, json};

fn modify(path: &str, body: &Value) -> Request {
    Request::new("PATCH", path).json(body)
}

async fn set_fee(bench: &Bench, path: &str, fee: u16, from: &str) -> Answer {
    bench.send(by_operator(modify(path, &json!({ "feeBps": fee, "feeFrom": from })))).await
}

async fn fee_now(bench: &Bench, path: &str) -> u64 {
    get(bench, path).await.body["feeBps"].as_u64().unwrap()
}

/// Lets the clock go forward to this moment.
fn wait_for(bench: &Bench, moment: &str) {
    let moment: Timestamp = moment.parse().unwrap();
    let millis = moment.millis_since(bench.context.clock.now());
    assert!(millis >= 0 && millis % 1000 == 0);
    bench.world.pass_seconds(millis / 1000);
}

#[tokio::test]
async fn a_modification_changes_what_it_names_and_wipes_nothing() {
    let bench = bench();
    let path = registered(&bench).await;
    let mut expected = get(&bench, &path).await.body;
    let changes = [
        ("name", json!("하나 로스터스")),
        ("contact", json!({ "name": "이둘", "email": "dul@shop.example", "phone": "+82-10-9876-5432" })),
        ("bankAccountId", json!(account("hana's second"))),
        ("settlementCycle", json!({ "kind": "weekly", "weekday": "sunday" })),
        ("settlementCycle", json!({ "kind": "daily" })),
    ];
    for (version, (field, value)) in (2..).zip(changes) {
        bench.world.pass_seconds(60);
        expected[field] = value.clone();
        expected["version"] = json!(version);
        expected["modifiedAt"] = json!(bench.context.clock.now());
        let answer = bench.send(by_merchant(modify(&path, &json!({ field: value })), hana())).await;
        assert_eq!(
            (answer.status, answer.header("etag")),
            (200, Some(&*format!("\"{version}\""))),
            "{field}"
        );
        assert_eq!(answer.body, expected, "{field}");
        assert_eq!(get(&bench, &path).await.body, expected);
    }

    let before = bench.twin.items();
    nobody_asks_banking(&bench);
    for same in [
        json!({}),
        json!({ "name": "하나 로스터스" }),
        json!({ "contact": expected["contact"], "bankAccountId": account("hana's second") }),
        json!({ "feeBps": 250, "feeFrom": "2026-11-22" }),
        json!({ "feeBps": 250, "feeFrom": "2026-12-01" }),
    ] {
        let answer = bench.send(by_operator(modify(&path, &same))).await;
        assert_eq!((answer.status, &answer.body), (200, &expected), "{same}");
    }
    assert_eq!(bench.twin.items(), before);
}

#[tokio::test]
async fn if_match_holds_a_modification_to_the_version_that_was_seen() {
    let bench = bench();
    let path = registered(&bench).await;
    let with_tag = |tag: &str, name: &str| {
        bench.send(by_merchant(modify(&path, &json!({ "name": name })).header("if-match", tag), hana()))
    };
    assert_eq!(with_tag("\"1\"", "하나").await.status, 200);
    let unchanged = bench.twin.items();
    for stale in ["\"1\"", "\"3\"", "W/\"2\"", ""] {
        let answer = with_tag(stale, "두리").await;
        assert_eq!((answer.status, answer.code()), (412, "precondition_failed"), "{stale}");
    }
    assert_eq!(bench.twin.items(), unchanged);
    assert_eq!(with_tag("\"2\"", "두리").await.status, 200);
    assert_eq!(with_tag("*", "세리").await.status, 200);
}

#[tokio::test]
async fn a_modification_that_finds_itself_is_made() {
    let mut bench = bench();
    let path = registered(&bench).await;
    trying(&mut bench, &[Fault::Repeated]);
    let change = modify(&path, &json!({ "name": "하나" })).header("if-match", "\"1\"");
    let answer = bench.send(by_merchant(change, hana())).await;
    assert_eq!(
        (answer.status, &answer.body["version"], &answer.body["name"]),
        (200, &json!(2), &json!("하나"))
    );
}

#[tokio::test]
async fn a_planned_fee_holds_from_the_beginning_of_its_business_day() {
    let bench = bench();
    let path = registered(&bench).await;
    let answer = set_fee(&bench, &path, 180, "2026-11-25").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["feeBps"], 250, "it is planned, not in force");
    let planned = json!({ "feeFrom": "2026-11-25", "since": "2026-11-24T14:30:00.000Z", "feeBps": 180 });
    assert_eq!(answer.body["feeTerms"][1], planned);

    // One before it and one after it leave it as it is.
    assert_eq!(set_fee(&bench, &path, 200, "2026-11-24").await.status, 200);
    assert_eq!(set_fee(&bench, &path, 150, "2026-12-01").await.status, 200);
    for (moment, fee) in [
        ("2026-11-23T14:29:59Z", 250),
        ("2026-11-23T14:30:00Z", 200),
        ("2026-11-24T14:29:59Z", 200),
        ("2026-11-24T14:30:00Z", 180),
        ("2026-11-30T14:30:00Z", 150),
    ] {
        wait_for(&bench, moment);
        assert_eq!(fee_now(&bench, &path).await, fee, "{moment}");
    }
}

#[tokio::test]
async fn a_planned_fee_can_be_changed_and_taken_back() {
    let bench = bench();
    let path = registered(&bench).await;
    let before = get(&bench, &path).await.body["feeTerms"].clone();
    set_fee(&bench, &path, 180, "2026-11-25").await;
    let changed = set_fee(&bench, &path, 190, "2026-11-25").await;
    assert_eq!(changed.body["feeTerms"].as_array().unwrap().len(), 2);
    assert_eq!(changed.body["feeTerms"][1]["feeBps"], 190);
    let back = set_fee(&bench, &path, 250, "2026-11-25").await;
    assert_eq!(back.body["feeTerms"], before);
}

#[tokio::test]
async fn a_fee_from_today_holds_from_now_on() {
    let bench = bench();
    let path = registered(&bench).await;
    bench.world.pass_seconds(600);
    let answer = set_fee(&bench, &path, 300, "2026-11-22").await;
    assert_eq!(answer.body["feeBps"], 300);
    let since = json!({ "feeFrom": "2026-11-22", "since": "2026-11-22T10:25:30.000Z", "feeBps": 300 });
    assert_eq!(answer.body["feeTerms"][1], since, "the moments before keep theirs");
    bench.world.pass_seconds(600);
    let again = set_fee(&bench, &path, 320, "2026-11-22").await;
    let fees: Vec<_> = again.body["feeTerms"].as_array().unwrap().iter().map(|fee| &fee["feeBps"]).collect();
    assert_eq!(fees, [250, 300, 320]);
}

#[tokio::test]
async fn a_clock_that_is_behind_changes_nothing_of_the_past() {
    let bench = bench();
    let path = registered(&bench).await;
    bench.world.pass_seconds(600);
    set_fee(&bench, &path, 300, "2026-11-22").await;
    bench.world.pass_seconds(-300);
    let answer = set_fee(&bench, &path, 320, "2026-11-22").await;
    assert_eq!(answer.body["modifiedAt"], "2026-11-22T10:25:30.000Z", "not before the change before");
    let terms = json!([
        { "feeFrom": "2026-11-22", "since": "2026-11-22T10:15:30.000Z", "feeBps": 250 },
        { "feeFrom": "2026-11-22", "since": "2026-11-22T10:25:30.000Z", "feeBps": 320 },
    ]);
    assert_eq!(answer.body["feeTerms"], terms);
}

#[tokio::test]
async fn a_fee_is_an_operators_and_never_of_the_past() {
    let bench = bench();
    let path = registered(&bench).await;
    let before = bench.twin.items();
    for body in [
        json!({ "feeBps": 100, "feeFrom": "2026-11-25" }),
        json!({ "feeBps": 250 }),
        json!({ "feeFrom": "2026-11-25" }),
    ] {
        let answer = bench.send(by_merchant(modify(&path, &body), hana())).await;
        assert_eq!((answer.status, answer.code()), (403, "fee_set_by_operator"), "{body}");
    }
    for (body, pointer) in [
        (json!({ "feeBps": 100 }), "/feeFrom"),
        (json!({ "feeFrom": "2026-11-25" }), "/feeBps"),
        (json!({ "feeBps": 100, "feeFrom": "2026-11-21" }), "/feeFrom"),
        (json!({ "feeBps": 1_001, "feeFrom": "2026-11-25" }), "/feeBps"),
    ] {
        let answer = bench.send(by_operator(modify(&path, &body))).await;
        assert_eq!((answer.status, answer.code()), (400, "validation_failed"), "{body}");
        assert_eq!(pointers(&answer), [pointer], "{body}");
    }
    assert_eq!(bench.twin.items(), before);
    // The business day of the 22nd ends at 23:30 in Seoul.
    wait_for(&bench, "2026-11-22T14:29:59Z");
    assert_eq!(set_fee(&bench, &path, 240, "2026-11-22").await.status, 200);
    bench.world.pass_seconds(1);
    assert_eq!(pointers(&set_fee(&bench, &path, 230, "2026-11-22").await), ["/feeFrom"]);
}

#[tokio::test]
async fn a_full_schedule_takes_no_more_until_its_first_terms_are_needed_no_more() {
    let bench = bench();
    let path = registered(&bench).await;
    for fee in 1..24 {
        bench.world.pass_seconds(60);
        assert_eq!(set_fee(&bench, &path, fee, "2026-11-22").await.status, 200);
    }
    let full = bench.twin.items();
    let answer = set_fee(&bench, &path, 500, "2026-11-25").await;
    assert_eq!((answer.status, answer.code()), (409, "too_many_fee_changes"));
    assert_eq!(bench.twin.items(), full);
    // Something else can change all the same.
    assert_eq!(bench.send(by_operator(modify(&path, &json!({ "name": "하나" })))).await.status, 200);
    bench.world.pass_seconds(93 * 86_400);
    let later = set_fee(&bench, &path, 500, "2027-03-01").await;
    assert_eq!((later.status, later.body["feeTerms"].as_array().unwrap().len()), (200, 2));
}

#[tokio::test]
async fn another_settlement_account_must_be_the_owners_whoever_asks() {
    let bench = bench();
    let path = registered(&bench).await;
    let before = bench.twin.items();
    let change = |name: &str| modify(&path, &json!({ "bankAccountId": account(name), "name": "새 이름" }));
    for name in ["dul", "nobody's"] {
        for request in [by_merchant(change(name), hana()), by_operator(change(name))] {
            let answer = bench.send(request).await;
            assert_eq!((answer.status, answer.code()), (422, "bank_account_not_found"), "{name}");
        }
    }
    bench.world.answer_calls(|_| Err(contract::ports::Unanswered("no answer".to_owned())));
    assert_eq!(bench.send(by_operator(change("hana's second"))).await.code(), "temporarily_unavailable");
    assert_eq!(bench.twin.items(), before);
    banking_answers(&bench);
    assert_eq!(bench.send(by_operator(change("hana's second"))).await.status, 200);
}

#[tokio::test]
async fn what_is_somebody_elses_or_nobodys_is_not_found() {
    let bench = bench();
    let path = registered(&bench).await;
    let nobodys = format!("/v1/franchises/{}", FranchiseId::from_random(7));
    let before = bench.twin.items();
    let change = json!({ "name": "도둑" });
    for request in [
        by_merchant(modify(&path, &change), dul()),
        by_merchant(modify(&nobodys, &change), dul()),
        by_operator(modify(&nobodys, &change)),
    ] {
        let answer = bench.send(request).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"));
    }
    assert_eq!(bench.send(modify(&path, &change).caller(hana(), "member")).await.code(), "forbidden");
    assert_eq!(bench.send(modify(&path, &change)).await.code(), "unauthorized");
    assert_eq!(bench.twin.items(), before);
}

#[tokio::test]
async fn bad_input_is_named_and_writes_nothing() {
    let bench = bench();
    let path = registered(&bench).await;
    nobody_asks_banking(&bench);
    let before = bench.twin.items();
    let contact = json!({ "name": PERSON, "email": "hana@shop.example", "phone": "02-1234-5678" });
    for (body, pointer) in [
        (json!({ "name": Value::Null }), "/name"),
        (json!({ "name": "" }), "/name"),
        (json!({ "contact": { "phone": "02-1234-5678" } }), "/contact/name"),
        (json!({ "contact": with(contact.clone(), "email", "no") }), "/contact/email"),
        (json!({ "contact": Value::Null }), "/contact"),
        (json!({ "bankAccountId": Value::Null }), "/bankAccountId"),
        (json!({ "bankAccountId": "x" }), "/bankAccountId"),
        (json!({ "settlementCycle": { "kind": "weekly", "weekday": "someday" } }), "/settlementCycle"),
        (json!({ "feeBps": "250", "feeFrom": "2026-11-25" }), "/feeBps"),
        (json!({ "feeBps": 10_001, "feeFrom": "2026-11-25" }), "/feeBps"),
        (json!({ "feeBps": 250, "feeFrom": "2026-11-31" }), "/feeFrom"),
        (json!({ "feeBps": 250, "feeFrom": "2026-11-25T00:00:00Z" }), "/feeFrom"),
        (json!({ "feeBps": 250, "feeFrom": Value::Null }), "/feeFrom"),
        (json!({ "membershipId": dul() }), "/membershipId"),
        (json!({ "state": "closed" }), "/state"),
        (json!({ "version": 9 }), "/version"),
        (json!({ "franchiseId": Id::<kernel::id::kinds::Franchise>::derive(&["x"]) }), "/franchiseId"),
    ] {
        let answer = bench.send(by_operator(modify(&path, &body))).await;
        assert_eq!((answer.status, answer.code()), (400, "validation_failed"), "{body}");
        assert_eq!(pointers(&answer), [pointer], "{body}");
    }
    assert_eq!(bench.twin.items(), before);
}

#[tokio::test]
async fn changes_at_the_same_time_are_both_kept_and_of_one_version_only_one_is() {
    let mut bench = bench();
    let path = registered(&bench).await;
    trying(&mut bench, &[]);
    let name = by_merchant(modify(&path, &json!({ "name": "하나 로스터스" })), hana());
    let fee = by_operator(modify(&path, &json!({ "feeBps": 180, "feeFrom": "2026-11-25" })));
    let (a, b) = tokio::join!(bench.send(name), bench.send(fee));
    assert_eq!((a.status, b.status), (200, 200));
    let shown = get(&bench, &path).await.body;
    assert_eq!((&shown["name"], &shown["feeTerms"][1]["feeBps"]), (&json!("하나 로스터스"), &json!(180)));
    assert_eq!(shown["version"], 3);

    let change =
        |name: &str| by_merchant(modify(&path, &json!({ "name": name })).header("if-match", "\"3\""), hana());
    let (a, b) = tokio::join!(bench.send(change("하나")), bench.send(change("두리")));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!((statuses, &get(&bench, &path).await.body["version"]), ([200, 412], &json!(4)));
}

#[tokio::test]
async fn a_busy_table_is_asked_again_and_a_lost_answer_may_be() {
    let mut bench = bench();
    let path = registered(&bench).await;
    let change = |name: &str| by_merchant(modify(&path, &json!({ "name": name })), hana());
    trying(&mut bench, &[Fault::Contended]);
    assert_eq!(bench.send(change("하나")).await.status, 200);
    trying(&mut bench, &[Fault::AnswerLost]);
    assert_eq!(bench.send(change("두리")).await.status, 503);
    let again = bench.send(change("두리")).await;
    assert_eq!((again.status, &again.body["version"]), (200, &json!(3)));
}
