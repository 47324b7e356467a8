//! loginMembership, refreshJwtTokenByRefreshToken and logoutMembership.

use crate::{
    KEYS, PARTIES, attribute, bearer, bench, hana, hana_logs_in, items_of, logged_in, login, refresh,
    registered, table_text,
    tables::{self, Fault},
    text, with, without_trace,
};
use contract::testing::{Answer, Bench, Request};
use membership::domain::tokens as jwt;
use serde_json::{Value, json};

const DAY: i64 = 86_400;

fn logout(bench: &Bench, tokens: &Value) -> Request {
    bearer(Request::new("POST", "/v1/auth/logout"), text(&tokens["accessToken"]), bench)
}

async fn exchange(bench: &Bench, tokens: &Value) -> Answer {
    bench.send(refresh(text(&tokens["refreshToken"]))).await
}

#[tokio::test]
async fn a_login_gives_tokens_that_verify() {
    let bench = bench();
    let (id, tokens) = logged_in(&bench).await;
    let now = bench.context.clock.now();
    let claims = jwt::verify(text(&tokens["accessToken"]), &KEYS.published(), PARTIES, now).unwrap();
    assert_eq!((claims.sub, claims.scope.as_str(), claims.exp - claims.iat), (id, "member", 600));
    assert_eq!((claims.iss.as_str(), claims.aud.as_str()), ("https://pay.example", "pay"));
    assert_eq!(tokens["accessTokenExpiresAt"], "2026-11-22T10:25:30.000Z");
    assert_eq!(tokens["refreshTokenExpiresAt"], "2026-11-23T10:15:30.000Z");
    assert_eq!((text(&tokens["tokenType"]), &tokens["expiresIn"]), ("Bearer", &json!(600)));
    assert_eq!(text(&tokens["refreshToken"]).len(), 43);

    let other = hana_logs_in(&bench).await.body;
    for field in ["accessToken", "refreshToken"] {
        assert_ne!(tokens[field], other[field]);
        assert!(!table_text(&bench).contains(text(&tokens[field])), "a token lies in the table");
    }

    let company = with(with(hana(), "kind", "corporate"), "email", "shop@pay.example");
    registered(&bench, &company).await;
    let tokens = bench.send(login("shop@pay.example", "correct horse battery")).await.body;
    assert_eq!(tokens["scope"], "member merchant");
}

#[tokio::test]
async fn an_unknown_email_is_told_and_costs_the_same_as_a_wrong_password() {
    let mut bench = bench();
    registered(&bench, &hana()).await;
    let table = tables::faulty(&mut bench);
    let mut told = Vec::new();
    for email in ["hana@pay.example", "nobody@pay.example"] {
        let mut answers = Vec::new();
        for _ in 0..7 {
            let answer = bench.send(login(email, "a wrong password")).await;
            answers.push((answer.status, without_trace(&answer), table.take_counts()));
        }
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
    let statuses: Vec<u16> = told[0].iter().map(|(status, ..)| *status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429]);
    assert_eq!(told[0][0].1["code"], "invalid_credentials");
    let (one, two) = (&items_of(&bench, "loginAttempts")[0], &items_of(&bench, "loginAttempts")[1]);
    assert_eq!(one.get("count"), two.get("count"));
}

#[tokio::test]
async fn failures_lock_for_a_while_and_not_for_ever() {
    let bench = bench();
    registered(&bench, &hana()).await;
    let wrong = || bench.send(login("Hana@pay.example", "a wrong password"));
    for _ in 0..5 {
        assert_eq!(wrong().await.status, 401);
    }
    for (wait, seconds) in [(60, "60"), (120, "120"), (240, "240"), (480, "480"), (900, "900"), (900, "900")]
    {
        let before = bench.twin.items();
        let right = bench.send(login("hana@pay.example", "correct horse battery")).await;
        assert_eq!((right.status, right.code()), (429, "login_locked"));
        assert_eq!(right.header("retry-after"), Some(seconds));
        assert_eq!(bench.twin.items(), before, "a refused attempt prolongs nothing");
        bench.world.pass_seconds(wait - 1);
        assert_eq!(wrong().await.status, 429);
        bench.world.pass_seconds(1);
        assert_eq!(wrong().await.status, 401);
    }
    bench.world.pass_seconds(900);
    hana_logs_in(&bench).await;
    // A success begins anew.
    assert!(items_of(&bench, "loginAttempts").is_empty());
    for _ in 0..4 {
        assert_eq!(wrong().await.status, 401);
    }
    hana_logs_in(&bench).await;
    // So does a day.
    for _ in 0..5 {
        assert_eq!(wrong().await.status, 401);
    }
    bench.world.pass_seconds(DAY);
    assert_eq!(wrong().await.status, 401);
    hana_logs_in(&bench).await;
}

#[tokio::test]
async fn guesses_at_the_same_time_are_counted_one_by_one() {
    let mut bench = bench();
    registered(&bench, &hana()).await;
    tables::yielding(&mut bench);
    let wrong = || bench.send(login("hana@pay.example", "a wrong password"));
    let answers = tokio::join!(wrong(), wrong(), wrong(), wrong(), wrong(), wrong(), wrong(), wrong());
    let (a, b, c, d, e, f, g, h) = answers;
    let looked_at = [a, b, c, d, e, f, g, h].iter().filter(|answer| answer.status == 401).count();
    assert_eq!(looked_at, 5);
}

#[tokio::test]
async fn bad_logins_write_no_session() {
    let bench = bench();
    registered(&bench, &hana()).await;
    let before = bench.twin.items();
    for body in [
        json!({}),
        json!({ "email": "hana@pay.example" }),
        json!({ "email": "hana@pay.example", "password": "가".repeat(129) }),
        json!({ "email": "hana@pay.example", "password": null }),
        json!({ "email": "hana", "password": "correct horse battery" }),
        json!({ "email": ["hana@pay.example"], "password": "correct horse battery" }),
        json!({ "email": "hana@pay.example", "password": "correct horse battery", "scope": "operator" }),
    ] {
        let answer = bench.send(Request::new("POST", "/v1/auth/login").json(&body)).await;
        assert_eq!((answer.status, answer.code()), (400, "validation_failed"), "{body}");
    }
    assert_eq!(bench.twin.items(), before);
    for password in ["", "correct horse battery ", "Correct horse battery"] {
        assert_eq!(bench.send(login("hana@pay.example", password)).await.status, 401);
    }
    assert!(items_of(&bench, "session").is_empty());
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_new_ones() {
    let bench = bench();
    let (id, first) = logged_in(&bench).await;
    bench.world.pass_seconds(DAY - 1);
    let answer = exchange(&bench, &first).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["membershipId"], id.to_string());
    assert_ne!(answer.body["refreshToken"], first["refreshToken"]);
    let sid = |tokens: &Value| {
        let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Value>(text(&tokens["accessToken"]));
        claims.unwrap()["sid"].clone()
    };
    assert_eq!(sid(&answer.body), sid(&first));
    bench.world.pass_seconds(DAY - 1);
    assert_eq!(exchange(&bench, &answer.body).await.status, 200, "a session goes on while it is used");
}

#[tokio::test]
async fn a_session_ends_at_its_age_however_often_it_is_exchanged() {
    for (is_operator, days) in [(false, 30), (true, 1)] {
        let bench = bench();
        registered(&bench, &hana()).await;
        if is_operator {
            crate::call(&bench, "grantOperator", json!({ "email": "hana@pay.example" })).await;
        }
        let mut tokens = hana_logs_in(&bench).await.body;
        let end = bench.context.clock.now().plus_seconds(days * DAY);
        for _ in 0..days * 2 - 1 {
            bench.world.pass_seconds(DAY / 2);
            let answer = exchange(&bench, &tokens).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            tokens = answer.body;
        }
        assert_eq!(tokens["refreshTokenExpiresAt"], end.to_string(), "no token promises more");
        bench.world.pass_seconds(DAY / 2 - 1);
        let last = exchange(&bench, &tokens).await;
        assert_eq!(last.status, 200);
        bench.world.pass_seconds(1);
        assert_eq!(exchange(&bench, &last.body).await.code(), "invalid_refresh_token");
        assert_eq!(hana_logs_in(&bench).await.status, 200);
    }
}

#[tokio::test]
async fn a_session_that_is_older_than_an_operators_may_be_ends_when_its_member_becomes_one() {
    let bench = bench();
    let (_, tokens) = logged_in(&bench).await;
    bench.world.pass_seconds(DAY - 1);
    let tokens = exchange(&bench, &tokens).await.body;
    crate::call(&bench, "grantOperator", json!({ "email": "hana@pay.example" })).await;
    bench.world.pass_seconds(1);
    assert_eq!(exchange(&bench, &tokens).await.code(), "invalid_refresh_token");
    assert_eq!(hana_logs_in(&bench).await.body["scope"], "member operator");
}

#[tokio::test]
async fn a_spent_refresh_token_ends_its_whole_session_and_no_other() {
    let bench = bench();
    let (_, stolen) = logged_in(&bench).await;
    let other = hana_logs_in(&bench).await.body;
    let second = exchange(&bench, &stolen).await.body;
    let reused = exchange(&bench, &stolen).await;
    assert_eq!((reused.status, reused.code()), (401, "refresh_token_reused"));
    let ended = exchange(&bench, &second).await;
    assert_eq!((ended.status, ended.code()), (401, "invalid_refresh_token"));
    assert_eq!(exchange(&bench, &other).await.status, 200);
}

#[tokio::test]
async fn a_lost_answer_logs_nobody_out_if_the_exchange_had_a_key() {
    let mut bench = bench();
    let (_, first) = logged_in(&bench).await;
    let table = tables::faulty(&mut bench);
    let with_key = |tokens: &Value, key: &str| bench.send(refresh(text(&tokens["refreshToken"])).key(key));
    table.fail_next(Fault::AnswerLost);
    assert_eq!(with_key(&first, "k1").await.status, 503);
    let second = with_key(&first, "k1").await;
    assert_eq!((second.status, second.header("idempotent-replayed")), (200, Some("true")));
    let again = with_key(&first, "k1").await;
    assert_eq!(again.body["refreshToken"], second.body["refreshToken"]);
    let third = with_key(&second.body, "k2").await;
    assert_eq!((third.status, third.header("idempotent-replayed")), (200, None));
    assert!(!table_text(&bench).contains(text(&third.body["refreshToken"])));

    // The successor was used, so the first answer was not lost: whoever asks now is somebody else.
    assert_eq!(with_key(&first, "k1").await.code(), "refresh_token_reused");
    assert_eq!(with_key(&third.body, "k3").await.code(), "invalid_refresh_token");
}

#[tokio::test]
async fn a_spent_token_under_another_key_is_a_theft() {
    let bench = bench();
    let cases = [(Some("k1"), Some("k2")), (Some("k1"), None), (None, Some("k1"))];
    for (place, keys) in cases.into_iter().enumerate() {
        let email = format!("member{place}@pay.example");
        registered(&bench, &with(hana(), "email", email.as_str())).await;
        let tokens = bench.send(login(&email, "correct horse battery")).await.body;
        let request = |key: Option<&str>| {
            let request = refresh(text(&tokens["refreshToken"]));
            key.map_or(request.clone(), |key| request.key(key))
        };
        assert_eq!(bench.send(request(keys.0)).await.status, 200);
        assert_eq!(bench.send(request(keys.1)).await.code(), "refresh_token_reused", "{keys:?}");
    }
}

#[tokio::test]
async fn two_exchanges_at_once_are_one_under_a_key_and_a_theft_without() {
    let mut bench = bench();
    let (_, tokens) = logged_in(&bench).await;
    tables::yielding(&mut bench);
    let request = || refresh(text(&tokens["refreshToken"])).key("k1");
    let (a, b) = tokio::join!(bench.send(request()), bench.send(request()));
    assert_eq!((a.status, b.status), (200, 200));
    assert_eq!(a.body["refreshToken"], b.body["refreshToken"]);

    let next = || refresh(text(&a.body["refreshToken"]));
    let (c, d) = tokio::join!(bench.send(next()), bench.send(next()));
    let mut statuses = [c.status, d.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    assert_eq!(attribute(&items_of(&bench, "session")[0], "state"), "revoked");
}

#[tokio::test]
async fn tokens_that_cannot_be_exchanged_write_nothing() {
    let bench = bench();
    let (_, tokens) = logged_in(&bench).await;
    let before = bench.twin.items();
    let long = "a".repeat(5000);
    for odd in ["", "a", "\u{0}", "../token", &long, text(&tokens["accessToken"])] {
        let answer = bench.send(refresh(odd)).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_refresh_token"), "{odd}");
    }
    for body in [json!({}), json!({ "refreshToken": 7 }), json!({ "refreshToken": "a", "scope": "operator" })]
    {
        let answer = bench.send(Request::new("POST", "/v1/auth/refresh").json(&body)).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    bench.world.pass_seconds(DAY);
    assert_eq!(exchange(&bench, &tokens).await.code(), "invalid_refresh_token");
    assert_eq!(bench.twin.items(), before);
}

#[tokio::test]
async fn logging_out_ends_the_session_and_no_other() {
    let bench = bench();
    let (_, here) = logged_in(&bench).await;
    let there = hana_logs_in(&bench).await.body;
    for _ in 0..2 {
        let answer = bench.send(logout(&bench, &here)).await;
        assert_eq!((answer.status, &answer.body), (204, &Value::Null));
    }
    assert_eq!(exchange(&bench, &here).await.code(), "invalid_refresh_token");
    assert_eq!(exchange(&bench, &there).await.status, 200);

    // Nobody ends somebody else's session, even with its id.
    let two = registered(&bench, &with(hana(), "email", "dul@pay.example")).await;
    let mut strangers = logout(&bench, &there);
    strangers.0.claims.as_mut().unwrap().sub = two.to_string();
    let before = bench.twin.items();
    assert_eq!(bench.send(strangers).await.status, 204);
    assert_eq!(bench.send(Request::new("POST", "/v1/auth/logout")).await.status, 401);
    assert_eq!(bench.twin.items(), before);
}

#[tokio::test]
async fn what_is_over_may_be_removed_by_the_table() {
    let bench = bench();
    let (_, tokens) = logged_in(&bench).await;
    exchange(&bench, &tokens).await;
    bench.send(login("nobody@pay.example", "a wrong password")).await;
    let end = bench.context.clock.now().plus_seconds(DAY).seconds().to_string();
    for kind in ["session", "refreshToken", "loginAttempts"] {
        for item in items_of(&bench, kind) {
            assert_eq!(item.get("expiresAt"), Some(&store::AttributeValue::N(end.clone())), "{kind}");
        }
    }
    assert!(items_of(&bench, "member").iter().all(|item| item.get("expiresAt").is_none()));
}
