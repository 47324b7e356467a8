//! validateJwtToken: what holds, and every way to pretend.

use crate::{KEYS, PARTIES, bearer, bench, logged_in, text};
use contract::testing::{Bench, Request};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use membership::domain::{
    signing_keys::SigningKey,
    tokens::{self as jwt, Claims},
};
use serde_json::{Value, json};

async fn validate(bench: &Bench, token: &str) -> Value {
    let request = Request::new("POST", "/v1/auth/validate").json(&json!({ "token": token }));
    let answer = bench.send(request).await;
    assert_eq!(answer.status, 200, "{token}: {}", answer.body);
    answer.body
}

fn claims_of(token: &str) -> Claims {
    jsonwebtoken::dangerous::insecure_decode_claims(token).unwrap()
}

fn part(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

#[tokio::test]
async fn a_token_that_holds_tells_what_it_says() {
    let bench = bench();
    let (id, tokens) = logged_in(&bench).await;
    let told = validate(&bench, text(&tokens["accessToken"])).await;
    let claims = claims_of(text(&tokens["accessToken"]));
    let expected = json!({
        "active": true,
        "token_type": "Bearer",
        "scope": "member",
        "sub": id,
        "iss": "https://pay.example",
        "aud": "pay",
        "sid": claims.sid,
        "jti": claims.jti,
        "iat": claims.iat,
        "nbf": claims.iat,
        "exp": claims.iat + 600,
    });
    assert_eq!(told, expected);
    bench.world.pass_seconds(600);
    assert_eq!(validate(&bench, text(&tokens["accessToken"])).await, json!({ "active": false }));
}

#[tokio::test]
async fn a_token_of_an_ended_session_does_not_hold() {
    let bench = bench();
    let (_, tokens) = logged_in(&bench).await;
    let access = text(&tokens["accessToken"]);
    bench.send(bearer(Request::new("POST", "/v1/auth/logout"), access, &bench)).await;
    assert_eq!(validate(&bench, access).await, json!({ "active": false }));
}

#[tokio::test]
async fn every_pretence_is_just_inactive() {
    let bench = bench();
    let (_, tokens) = logged_in(&bench).await;
    let access = text(&tokens["accessToken"]);
    let claims = claims_of(access);
    let [header, payload, signature] = access.split('.').collect::<Vec<_>>().try_into().unwrap();
    let signed = |spoil: &dyn Fn(&mut Claims)| {
        let mut claims = claims.clone();
        spoil(&mut claims);
        jwt::sign(&claims, &KEYS.current).unwrap()
    };
    let with_header = |header: Value| format!("{}.{payload}.{signature}", part(&header));
    let kid = &KEYS.current.public.kid;
    let stranger = SigningKey::generate().unwrap();
    let mut impostor = stranger.clone();
    impostor.public.kid.clone_from(kid);

    // The public key as an HMAC secret: what a verifier would fall for that takes the token's own algorithm.
    let hmac = |secret: &[u8]| {
        let mut header = Header::new(Algorithm::HS256);
        (header.kid, header.typ) = (Some(kid.clone()), Some("at+jwt".to_owned()));
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let public = serde_json::to_vec(&KEYS.current.public).unwrap();
    let raised = part(&json!({ "scope": "operator" }));
    let plain = |typ: &str| {
        let mut header = Header::new(Algorithm::RS256);
        (header.kid, header.typ) = (Some(kid.clone()), Some(typ.to_owned()));
        jsonwebtoken::encode(&header, &claims, &KEYS.current.encoding_key().unwrap()).unwrap()
    };

    let pretences = [
        ("nothing", String::new()),
        ("garbage", "garbage".to_owned()),
        ("dots", "..".to_owned()),
        ("a null", "\u{0}.\u{0}.\u{0}".to_owned()),
        ("something long", "a".repeat(60_000)),
        ("Bearer before it", format!("Bearer {access}")),
        ("no algorithm", with_header(json!({ "alg": "none", "typ": "at+jwt", "kid": kid }))),
        (
            "no algorithm and no signature",
            format!("{}.{payload}.", part(&json!({ "alg": "none", "typ": "at+jwt", "kid": kid }))),
        ),
        ("another RSA algorithm", with_header(json!({ "alg": "RS512", "typ": "at+jwt", "kid": kid }))),
        ("HMAC with the public key", hmac(&public)),
        ("HMAC with the modulus", hmac(KEYS.current.public.n.as_bytes())),
        ("an unknown key", jwt::sign(&claims, &stranger).unwrap()),
        ("an unknown key under a known id", jwt::sign(&claims, &impostor).unwrap()),
        ("no key id", with_header(json!({ "alg": "RS256", "typ": "at+jwt" }))),
        (
            "its own key",
            with_header(json!({ "alg": "RS256", "typ": "at+jwt", "kid": kid, "jwk": stranger.public })),
        ),
        ("another type", plain("JWT")),
        ("other claims", format!("{header}.{raised}.{signature}")),
        ("no signature", format!("{header}.{payload}.")),
        ("a part too many", format!("{access}.{signature}")),
        ("expired", signed(&|claims| claims.exp = claims.iat)),
        ("not yet valid", signed(&|claims| claims.nbf = claims.iat + 60)),
        ("another issuer", signed(&|claims| claims.iss = "https://evil.example".to_owned())),
        ("another audience", signed(&|claims| claims.aud = "bank".to_owned())),
        ("another use", signed(&|claims| claims.token_use = "refresh".to_owned())),
        ("a session of nobody", signed(&|claims| claims.sid = "none".to_owned())),
        ("somebody else's session", signed(&|claims| claims.sub = kernel::Id::derive(&["other"]))),
        ("a refresh token", text(&tokens["refreshToken"]).to_owned()),
    ];
    let before = bench.twin.items();
    for (what, token) in pretences {
        assert_eq!(validate(&bench, &token).await, json!({ "active": false }), "{what}");
    }
    assert_eq!(bench.twin.items(), before);
    // The untouched ones hold: what was refused was refused for its own reason.
    assert_eq!(validate(&bench, access).await["active"], true);
    assert_eq!(validate(&bench, &signed(&|_| ())).await["active"], true);
    assert_eq!(validate(&bench, &plain("AT+JWT")).await["active"], true);
}

#[tokio::test]
async fn tokens_of_every_published_key_hold() {
    let bench = bench();
    let (_, tokens) = logged_in(&bench).await;
    let claims = claims_of(text(&tokens["accessToken"]));
    assert_eq!(claims.iss, PARTIES.issuer);
    for key in [&KEYS.previous, &KEYS.current, &KEYS.next] {
        let token = jwt::sign(&claims, key).unwrap();
        assert_eq!(validate(&bench, &token).await["active"], true);
    }
}
