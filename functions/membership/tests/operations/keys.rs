//! getSigningKeys, getOpenIdConfiguration, ensureSigningKey and rotateSigningKey.

use crate::{KEYS, bench, call, hana, hana_logs_in, items_of, logged_in, login, register, registered, text};
use contract::{
    Caller,
    ports::{Secrets, Stage},
    testing::{Bench, Request},
};
use membership::SERVICE;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const TWO_HOURS: i64 = 7200;

async fn step(bench: &Bench, step: &str, token: &str) -> Value {
    let event = json!({ "Step": step, "SecretId": "arn:aws:secretsmanager:x", "ClientRequestToken": token });
    call(bench, "rotateSigningKey", event).await
}

async fn rotate(bench: &Bench, token: &str) -> Value {
    for name in ["createSecret", "setSecret", "testSecret"] {
        step(bench, name, token).await;
    }
    step(bench, "finishSecret", token).await
}

async fn published(bench: &Bench) -> BTreeSet<String> {
    let answer = bench.send(Request::new("GET", "/.well-known/jwks.json")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let keys = answer.body["keys"].as_array().unwrap();
    keys.iter().map(|key| text(&key["kid"]).to_owned()).collect()
}

fn ids(answer: &Value) -> [String; 3] {
    ["previous", "current", "next"].map(|name| text(&answer[name]).to_owned())
}

#[tokio::test]
async fn the_published_set_has_three_public_keys_and_nothing_private() {
    let bench = bench();
    let answer = bench.send(Request::new("GET", "/.well-known/jwks.json")).await;
    let keys = answer.body["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    for key in keys {
        let fields: BTreeSet<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, BTreeSet::from(["kid", "kty", "alg", "use", "n", "e"]));
        assert_eq!((text(&key["kty"]), text(&key["alg"]), text(&key["e"])), ("RSA", "RS256", "AQAB"));
    }
    assert_eq!(text(&keys[0]["kid"]), KEYS.current.public.kid);
}

#[tokio::test]
async fn discovery_leads_to_the_keys() {
    let bench = bench();
    let answer = bench.send(Request::new("GET", "/.well-known/openid-configuration")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["issuer"], "https://pay.example");
    assert_eq!(answer.body["jwks_uri"], "https://pay.example/.well-known/jwks.json");
    assert_eq!(answer.body["id_token_signing_alg_values_supported"], json!(["RS256"]));
}

#[tokio::test]
async fn the_first_set_is_made_once() {
    let bench = Bench::new(&SERVICE);
    let jwks = || bench.send(Request::new("GET", "/.well-known/jwks.json"));
    assert_eq!(jwks().await.status, 503);
    let first = call(&bench, "ensureSigningKey", json!({})).await;
    assert_eq!(ids(&first).into_iter().collect::<BTreeSet<_>>(), published(&bench).await);
    let before = bench.twin.items();
    assert_eq!(call(&bench, "ensureSigningKey", json!({})).await, first);
    assert_eq!(bench.twin.items(), before);
    assert_eq!(first.as_object().unwrap().len(), 3, "key ids and nothing else: {first}");
}

#[tokio::test]
async fn without_keys_nobody_gets_a_session() {
    let bench = Bench::new(&SERVICE);
    assert_eq!(bench.send(register(&hana())).await.status, 201);
    assert_eq!(bench.send(login("hana@pay.example", "correct horse battery")).await.status, 503);
    assert!(items_of(&bench, "session").is_empty() && items_of(&bench, "refreshToken").is_empty());
}

#[tokio::test]
async fn a_key_signs_only_after_it_was_published_for_two_hours() {
    let bench = bench();
    let first = call(&bench, "ensureSigningKey", json!({})).await;
    bench.world.pass_seconds(TWO_HOURS - 1);
    assert_eq!(ids(&rotate(&bench, "early").await), ids(&first));

    bench.world.pass_seconds(1);
    let second = rotate(&bench, "in time").await;
    let ([_, current, next], [previous, now_current, now_next]) = (ids(&first), ids(&second));
    assert_eq!((&previous, &now_current), (&current, &next));
    assert!(!ids(&first).contains(&now_next));
    assert_eq!(published(&bench).await, ids(&second).into_iter().collect());

    // The new next has its own two hours.
    assert_eq!(ids(&rotate(&bench, "at once").await), ids(&second));
    bench.world.pass_seconds(TWO_HOURS);
    assert_eq!(ids(&rotate(&bench, "later").await)[1], now_next);
}

#[tokio::test]
async fn tokens_outlive_a_rotation() {
    let bench = bench();
    call(&bench, "ensureSigningKey", json!({})).await;
    bench.world.pass_seconds(TWO_HOURS);
    let (_, before) = logged_in(&bench).await;
    let rotated = rotate(&bench, "r1").await;
    let after = hana_logs_in(&bench).await.body;
    let kid =
        |tokens: &Value| jsonwebtoken::decode_header(text(&tokens["accessToken"])).unwrap().kid.unwrap();
    assert_eq!((kid(&before), kid(&after)), (KEYS.current.public.kid.clone(), KEYS.next.public.kid.clone()));
    assert_eq!(ids(&rotated)[..2], [kid(&before), kid(&after)]);
    for tokens in [before, after] {
        let body = json!({ "token": tokens["accessToken"] });
        let told = bench.send(Request::new("POST", "/v1/auth/validate").json(&body)).await;
        assert_eq!(told.body["active"], true);
    }
}

#[tokio::test]
async fn every_step_may_come_again() {
    let bench = bench();
    call(&bench, "ensureSigningKey", json!({})).await;
    bench.world.pass_seconds(TWO_HOURS);
    let mut made = None;
    for name in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
        for _ in 0..2 {
            let answer = step(&bench, name, "r1").await;
            assert_eq!(made.get_or_insert(answer.clone()), &answer, "{name}");
        }
    }
    // Even from the beginning, after it was finished.
    assert_eq!(Some(rotate(&bench, "r1").await), made);
    assert_eq!(published(&bench).await, ids(&made.unwrap()).into_iter().collect());
}

#[tokio::test]
async fn an_interrupted_rotation_goes_on_or_is_replaced() {
    let bench = bench();
    let first = call(&bench, "ensureSigningKey", json!({})).await;
    bench.world.pass_seconds(TWO_HOURS);
    let abandoned = step(&bench, "createSecret", "r1").await;
    // A pending version is neither published nor used.
    assert_eq!(published(&bench).await, ids(&first).into_iter().collect());
    let second = rotate(&bench, "r2").await;
    assert_eq!(ids(&second)[..2], ids(&abandoned)[..2]);
    assert_ne!(ids(&second)[2], ids(&abandoned)[2]);

    // Interrupted after the promotion, before its time was noted: it counts from the next look, late and not early.
    let bench = crate::bench();
    call(&bench, "ensureSigningKey", json!({})).await;
    bench.world.pass_seconds(TWO_HOURS);
    let made = step(&bench, "createSecret", "r1").await;
    bench.world.promote("signing-keys", "r1").await.unwrap();
    bench.world.pass_seconds(TWO_HOURS);
    assert_eq!(ids(&rotate(&bench, "r2").await), ids(&made));
    bench.world.pass_seconds(TWO_HOURS - 1);
    assert_eq!(ids(&rotate(&bench, "r3").await), ids(&made));
    bench.world.pass_seconds(1);
    assert_eq!(ids(&rotate(&bench, "r4").await)[1], ids(&made)[2]);
}

#[tokio::test]
async fn steps_without_a_version_or_a_first_set_fail_and_write_nothing() {
    let empty = Bench::new(&SERVICE);
    let bench = bench();
    for (bench, name) in
        [(&empty, "createSecret"), (&bench, "setSecret"), (&bench, "finishSecret"), (&bench, "deleteSecret")]
    {
        let event = json!({ "Step": name, "SecretId": "arn", "ClientRequestToken": "r1" });
        let outcome = bench.call("rotateSigningKey", Caller::Platform, event).await;
        assert!(outcome.is_err(), "{name}");
        assert!(bench.world.read("signing-keys", Stage::Pending).await.unwrap().is_none());
        assert!(bench.twin.items().is_empty());
    }
}

/// Secrets Manager does so when somebody sets how often to rotate.
#[tokio::test]
async fn a_test_alone_is_about_the_set_in_use() {
    let bench = bench();
    let first = call(&bench, "ensureSigningKey", json!({})).await;
    assert_eq!(ids(&step(&bench, "testSecret", "unknown").await), ids(&first));
    let made = step(&bench, "createSecret", "r1").await;
    assert_eq!(ids(&step(&bench, "testSecret", "r1").await), ids(&made));
}

#[tokio::test]
async fn how_long_a_key_must_be_published_is_a_setting() {
    let mut bench = bench();
    bench.context.settings.config = json!({ "keyPublishedSeconds": 60 });
    let first = call(&bench, "ensureSigningKey", json!({})).await;
    bench.world.pass_seconds(60);
    assert_eq!(ids(&rotate(&bench, "r1").await)[1], ids(&first)[2]);
}

#[tokio::test]
async fn the_secret_never_leaves_in_an_answer_an_item_or_a_fact() {
    let bench = bench();
    registered(&bench, &hana()).await;
    let mut told = call(&bench, "ensureSigningKey", json!({})).await.to_string();
    bench.world.pass_seconds(TWO_HOURS);
    told.push_str(&rotate(&bench, "r1").await.to_string());
    told.push_str(&crate::table_text(&bench));
    told.push_str(&serde_json::to_string(&bench.relay().await.unwrap()).unwrap());
    for secret in ["PRIVATE", "private", "MII"] {
        assert!(!told.contains(secret), "{told}");
    }
}
