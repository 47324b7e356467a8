//! registerMembership, registerMembershipByEvent and onRegisterMembershipRequested.

use crate::{
    attribute, bench, call, hana, items_of, login, own, register, registered, table_text,
    tables::{self, Fault},
    text, with,
};
use contract::{
    Caller,
    outbox::FactsRead,
    testing::{Bench, Request},
};
use kernel::{Id, id::MembershipId};
use serde_json::{Value, json};
use store::{AttributeValue, Condition, Item, Write};

fn by_event(body: &Value) -> Request {
    Request::new("POST", "/v1/memberships/by-event").json(body)
}

#[tokio::test]
async fn a_person_and_a_company_become_members() {
    let bench = bench();
    let answer = bench.send(register(&hana())).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let id: MembershipId = text(&answer.body["membershipId"]).parse().unwrap();
    assert_eq!(answer.header("location"), Some(format!("/v1/memberships/{id}").as_str()));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let expected = json!({
        "membershipId": id,
        "kind": "personal",
        "state": "active",
        "name": "김하나",
        "email": "hana@pay.example",
        "address": "서울특별시 중구 세종대로 110",
        "region": "seoul",
        "scopes": ["member"],
        "registeredAt": "2026-11-22T10:15:30.000Z",
        "version": 1,
    });
    assert_eq!(answer.body, expected);
    assert_eq!(bench.send(own("GET", id)).await.body, expected);

    let company = with(with(hana(), "kind", "corporate"), "email", "shop@pay.example");
    let answer = bench.send(register(&company)).await;
    assert_eq!(answer.body["scopes"], json!(["member", "merchant"]));
}

#[tokio::test]
async fn nothing_personal_and_no_password_lies_in_the_table_or_in_a_fact() {
    let bench = bench();
    registered(&bench, &hana()).await;
    let taken = with(hana(), "email", "dul@pay.example");
    assert_eq!(bench.send(by_event(&taken)).await.status, 202);
    let facts = serde_json::to_string(&bench.relay().await.unwrap()).unwrap();
    for told in [table_text(&bench), facts] {
        for secret in ["하나", "hana@", "dul@", "세종대로", "correct horse"] {
            assert!(!told.contains(secret), "{secret} is in {told}");
        }
    }
}

#[tokio::test]
async fn two_identical_registrations_at_once_make_one_member() {
    let mut bench = bench();
    tables::yielding(&mut bench);
    let (one, two) = tokio::join!(bench.send(register(&hana())), bench.send(register(&hana())));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!((items_of(&bench, "member").len(), items_of(&bench, "emailOwner").len()), (1, 1));
}

#[tokio::test]
async fn two_identical_registrations_at_once_under_one_key_get_one_answer() {
    // The second comes as much later as the first makes calls: so it meets it at every one of them.
    for (asked, later) in [register, by_event].into_iter().flat_map(|asked| (0..6).map(move |n| (asked, n))) {
        let mut bench = bench();
        tables::yielding(&mut bench);
        let request = || asked(&hana()).key("k1");
        let second = async {
            for _ in 0..later {
                tokio::task::yield_now().await;
            }
            bench.send(request()).await
        };
        let (one, two) = tokio::join!(bench.send(request()), second);
        assert_eq!((one.status, &one.body), (two.status, &two.body));
        let replayed = |answer: &contract::testing::Answer| answer.header("idempotent-replayed").is_some();
        assert!(replayed(&one) != replayed(&two));
        assert_eq!(items_of(&bench, "member").len(), 1);
        let third = bench.send(request()).await;
        assert_eq!((third.status, &third.body, replayed(&third)), (one.status, &one.body, true));
    }
}

#[tokio::test]
async fn one_email_is_one_member_however_it_is_capitalised() {
    for asked in [register, by_event] {
        let bench = bench();
        assert!(bench.send(asked(&hana())).await.status < 300);
        let before = bench.twin.items();
        for again in [register, by_event] {
            let answer = bench.send(again(&with(hana(), "email", "HANA@Pay.Example")).key("k")).await;
            assert_eq!((answer.status, answer.code()), (409, "email_taken"));
        }
        assert_eq!(bench.twin.items(), before);
    }
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    for asked in [register, by_event] {
        let bench = bench();
        assert!(bench.send(asked(&hana()).key("k1")).await.status < 300);
        let before = bench.twin.items();
        for (field, value) in [
            ("name", "김두리"),
            ("email", "dul@pay.example"),
            ("password", "another horse battery"),
            ("address", "서울특별시 중구 세종대로 111"),
            ("kind", "corporate"),
        ] {
            let other = with(hana(), field, value);
            let answer = bench.send(asked(&other).key("k1")).await;
            assert_eq!((answer.status, answer.code()), (422, "idempotency_key_reused"));
        }
        assert_eq!(bench.twin.items(), before);
    }
}

/// Otherwise a fast hash of it would lie beside the slow one.
#[tokio::test]
async fn what_is_stored_of_a_request_tells_nothing_of_its_password() {
    for asked in [register, by_event] {
        let mut stored = Vec::new();
        for password in ["correct horse battery", "another horse battery"] {
            let bench = bench();
            assert!(bench.send(asked(&with(hana(), "password", password)).key("k1")).await.status < 300);
            stored.push(attribute(&items_of(&bench, "member")[0], "fingerprint"));
        }
        assert_eq!(stored[0], stored[1]);
    }
}

#[tokio::test]
async fn a_request_is_known_again_by_the_fingerprint_that_was_stored_before() {
    for asked in [register, by_event] {
        let bench = bench();
        let first = bench.send(asked(&hana()).key("k1")).await;
        let key = bench.context.service_key("membership-key").await.unwrap();
        let former = key.blind("request", &store::seal::digest(&[&hana().to_string()]));
        let mut member = items_of(&bench, "member")[0].clone();
        member.insert("fingerprint".to_owned(), AttributeValue::S(former));
        bench.context.table.commit(&[Write::Put(member, Condition::Present)]).await.unwrap();
        let again = bench.send(asked(&hana()).key("k1")).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        for (field, value) in [("password", "another horse battery"), ("name", "김두리")] {
            let other = bench.send(asked(&with(hana(), field, value)).key("k1")).await;
            assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
        }
    }
}

#[tokio::test]
async fn a_registration_that_finds_itself_is_made() {
    let mut bench = bench();
    let table = tables::faulty(&mut bench);
    for (key, email) in [(None, "hana@pay.example"), (Some("k1"), "dul@pay.example")] {
        table.fail_next(Fault::Repeated);
        let request = register(&with(hana(), "email", email));
        let answer = bench.send(key.map_or(request.clone(), |key| request.key(key))).await;
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (201, None), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_key_of_a_refused_request_is_free_again() {
    let bench = bench();
    let refused = bench.send(register(&with(hana(), "password", "short")).key("k1")).await;
    assert_eq!(refused.status, 400);
    let answer = bench.send(register(&hana()).key("k1")).await;
    assert_eq!((answer.status, answer.header("idempotent-replayed")), (201, None));
}

#[tokio::test]
async fn an_id_does_not_follow_from_a_guessed_key() {
    let bench = bench();
    let answer = bench.send(register(&hana()).key("k1")).await;
    let guessed: MembershipId = Id::derive(&["anonymous", "membership.registerMembership", "k1"]);
    assert_ne!(text(&answer.body["membershipId"]), guessed.to_string());
}

#[tokio::test]
async fn a_lost_answer_is_given_again_and_a_busy_table_is_asked_again() {
    let mut bench = bench();
    let table = tables::faulty(&mut bench);
    table.fail_next(Fault::AnswerLost);
    let lost = bench.send(register(&hana()).key("k1")).await;
    assert_eq!((lost.status, lost.header("retry-after")), (503, Some("1")));
    let again = bench.send(register(&hana()).key("k1")).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));

    table.fail_next(Fault::Contended);
    let other = with(hana(), "email", "dul@pay.example");
    assert_eq!(bench.send(register(&other)).await.status, 201);
}

#[tokio::test]
async fn each_bad_field_is_named_and_nothing_is_written() {
    let long = "가".repeat(201);
    let cases = [
        ("name", json!(""), "/name"),
        ("name", json!(" 김하나"), "/name"),
        ("name", json!("김\u{200B}하나"), "/name"),
        ("name", json!("김\u{202E}하나"), "/name"),
        ("name", json!("김하나\n"), "/name"),
        ("name", json!("\u{1112}\u{1161}\u{11AB}"), "/name"),
        ("name", json!("가".repeat(101)), "/name"),
        ("name", json!(7), "/name"),
        ("name", json!(null), "/name"),
        ("name", json!(["김하나"]), "/name"),
        ("email", json!("hana"), "/email"),
        ("email", json!("hana@pay.example\u{200B}"), "/email"),
        ("email", json!("h\u{430}na@pay.example"), "/email"),
        ("email", json!(format!("{}@pay.example", "a".repeat(300))), "/email"),
        ("email", json!({ "at": "hana@pay.example" }), "/email"),
        ("password", json!("1234567"), "/password"),
        ("password", json!("가".repeat(129)), "/password"),
        ("password", json!(12345678), "/password"),
        ("address", json!("Mars"), "/address"),
        ("address", json!(long), "/address"),
        ("address", json!("서울\u{2066} 중구"), "/address"),
        ("kind", json!("robot"), "/kind"),
        ("kind", json!("Personal"), "/kind"),
        ("region", json!("seoul"), "/region"),
        ("operator", json!(true), "/operator"),
        ("membershipId", json!("mbr_1"), "/membershipId"),
    ];
    for asked in [register, by_event] {
        let bench = bench();
        for (field, value, pointer) in &cases {
            let answer = bench.send(asked(&with(hana(), field, value.clone()))).await;
            assert_eq!((answer.status, answer.code()), (400, "validation_failed"), "{field} {value}");
            assert_eq!(answer.body["errors"][0]["pointer"], *pointer, "{}", answer.body);
            assert!(!answer.body.to_string().contains("김"), "the answer repeats what was given");
        }
        for field in ["name", "email", "password", "address", "kind"] {
            let mut body = hana();
            body.as_object_mut().unwrap().remove(field);
            let answer = bench.send(asked(&body)).await;
            assert_eq!(answer.body["errors"][0]["code"], "required");
            assert_eq!(answer.body["errors"][0]["pointer"], format!("/{field}"));
        }
        assert_eq!(bench.send(asked(&hana()).key("a b")).await.code(), "idempotency_key_invalid");
        assert_eq!(bench.twin.items(), Vec::<Item>::new());
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_object_write_nothing() {
    let bench = bench();
    let deep = format!("{}1{}", r#"{"name":"#.repeat(200), "}".repeat(200));
    let cases: [(&[u8], &str, u16); 6] = [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{\"name\":\"\xff\"}", "application/json", 400),
        (deep.as_bytes(), "application/json", 400),
        (&[b' '; 65_537], "application/json", 413),
        (b"name=hana", "application/x-www-form-urlencoded", 415),
    ];
    for path in ["/v1/memberships", "/v1/memberships/by-event", "/v1/auth/login", "/v1/auth/validate"] {
        for (body, media, status) in cases {
            let request = Request::new("POST", path).header("content-type", media).bytes(body);
            assert_eq!(bench.send(request).await.status, status, "{path} {media}");
        }
    }
    assert_eq!(bench.twin.items(), Vec::<Item>::new());
}

/// Delivers each fact of a kind to its handler, as the queue does.
async fn deliver(bench: &Bench, times: usize) {
    for fact in bench.relay().await.unwrap() {
        if fact.kind == "membership.registrationRequested.v1" {
            for _ in 0..times {
                call(bench, "onRegisterMembershipRequested", serde_json::to_value(&fact).unwrap()).await;
            }
        }
    }
}

#[tokio::test]
async fn by_event_ends_in_the_same_state_as_the_direct_one_and_duplicates_are_harmless() {
    let direct = bench();
    let direct_id = registered(&direct, &hana()).await;

    let bench = bench();
    let taken = bench.send(by_event(&hana()).key("k1")).await;
    assert_eq!(taken.status, 202, "{}", taken.body);
    let id: MembershipId = text(&taken.body["membershipId"]).parse().unwrap();
    assert_eq!(taken.body, json!({ "membershipId": id, "state": "requested" }));
    assert_eq!(taken.header("location"), Some(format!("/v1/memberships/{id}").as_str()));

    // Requested is not yet a member, for nobody but an operator.
    let operator =
        Request::new("GET", &format!("/v1/memberships/{id}")).caller(Id::derive(&["o"]), "operator");
    assert_eq!(bench.send(operator).await.body["state"], "requested");
    assert_eq!(bench.send(own("GET", id)).await.status, 404);
    assert_eq!(bench.send(login("hana@pay.example", "correct horse battery")).await.status, 401);

    bench.world.pass_seconds(1);
    deliver(&bench, 3).await;
    let shown = |body: &Value| {
        let mut body = body.clone();
        body["membershipId"] = Value::Null;
        body["registeredAt"] = Value::Null;
        body
    };
    let (one, two) = (direct.send(own("GET", direct_id)).await, bench.send(own("GET", id)).await);
    assert_eq!(two.status, 200);
    assert_eq!(shown(&one.body), shown(&two.body));
    assert_eq!(bench.send(login("hana@pay.example", "correct horse battery")).await.status, 200);
    assert_eq!((items_of(&bench, "member").len(), items_of(&bench, "emailOwner").len()), (1, 1));

    let again = bench.send(by_event(&hana()).key("k1")).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
}

#[tokio::test]
async fn two_deliveries_at_once_begin_one_membership() {
    let mut bench = bench();
    assert_eq!(bench.send(by_event(&hana())).await.status, 202);
    let facts = bench.relay().await.unwrap();
    tables::yielding(&mut bench);
    let event = serde_json::to_value(&facts[0]).unwrap();
    let deliver = || call(&bench, "onRegisterMembershipRequested", event.clone());
    tokio::join!(deliver(), deliver());
    let facts = bench.relay().await.unwrap();
    let kinds: Vec<&str> = facts.iter().map(|fact| fact.kind.as_str()).collect();
    assert_eq!(kinds, ["membership.registered.v1"]);
}

#[tokio::test]
async fn an_event_without_its_request_is_a_fault_that_shows() {
    let bench = bench();
    let event = (events::ALL[0].example)();
    let outcome = bench
        .call("onRegisterMembershipRequested", Caller::Platform, serde_json::to_value(event).unwrap())
        .await;
    assert_eq!(outcome.unwrap_err().status, 500);
    assert_eq!(bench.twin.items(), Vec::<Item>::new());
}

#[tokio::test]
async fn facts_are_told_once_by_the_relay_and_again_under_the_same_ids_by_republish() {
    let bench = bench();
    let id = registered(&bench, &hana()).await;
    assert_eq!(bench.send(by_event(&with(hana(), "email", "dul@pay.example"))).await.status, 202);
    deliver(&bench, 1).await;
    bench.world.pass_seconds(60);
    let moved = own("PATCH", id).json(&json!({ "address": "부산광역시 해운대구 센텀남대로 35" }));
    assert_eq!(bench.send(moved).await.status, 200);
    bench.relay().await.unwrap();

    let told = bench.world.published();
    let mut kinds: Vec<&str> = told.iter().map(|fact| fact.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "membership.modified.v1",
            "membership.registered.v1",
            "membership.registered.v1",
            "membership.registrationRequested.v1",
        ]
    );
    let began = told.iter().find(|fact| fact.subject == id.to_string()).unwrap();
    assert_eq!(began.data["region"], "seoul");
    let moved = told.iter().find(|fact| fact.kind == "membership.modified.v1").unwrap();
    assert_eq!((&moved.data["region"], &moved.data["version"]), (&json!("busan"), &json!(2)));

    let answer = call(&bench, "republish", json!({})).await;
    assert_eq!(answer, json!({ "published": 4, "skipped": 0, "after": null }));
    let mut first: Vec<String> = told.iter().map(|fact| serde_json::to_string(fact).unwrap()).collect();
    let mut again: Vec<String> =
        bench.world.published()[4..].iter().map(|fact| serde_json::to_string(fact).unwrap()).collect();
    first.sort_unstable();
    again.sort_unstable();
    assert_eq!(first, again, "a fact that is told again is the same to the letter");
}

#[tokio::test]
async fn every_move_is_told_for_ever_and_other_changes_until_the_next() {
    let bench = bench();
    let id = registered(&bench, &hana()).await;
    let changes = [
        ("address", "부산광역시 해운대구 센텀남대로 35"),
        ("name", "김두나"),
        ("address", "부산광역시 중구 중앙대로 1"),
        ("address", "제주특별자치도 제주시 문연로 6"),
        ("name", "김세나"),
    ];
    for (minutes, (field, value)) in (0_i64..).zip(changes) {
        // Another function's clock, ten minutes behind, changes nothing of the order.
        bench.world.pass_seconds(if minutes == 3 { -600 } else { 60 });
        let change = own("PATCH", id).json(&json!({ field: value }));
        assert_eq!(bench.send(change).await.status, 200);
    }
    let mut relayed = bench.relay().await.unwrap();
    let versions = |facts: &[events::Envelope]| -> Vec<(u64, String)> {
        let modified = facts.iter().filter(|fact| fact.kind == "membership.modified.v1");
        let told =
            modified.map(|fact| (fact.data["version"].as_u64().unwrap(), fact.data["region"].to_string()));
        let mut told: Vec<_> = told.collect();
        told.sort_unstable();
        told
    };
    let of = |version, region: &str| (version, format!("\"{region}\""));
    let all = [of(2, "busan"), of(3, "busan"), of(4, "busan"), of(5, "jeju"), of(6, "jeju")];
    assert_eq!(versions(&relayed), all);
    relayed.sort_by_key(|fact| fact.data["version"].as_u64());
    let times: Vec<_> = relayed.iter().map(|fact| fact.time).collect();
    assert!(times.is_sorted(), "{times:?}");

    let read = call(&bench, "readFacts", json!({})).await;
    let read: FactsRead = serde_json::from_value(read).unwrap();
    assert_eq!(
        (versions(&read.facts), read.after),
        (vec![of(2, "busan"), of(5, "jeju"), of(6, "jeju")], None)
    );
    assert!(
        read.facts.iter().all(|fact| relayed.contains(fact)),
        "a fact that is read is the one that was told"
    );
}

#[tokio::test]
async fn items_that_lead_to_facts_carry_the_trace_of_their_request() {
    let bench = bench();
    let request = by_event(&hana()).header("traceparent", events::EXAMPLE_TRACEPARENT);
    assert_eq!(bench.send(request).await.status, 202);
    let [member] = items_of(&bench, "member").try_into().unwrap();
    assert_eq!(attribute(&member, "traceparent"), events::EXAMPLE_TRACEPARENT);
    assert_eq!(bench.relay().await.unwrap()[0].traceparent, events::EXAMPLE_TRACEPARENT);
}
