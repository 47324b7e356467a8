//! Registering: by a merchant and by an operator, again, twice at once, and what is refused.

use crate::{
    PERSON, SHOP, account, banking_answers, bench, by_merchant, by_operator, dul, get, hana,
    nobody_asks_banking, operator, pointers, register, registered, shop,
    tables::{Fault, trying},
    with,
};
use contract::{
    Problem,
    ports::{DirectAnswer, Unanswered},
    problem,
    testing::Request,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_merchants_franchise_begins_with_the_usual_fee() {
    let bench = bench();
    let answer = bench.send(by_merchant(register(&shop()).key("shop"), hana())).await;
    assert_eq!((answer.status, answer.header("etag")), (201, Some("\"1\"")), "{}", answer.body);
    let place = answer.header("location").unwrap();
    let id = answer.body["franchiseId"].as_str().unwrap();
    assert_eq!(place, format!("/v1/franchises/{id}"));
    let expected = json!({
        "franchiseId": id,
        "membershipId": hana(),
        "state": "open",
        "name": SHOP,
        "contact": { "name": PERSON, "email": "hana@shop.example", "phone": "02-1234-5678" },
        "bankAccountId": account("hana"),
        "feeBps": 250,
        "feeTerms": [{ "feeFrom": "2026-11-22", "since": "2026-11-22T10:15:30.000Z", "feeBps": 250 }],
        "settlementCycle": { "kind": "daily" },
        "registeredAt": "2026-11-22T10:15:30.000Z",
        "version": 1,
    });
    assert_eq!(answer.body, expected);
    let own = bench.send(by_merchant(Request::new("GET", place), hana())).await;
    assert_eq!((own.status, own.header("etag"), &own.body), (200, Some("\"1\""), &expected));
}

#[tokio::test]
async fn an_operator_registers_for_an_owner_with_a_fee_of_its_own() {
    let bench = bench();
    let cycle = json!({ "kind": "weekly", "weekday": "friday" });
    let body = with(
        with(with(shop(), "membershipId", json!(hana())), "feeBps", 180),
        "settlementCycle",
        cycle.clone(),
    );
    let answer = bench.send(by_operator(register(&body).key("shop"))).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["membershipId"], json!(hana()));
    assert_eq!((&answer.body["feeBps"], &answer.body["settlementCycle"]), (&json!(180), &cycle));
    let place = answer.header("location").unwrap();
    assert_eq!(bench.send(by_merchant(Request::new("GET", place), hana())).await.body, answer.body);

    // Without a fee it is the usual one, and no fee is a fee too.
    for (key, fee, expected) in [("usual", None, 250), ("none", Some(0), 0), ("most", Some(1_000), 1_000)] {
        let mut body = with(shop(), "membershipId", json!(hana()));
        if let Some(fee) = fee {
            body = with(body, "feeBps", fee);
        }
        let answer = bench.send(by_operator(register(&body).key(key))).await;
        assert_eq!((answer.status, &answer.body["feeBps"]), (201, &json!(expected)));
    }
}

#[tokio::test]
async fn who_may_register_what() {
    let bench = bench();
    let whose = |owner| with(shop(), "membershipId", json!(owner));
    let merchant = |body: &Value| by_merchant(register(body).key("k"), hana());
    let refused = [
        (merchant(&whose(dul())), 404, "not_found", ""),
        (merchant(&with(shop(), "feeBps", 250)), 403, "fee_set_by_operator", ""),
        (merchant(&with(shop(), "bankAccountId", json!(account("dul")))), 422, "bank_account_not_found", ""),
        (
            merchant(&with(shop(), "bankAccountId", json!(account("nobody's")))),
            422,
            "bank_account_not_found",
            "",
        ),
        (by_operator(register(&shop()).key("k")), 400, "validation_failed", "/membershipId"),
        (by_operator(register(&whose(dul())).key("k")), 422, "bank_account_not_found", ""),
        (by_operator(register(&whose(operator())).key("k")), 422, "bank_account_not_found", ""),
        (
            by_operator(register(&with(whose(hana()), "feeBps", 1_001)).key("k")),
            400,
            "validation_failed",
            "/feeBps",
        ),
        (register(&shop()).key("k").caller(hana(), "member"), 403, "forbidden", ""),
        (register(&shop()).key("k"), 401, "unauthorized", ""),
        (by_merchant(register(&shop()), hana()), 400, "idempotency_key_required", ""),
        (by_merchant(register(&shop()).key("a b"), hana()), 400, "idempotency_key_invalid", ""),
    ];
    for (request, status, code, pointer) in refused {
        let answer = bench.send(request).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{}", answer.body);
        assert_eq!(pointers(&answer).first().copied().unwrap_or_default(), pointer);
    }
    assert!(bench.twin.items().is_empty());

    // What was refused has left its key free. Naming oneself is naming nobody else.
    assert_eq!(bench.send(merchant(&whose(hana()))).await.status, 201);
    // One of Pay's own people who is a merchant too registers for themselves.
    let both = register(&shop()).key("k").caller(hana(), "member merchant operator");
    let again = bench.send(both.clone()).await;
    assert_eq!(again.code(), "idempotency_key_reused", "a key is the caller's, and the body another");
    let both = register(&shop()).key("k2").caller(hana(), "member merchant operator");
    assert_eq!(bench.send(both).await.body["membershipId"], json!(hana()));
}

#[tokio::test]
async fn the_same_request_is_answered_again_and_another_under_its_key_refused() {
    let bench = bench();
    let request = || by_merchant(register(&shop()).key("shop"), hana());
    let first = bench.send(request()).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    let before = bench.twin.items();
    nobody_asks_banking(&bench);
    bench.world.pass_seconds(3_600);
    let again = bench.send(request()).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!((&again.body, again.header("location")), (&first.body, first.header("location")));
    for other in
        [with(shop(), "name", "두리 커피"), with(shop(), "bankAccountId", json!(account("hana's second")))]
    {
        let answer = bench.send(by_merchant(register(&other).key("shop"), hana())).await;
        assert_eq!((answer.status, answer.code()), (422, "idempotency_key_reused"));
    }
    assert_eq!(bench.twin.items(), before);

    // A key is its caller's: another merchant's franchise under the same key is another.
    banking_answers(&bench);
    let other = with(shop(), "bankAccountId", json!(account("dul")));
    let answer = bench.send(by_merchant(register(&other).key("shop"), dul())).await;
    assert_eq!(answer.status, 201);
    assert_ne!(answer.body["franchiseId"], first.body["franchiseId"]);
}

#[tokio::test]
async fn bad_input_is_named_and_writes_nothing() {
    let bench = bench();
    nobody_asks_banking(&bench);
    let contact =
        |field: &str, value: Value| with(shop(), "contact", with(shop()["contact"].clone(), field, value));
    let without = |field: &str| {
        let mut body = shop();
        body.as_object_mut().unwrap().remove(field);
        body
    };
    let cases = [
        (without("name"), "/name"),
        (without("contact"), "/contact"),
        (without("bankAccountId"), "/bankAccountId"),
        (without("settlementCycle"), "/settlementCycle"),
        (with(shop(), "name", ""), "/name"),
        (with(shop(), "name", "a\u{202E}b"), "/name"),
        (with(shop(), "name", "가".repeat(101)), "/name"),
        (with(shop(), "contact", PERSON), "/contact"),
        (with(shop(), "contact", json!({ "name": PERSON, "email": "hana@shop.example" })), "/contact/phone"),
        (contact("name", json!(" ")), "/contact/name"),
        (contact("email", json!("hana")), "/contact/email"),
        (contact("phone", json!("1234")), "/contact/phone"),
        (contact("fax", json!("02-1234-5678")), "/contact/fax"),
        (with(shop(), "bankAccountId", "bka_x"), "/bankAccountId"),
        (with(shop(), "membershipId", "x"), "/membershipId"),
        (with(shop(), "membershipId", Value::Null), "/membershipId"),
        (with(shop(), "feeBps", -1), "/feeBps"),
        (with(shop(), "feeBps", 10_001), "/feeBps"),
        (with(shop(), "feeBps", 2.5), "/feeBps"),
        (with(shop(), "feeBps", Value::Null), "/feeBps"),
        (with(shop(), "settlementCycle", "daily"), "/settlementCycle"),
        (with(shop(), "settlementCycle", json!({ "kind": "weekly" })), "/settlementCycle/weekday"),
        (
            with(shop(), "settlementCycle", json!({ "kind": "daily", "weekday": "friday" })),
            "/settlementCycle/weekday",
        ),
        (with(shop(), "settlementCycle", json!({ "kind": "monthly" })), "/settlementCycle/kind"),
        (with(shop(), "state", "open"), "/state"),
        (with(shop(), "franchiseId", "frc_x"), "/franchiseId"),
    ];
    for (body, pointer) in cases {
        let answer = bench.send(by_merchant(register(&body).key("k"), hana())).await;
        assert_eq!((answer.status, answer.code()), (400, "validation_failed"), "{body}");
        assert_eq!(pointers(&answer), [pointer], "{body}");
        let said = answer.body.to_string();
        assert!(!said.contains(PERSON) && !said.contains("hana@shop.example"), "{said}");
    }
    assert!(bench.twin.items().is_empty());
}

#[tokio::test]
async fn a_banking_that_does_not_answer_leaves_nothing_behind() {
    let bench = bench();
    let request = || by_merchant(register(&shop()).key("k"), hana());
    let unavailable: Problem = (&problem::TEMPORARILY_UNAVAILABLE).into();
    bench.world.answer_calls(|_| Err(Unanswered("no answer".to_owned())));
    assert_eq!(bench.send(request()).await.code(), "temporarily_unavailable");
    bench.world.answer_calls(move |_| Ok(DirectAnswer::Refused(unavailable.clone())));
    assert_eq!(bench.send(request()).await.code(), "temporarily_unavailable");
    // An answer that cannot be read is none.
    bench.world.answer_calls(|_| Ok(DirectAnswer::Done(json!({ "owner": true }))));
    assert_eq!(bench.send(request()).await.code(), "temporarily_unavailable");
    assert!(bench.twin.items().is_empty());
    banking_answers(&bench);
    let answer = bench.send(request()).await;
    assert_eq!((answer.status, answer.header("idempotent-replayed")), (201, None));
}

#[tokio::test]
async fn the_same_request_twice_at_once_makes_one_franchise() {
    let mut bench = bench();
    trying(&mut bench, &[]);
    let request = || bench.send(by_merchant(register(&shop()).key("k"), hana()));
    let (a, b, c) = tokio::join!(request(), request(), request());
    assert_eq!([a.status, b.status, c.status], [201, 201, 201]);
    assert!(a.body == b.body && b.body == c.body);
    let replayed =
        [&a, &b, &c].iter().filter(|answer| answer.header("idempotent-replayed").is_some()).count();
    assert_eq!((replayed, bench.twin.items().len()), (2, 1));

    let (two, three) = (with(shop(), "name", "둘"), with(shop(), "name", "셋"));
    let other = |body| bench.send(by_merchant(register(body).key("k2"), hana()));
    let (d, e) = tokio::join!(other(&two), other(&three));
    let mut statuses = [d.status, e.status];
    statuses.sort_unstable();
    assert_eq!((statuses, bench.twin.items().len()), ([201, 422], 2));
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again() {
    let mut bench = bench();
    trying(&mut bench, &[Fault::AnswerLost]);
    let request = || bench.send(by_merchant(register(&shop()).key("k"), hana()));
    assert_eq!(request().await.status, 503);
    let again = request().await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(bench.twin.items().len(), 1);
}

#[tokio::test]
async fn nothing_personal_lies_open_in_the_table_or_in_facts() {
    let bench = bench();
    let path = registered(&bench).await;
    let contact = json!({ "name": "이둘", "email": "dul@shop.example", "phone": "010-9876-5432" });
    let change = Request::new("PATCH", &path).json(&json!({ "name": "두리 커피", "contact": contact }));
    assert_eq!(bench.send(by_merchant(change, hana())).await.status, 200);
    let items = serde_json::to_string(&bench.twin.items()).unwrap();
    let facts = serde_json::to_string(&bench.relay().await.unwrap()).unwrap();
    for text in [SHOP, PERSON, "hana@shop", "1234-5678", "이둘", "dul@shop", "9876", "두리"] {
        assert!(!items.contains(text) && !facts.contains(text), "{text}");
    }
    assert_eq!(get(&bench, &path).await.body["contact"], contact);
}

#[tokio::test]
async fn settings_say_the_usual_fee_and_the_most() {
    let mut bench = bench();
    bench.context.settings.config = json!({ "defaultFeeBps": 300, "mostFeeBps": 400 });
    let path = registered(&bench).await;
    assert_eq!(get(&bench, &path).await.body["feeBps"], 300);
    let change =
        |fee: u16| Request::new("PATCH", &path).json(&json!({ "feeBps": fee, "feeFrom": "2026-11-22" }));
    assert_eq!(pointers(&bench.send(by_operator(change(401))).await), ["/feeBps"]);
    assert_eq!(bench.send(by_operator(change(400))).await.body["feeBps"], 400);
    bench.context.settings.config = json!({ "defaultFeeBps": 10_001 });
    assert_eq!(bench.send(by_operator(change(300))).await.code(), "internal_error", "not a fee");
}
