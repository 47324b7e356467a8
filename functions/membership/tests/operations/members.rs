//! findMembership, modifyMembership, getMembershipByJwtToken, grantOperator, revokeOperator and answerUnknownPath.

use crate::{
    bearer, bench, call, hana, hana_logs_in, items_of, logged_in, login, own, registered,
    tables::{self, Fault},
    text, with,
};
use contract::{
    Caller,
    testing::{Bench, Request},
};
use kernel::{Id, id::MembershipId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn modify(id: MembershipId, body: &Value) -> Request {
    own("PATCH", id).json(body)
}

async fn dul(bench: &Bench) -> MembershipId {
    registered(bench, &with(with(hana(), "email", "dul@pay.example"), "name", "이두리")).await
}

#[tokio::test]
async fn a_membership_is_shown_to_its_owner_and_to_operators_only() {
    let bench = bench();
    let (one, two) = (registered(&bench, &hana()).await, dul(&bench).await);
    let path = format!("/v1/memberships/{one}");
    let asked = |caller, scope| bench.send(Request::new("GET", &path).caller(caller, scope));
    assert_eq!(asked(one, "member").await.status, 200);
    assert_eq!(asked(two, "operator").await.status, 200);
    for (caller, scope, status) in
        [(two, "member", 404), (two, "member merchant", 404), (two, "merchant", 403)]
    {
        assert_eq!(asked(caller, scope).await.status, status, "{scope}");
    }
    assert_eq!(bench.send(Request::new("GET", &path)).await.status, 401);
    let unknown: MembershipId = Id::derive(&["nobody"]);
    let nobodys = Request::new("GET", &format!("/v1/memberships/{unknown}"));
    assert_eq!(bench.send(nobodys.clone().caller(two, "operator")).await.status, 404);
    assert_eq!(bench.send(nobodys.caller(unknown, "member")).await.status, 404);
    for odd in ["mbr_1", "wal_00000000000000000000000000", "%00", "..", "%2e%2e%2f"] {
        let request = Request::new("GET", &format!("/v1/memberships/{odd}")).caller(one, "member");
        assert_eq!(bench.send(request).await.status, 400, "{odd}");
    }
}

#[tokio::test]
async fn an_answer_has_these_fields_and_no_others() {
    let bench = bench();
    let id = registered(&bench, &hana()).await;
    bench.send(modify(id, &json!({ "name": "김한나" }))).await;
    let answer = bench.send(own("GET", id)).await;
    let shown: BTreeSet<&str> = answer.body.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "membershipId",
        "kind",
        "state",
        "name",
        "email",
        "address",
        "region",
        "scopes",
        "registeredAt",
        "modifiedAt",
        "version",
    ];
    assert_eq!(shown, BTreeSet::from(expected));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_modification_changes_what_it_names_and_wipes_nothing() {
    let bench = bench();
    let id = registered(&bench, &hana()).await;
    bench.world.pass_seconds(60);
    let answer = bench.send(modify(id, &json!({ "name": "김한나" }))).await;
    assert_eq!((answer.status, answer.header("etag")), (200, Some("\"2\"")), "{}", answer.body);
    let before = bench.send(own("GET", id)).await.body;
    assert_eq!(before, answer.body);
    assert_eq!((text(&before["name"]), text(&before["email"])), ("김한나", "hana@pay.example"));
    assert_eq!(before["modifiedAt"], "2026-11-22T10:16:30.000Z");
    assert_eq!(before["registeredAt"], "2026-11-22T10:15:30.000Z");

    let moved = bench.send(modify(id, &json!({ "address": "35 Centum nam-daero, Busan" }))).await.body;
    assert_eq!((text(&moved["region"]), text(&moved["name"])), ("busan", "김한나"));
    assert_eq!(moved["version"], 3);

    let unchanged = bench.twin.items();
    for same in [json!({}), json!({ "name": "김한나" }), json!({ "email": "hana@pay.example" })] {
        let answer = bench.send(modify(id, &same)).await;
        assert_eq!((answer.status, &answer.body["version"]), (200, &json!(3)), "{same}");
    }
    assert_eq!(bench.twin.items(), unchanged);
    assert_eq!(hana_logs_in(&bench).await.status, 200);
}

#[tokio::test]
async fn if_match_holds_a_modification_to_the_version_that_was_seen() {
    let bench = bench();
    let id = registered(&bench, &hana()).await;
    let with_tag =
        |tag: &str, name: &str| bench.send(modify(id, &json!({ "name": name })).header("if-match", tag));
    assert_eq!(with_tag("\"1\"", "하나").await.status, 200);
    let unchanged = bench.twin.items();
    for stale in ["\"1\"", "\"3\"", "W/\"2\"", "", "\"2 \""] {
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
    let id = registered(&bench, &hana()).await;
    tables::faulty(&mut bench).fail_next(Fault::Repeated);
    let answer = bench.send(modify(id, &json!({ "name": "하나" })).header("if-match", "\"1\"")).await;
    assert_eq!(
        (answer.status, &answer.body["version"], text(&answer.body["name"])),
        (200, &json!(2), "하나")
    );
}

#[tokio::test]
async fn an_email_changes_hands_in_one_step() {
    let bench = bench();
    let id = registered(&bench, &hana()).await;
    let answer = bench.send(modify(id, &json!({ "email": "Hana.New@pay.example" }))).await;
    assert_eq!(answer.body["email"], "Hana.New@pay.example");
    let log_in = |email| bench.send(login(email, "correct horse battery"));
    assert_eq!(log_in("hana@pay.example").await.status, 401);
    assert_eq!(log_in("hana.new@pay.example").await.status, 200);
    assert_eq!(items_of(&bench, "emailOwner").len(), 1);

    // The old one is free for somebody else, and the new one is not.
    let other = registered(&bench, &hana()).await;
    let before = bench.twin.items();
    let refused = bench.send(modify(other, &json!({ "email": "HANA.new@pay.example", "name": "남" }))).await;
    assert_eq!((refused.status, refused.code()), (409, "email_taken"));
    // Nothing of the member has changed; the question was counted, in the member's own item.
    let shown = bench.send(own("GET", other)).await.body;
    assert_eq!((text(&shown["name"]), text(&shown["email"])), ("김하나", "hana@pay.example"));
    let changed = bench.twin.items().into_iter().filter(|item| !before.contains(item)).count();
    assert_eq!(changed, 1);
    assert!(
        bench.relay().await.unwrap().iter().all(|fact| {
            fact.kind != "membership.modified.v1" || fact.data["membershipId"] != json!(other)
        })
    );

    // Other capitals are the same address, so no owner changes.
    let answer = bench.send(modify(id, &json!({ "email": "HANA.NEW@pay.example" }))).await;
    assert_eq!((answer.status, text(&answer.body["email"])), (200, "HANA.NEW@pay.example"));
    assert_eq!(items_of(&bench, "emailOwner").len(), 2);
    assert_eq!(log_in("hana.new@pay.example").await.status, 200);
}

#[tokio::test]
async fn whether_an_email_is_taken_is_told_five_times_a_day() {
    let bench = bench();
    let (id, _) = (registered(&bench, &hana()).await, dul(&bench).await);
    let ask = |email: &str| bench.send(modify(id, &json!({ "email": email })));
    for email in
        ["dul@pay.example", "new@pay.example", "NEW@pay.example", "dul@pay.example", "hana@pay.example"]
    {
        assert!([200, 409].contains(&ask(email).await.status), "{email}");
    }
    assert_eq!(ask("dul@pay.example").await.status, 409);
    // From now on a taken email and a free one are answered alike, and what takes no email goes on.
    bench.world.pass_seconds(3600);
    let before = bench.twin.items();
    for email in ["dul@pay.example", "free@pay.example"] {
        let refused = ask(email).await;
        assert_eq!((refused.status, refused.code()), (429, "too_many_email_changes"), "{email}");
        assert_eq!(refused.header("retry-after"), Some("82800"));
    }
    assert_eq!(bench.twin.items(), before);
    assert_eq!(ask("HANA@pay.example").await.status, 200);
    assert_eq!(bench.send(modify(id, &json!({ "name": "김한나" }))).await.status, 200);
    bench.world.pass_seconds(82_800);
    assert_eq!(ask("dul@pay.example").await.code(), "email_taken");
    assert_eq!(ask("free@pay.example").await.status, 200);
}

#[tokio::test]
async fn questions_at_the_same_time_are_counted_one_by_one() {
    let mut bench = bench();
    let (id, _) = (registered(&bench, &hana()).await, dul(&bench).await);
    tables::yielding(&mut bench);
    let ask = || bench.send(modify(id, &json!({ "email": "dul@pay.example" })));
    let mut told = 0;
    for _ in 0..4 {
        let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
        let statuses = [a.status, b.status, c.status, d.status];
        assert!(statuses.iter().all(|status| [409, 429, 503].contains(status)), "{statuses:?}");
        told += statuses.iter().filter(|status| **status == 409).count();
    }
    assert_eq!(told, 5);
}

#[tokio::test]
async fn changes_at_the_same_time_are_both_kept_and_one_email_goes_to_one() {
    let mut bench = bench();
    let (one, two) = (registered(&bench, &hana()).await, dul(&bench).await);
    tables::yielding(&mut bench);
    let (name, address) = (json!({ "name": "김한나" }), json!({ "address": "대전 서구 둔산로 100" }));
    let (a, b) = tokio::join!(bench.send(modify(one, &name)), bench.send(modify(one, &address)));
    assert_eq!((a.status, b.status), (200, 200));
    let shown = bench.send(own("GET", one)).await.body;
    assert_eq!((text(&shown["name"]), text(&shown["region"])), ("김한나", "daejeon"));
    assert_eq!(shown["version"], 3);

    let wanted = json!({ "email": "new@pay.example" });
    let (a, b) = tokio::join!(bench.send(modify(one, &wanted)), bench.send(modify(two, &wanted)));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(items_of(&bench, "emailOwner").len(), 2);

    // The same change twice at once is one change.
    let wanted = json!({ "email": "newest@pay.example" });
    let (a, b) = tokio::join!(bench.send(modify(one, &wanted)), bench.send(modify(one, &wanted)));
    assert_eq!((a.status, b.status), (200, 200));
}

#[tokio::test]
async fn a_busy_table_is_asked_again_and_a_lost_answer_may_be() {
    let mut bench = bench();
    let id = registered(&bench, &hana()).await;
    let table = tables::faulty(&mut bench);
    table.fail_next(Fault::Contended);
    assert_eq!(bench.send(modify(id, &json!({ "name": "김한나" }))).await.status, 200);
    table.fail_next(Fault::AnswerLost);
    let change = json!({ "email": "new@pay.example" });
    assert_eq!(bench.send(modify(id, &change)).await.status, 503);
    let again = bench.send(modify(id, &change)).await;
    assert_eq!((again.status, &again.body["version"]), (200, &json!(3)));
}

#[tokio::test]
async fn refused_modifications_write_nothing() {
    let bench = bench();
    let (one, two) = (registered(&bench, &hana()).await, dul(&bench).await);
    let before = bench.twin.items();
    let path = format!("/v1/memberships/{one}");
    for body in [
        json!({ "name": null }),
        json!({ "name": "" }),
        json!({ "name": "\u{202E}anah" }),
        json!({ "email": "no" }),
        json!({ "address": "Mars" }),
        json!({ "password": "another password" }),
        json!({ "kind": "corporate" }),
        json!({ "version": 9 }),
        json!({ "membershipId": two }),
        json!({ "name": "good", "address": 1 }),
    ] {
        let answer = bench.send(modify(one, &body)).await;
        assert_eq!((answer.status, answer.code()), (400, "validation_failed"), "{body}");
    }
    let request = || Request::new("PATCH", &path).json(&json!({ "name": "남" }));
    assert_eq!(bench.send(request()).await.status, 401);
    assert_eq!(bench.send(request().caller(two, "member")).await.status, 404);
    assert_eq!(bench.send(request().caller(two, "operator")).await.status, 403);
    assert_eq!(bench.twin.items(), before);
}

#[tokio::test]
async fn a_token_tells_whose_it_is() {
    let bench = bench();
    let (id, tokens) = logged_in(&bench).await;
    let who = || Request::new("GET", "/v1/auth/membership");
    let answer = bench.send(bearer(who(), text(&tokens["accessToken"]), &bench)).await;
    assert_eq!((answer.status, text(&answer.body["membershipId"])), (200, id.to_string().as_str()));
    assert_eq!(bench.send(who()).await.status, 401);
    assert_eq!(bench.send(who().caller(Id::derive(&["gone"]), "member")).await.status, 404);
}

#[tokio::test]
async fn an_operator_is_made_by_iam_only_and_at_the_next_login_or_exchange() {
    let bench = bench();
    let (id, tokens) = logged_in(&bench).await;
    bench.relay().await.unwrap();
    let granted = call(&bench, "grantOperator", json!({ "email": "HANA@pay.example" })).await;
    assert_eq!(granted, json!({ "membershipId": id, "scopes": ["member", "operator"] }));
    let before = bench.twin.items();
    assert_eq!(call(&bench, "grantOperator", json!({ "email": "hana@pay.example" })).await, granted);
    assert_eq!(bench.twin.items(), before);
    assert!(bench.relay().await.unwrap().is_empty(), "a scope is no change of name, email or address");

    assert_eq!(tokens["scope"], "member");
    let exchanged = bench.send(crate::refresh(text(&tokens["refreshToken"]))).await.body;
    assert_eq!(exchanged["scope"], "member operator");
    assert_eq!(hana_logs_in(&bench).await.body["scope"], "member operator");

    for (email, status) in [("nobody@pay.example", 404), ("nobody", 400)] {
        let outcome = bench.call("grantOperator", Caller::Platform, json!({ "email": email })).await;
        assert_eq!(outcome.unwrap_err().status, status);
    }
    for path in ["/v1/operators", "/grantOperator", "/v1/memberships/operators"] {
        let request = Request::new("POST", path).json(&json!({ "email": "hana@pay.example" }));
        assert_eq!(bench.send(request.caller(id, "operator")).await.code(), "unknown_path");
    }
}

#[tokio::test]
async fn an_operators_rights_are_taken_with_every_session_that_has_begun() {
    let bench = bench();
    let id = registered(&bench, &hana()).await;
    call(&bench, "grantOperator", json!({ "email": "hana@pay.example" })).await;
    let (stolen, other) = (hana_logs_in(&bench).await.body, hana_logs_in(&bench).await.body);
    assert_eq!(stolen["scope"], "member operator");
    bench.relay().await.unwrap();

    let revoked = call(&bench, "revokeOperator", json!({ "email": "HANA@pay.example" })).await;
    assert_eq!(revoked, json!({ "membershipId": id, "scopes": ["member"] }));
    assert!(bench.relay().await.unwrap().is_empty(), "a scope is no change of name, email or address");
    let who = || Request::new("GET", "/v1/auth/membership");
    for tokens in [&stolen, &other] {
        let exchanged = bench.send(crate::refresh(text(&tokens["refreshToken"]))).await;
        assert_eq!((exchanged.status, exchanged.code()), (401, "invalid_refresh_token"));
        let access = json!({ "token": tokens["accessToken"] });
        let told = bench.send(Request::new("POST", "/v1/auth/validate").json(&access)).await;
        assert_eq!(told.body, json!({ "active": false }));
        let asked = bench.send(bearer(who(), text(&tokens["accessToken"]), &bench)).await;
        assert_eq!((asked.status, asked.code()), (401, "unauthorized"));
    }
    let before = bench.twin.items();
    assert_eq!(call(&bench, "revokeOperator", json!({ "email": "hana@pay.example" })).await, revoked);
    assert_eq!(bench.twin.items(), before);

    // The member stays one, and a session that begins now goes on.
    bench.world.pass_seconds(1);
    let tokens = hana_logs_in(&bench).await.body;
    assert_eq!(tokens["scope"], "member");
    let asked = bench.send(bearer(who(), text(&tokens["accessToken"]), &bench)).await;
    assert_eq!((asked.status, &asked.body["scopes"]), (200, &json!(["member"])));
    let exchanged = bench.send(crate::refresh(text(&tokens["refreshToken"]))).await;
    assert_eq!(exchanged.body["scope"], "member");
}

#[tokio::test]
async fn rights_are_taken_by_iam_only_and_from_whoever_has_them() {
    let bench = bench();
    let (id, tokens) = logged_in(&bench).await;
    let before = bench.twin.items();
    let told = call(&bench, "revokeOperator", json!({ "email": "hana@pay.example" })).await;
    assert_eq!(told["scopes"], json!(["member"]));
    assert_eq!(bench.twin.items(), before, "who is no operator keeps every session");
    assert_eq!(bench.send(crate::refresh(text(&tokens["refreshToken"]))).await.status, 200);
    for (email, status) in [("nobody@pay.example", 404), ("nobody", 400)] {
        let outcome = bench.call("revokeOperator", Caller::Platform, json!({ "email": email })).await;
        assert_eq!(outcome.unwrap_err().status, status);
    }
    for path in ["/v1/operators", "/revokeOperator"] {
        let request = Request::new("DELETE", path);
        assert_eq!(bench.send(request.caller(id, "operator")).await.code(), "unknown_path");
    }
}

#[tokio::test]
async fn every_unknown_path_is_answered_as_such_whatever_comes_with_it() {
    let bench = bench();
    for request in [
        Request::new("GET", "/"),
        Request::new("GET", "/v1/nowhere?a=1&a=2"),
        Request::new("PUT", "/v1/memberships").json(&hana()),
        Request::new("POST", "/v1/nowhere").bytes(b"\xff{"),
        Request::new("OPTIONS", "/v1/memberships"),
    ] {
        let told = format!("{} {}", request.0.method, request.0.path);
        let answer = bench.send(request).await;
        assert_eq!((answer.status, answer.code()), (404, "unknown_path"), "{told}");
    }
}
