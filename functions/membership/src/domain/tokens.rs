//! Access tokens: JWTs (RFC 9068) signed with RS256, ten minutes long.
//!
//! The check trusts nothing that the token says of itself: the algorithm is ours, the key is found in our own set,
//! and times are compared with the clock that the caller gives, because the library would read the system's.

use super::signing_keys::{BadKey, JsonWebKey, SigningKey};
use contract::Scope;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use kernel::{Timestamp, id::MembershipId};
use serde::{Deserialize, Serialize};

/// How long an access token lives.
pub const ACCESS_SECONDS: i64 = 600;
/// Longer texts are not looked at: ours have some 900 characters.
const MOST_CHARS: usize = 4096;
/// How far the clock of the function that signed may be ahead of ours.
const SKEW_SECONDS: i64 = 5;
const TYPE: &str = "at+jwt";
const USE: &str = "access";

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// Whose it is.
    pub sub: MembershipId,
    /// What it allows, separated by blanks.
    pub scope: String,
    /// The login session.
    pub sid: String,
    /// Its own id.
    pub jti: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// Since when it holds.
    pub nbf: i64,
    /// Until when it holds.
    pub exp: i64,
    /// Always `access`.
    pub token_use: String,
}

/// Whose tokens: issuer and audience.
#[derive(Clone, Copy, Debug)]
pub struct Parties<'a> {
    /// Who issues.
    pub issuer: &'a str,
    /// Whom for.
    pub audience: &'a str,
}

impl Claims {
    /// The claims of a new token.
    pub fn new(
        parties: Parties<'_>,
        member: MembershipId,
        scopes: &[Scope],
        session: &str,
        token_id: String,
        now: Timestamp,
    ) -> Claims {
        let now = now.seconds();
        Claims {
            iss: parties.issuer.to_owned(),
            aud: parties.audience.to_owned(),
            sub: member,
            scope: scope_text(scopes),
            sid: session.to_owned(),
            jti: token_id,
            iat: now,
            nbf: now,
            exp: now.saturating_add(ACCESS_SECONDS),
            token_use: USE.to_owned(),
        }
    }
}

/// Scopes as a token writes them.
pub fn scope_text(scopes: &[Scope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    names.join(" ")
}

/// Signs a token.
pub fn sign(claims: &Claims, key: &SigningKey) -> Result<String, BadKey> {
    let header = Header {
        typ: Some(TYPE.to_owned()),
        kid: Some(key.public.kid.clone()),
        ..Header::new(Algorithm::RS256)
    };
    jsonwebtoken::encode(&header, claims, &key.encoding_key()?).map_err(|_| BadKey::cannot_sign())
}

/// The claims of a token that holds now, or none, whatever the text is.
pub fn verify(token: &str, keys: &[&JsonWebKey], parties: Parties<'_>, now: Timestamp) -> Option<Claims> {
    if token.len() > MOST_CHARS {
        return None;
    }
    let header = jsonwebtoken::decode_header(token).ok()?;
    if header.alg != Algorithm::RS256 || !header.typ?.eq_ignore_ascii_case(TYPE) {
        return None;
    }
    let kid = header.kid?;
    let key = keys.iter().find(|key| key.kid == kid)?;
    let key = DecodingKey::from_rsa_components(&key.n, &key.e).ok()?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[parties.issuer]);
    validation.set_audience(&[parties.audience]);
    validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()?.claims;
    let now = now.seconds();
    let holds = claims.nbf <= now.saturating_add(SKEW_SECONDS) && now < claims.exp;
    (holds && claims.token_use == USE).then_some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Id;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());
    const US: Parties<'static> = Parties { issuer: "https://pay.example", audience: "pay" };

    fn claims() -> Claims {
        Claims::new(US, Id::derive(&["m"]), &[Scope::Member], "s", "j".to_owned(), events::example_time())
    }

    #[test]
    fn a_token_holds_for_ten_minutes() {
        let token = sign(&claims(), &KEY).unwrap();
        let at = |seconds| verify(&token, &[&KEY.public], US, events::example_time().plus_seconds(seconds));
        assert_eq!(at(0), Some(claims()));
        assert_eq!(at(599), Some(claims()));
        assert_eq!(at(600), None);
        assert_eq!(at(-5), Some(claims()));
        assert_eq!(at(-6), None);
    }

    #[test]
    fn a_signed_token_with_a_wrong_claim_does_not_hold() {
        let wrong: [fn(&mut Claims); 4] = [
            |claims| claims.iss = "https://other.example".to_owned(),
            |claims| claims.aud = "other".to_owned(),
            |claims| claims.token_use = "refresh".to_owned(),
            |claims| claims.exp = claims.iat - 1,
        ];
        for spoil in wrong {
            let mut claims = claims();
            spoil(&mut claims);
            let token = sign(&claims, &KEY).unwrap();
            assert_eq!(verify(&token, &[&KEY.public], US, events::example_time()), None, "{claims:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_token(text in "[ -~]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,3}") {
            prop_assert_eq!(verify(&text, &[&KEY.public], US, events::example_time()), None);
        }

        #[test]
        fn a_changed_token_does_not_hold(place: prop::sample::Index) {
            let mut token = sign(&claims(), &KEY).unwrap().into_bytes();
            let place = place.index(token.len());
            // The last character of a base64url text may have spare bits; the decoder refuses them too.
            token[place] = if token[place] == b'A' { b'B' } else { b'A' };
            let token = String::from_utf8(token).unwrap();
            prop_assert_eq!(verify(&token, &[&KEY.public], US, events::example_time()), None);
        }
    }
}
