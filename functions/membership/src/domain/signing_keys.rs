//! The set of keys that sign access tokens: the previous one, the current one and the next one.
//!
//! All three are published, only the current one signs. A verifier may keep the published set for two hours, so a
//! key signs only after it was published that long, and stays published for a rotation after it last signed.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use jsonwebtoken::{
    Algorithm, EncodingKey,
    jwk::{AlgorithmParameters, Jwk, ThumbprintHash},
};
use kernel::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of the secret that keeps the set.
pub const SECRET: &str = "signing-keys";

/// A key could not be made or read. It says nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key cannot be used: {0}")]
pub struct BadKey(&'static str);

impl BadKey {
    /// A key that does not sign.
    pub const fn cannot_sign() -> BadKey {
        BadKey("it cannot sign")
    }
}

/// One version of the secret. It has no Debug, so that it cannot be logged.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeySet {
    /// The version's id: a rotation's ClientRequestToken.
    pub version: String,
    /// It signed until the last rotation.
    pub previous: SigningKey,
    /// It signs.
    pub current: SigningKey,
    /// It will sign.
    pub next: SigningKey,
}

/// A key pair: RSA of 2048 bits.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// The public half.
    pub public: JsonWebKey,
    /// The private half: PKCS #8 in PEM.
    pub private: String,
}

/// The public half of a key, as RFC 7517 and RFC 7518 (section 6.3.1) write it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JsonWebKey {
    /// The key's id: its thumbprint (RFC 7638).
    pub kid: String,
    /// Always `RSA`.
    pub kty: String,
    /// Always `RS256`.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub purpose: String,
    /// The modulus.
    pub n: String,
    /// The exponent.
    pub e: String,
}

/// The ids of a set: all that an operation may tell of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct KeyIds {
    /// It signed before.
    pub previous: String,
    /// It signs.
    pub current: String,
    /// It will sign.
    pub next: String,
}

impl SigningKey {
    /// Makes a key. The library draws from its own generator: a private key never depends on a port that a test may
    /// fake.
    pub fn generate() -> Result<SigningKey, BadKey> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| BadKey("it could not be made"))?;
        let der: Pkcs8V1Der = pair.as_der().map_err(|_| BadKey("it could not be written"))?;
        let private = pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_ref()));
        let jwk = Jwk::from_encoding_key(&encoding_key(&private)?, Algorithm::RS256)
            .map_err(|_| BadKey("it has no public half"))?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| BadKey("it has no thumbprint"))?;
        let AlgorithmParameters::RSA(rsa) = jwk.algorithm else { return Err(BadKey("it is not RSA")) };
        let [kty, alg, purpose] = ["RSA", "RS256", "sig"].map(str::to_owned);
        Ok(SigningKey { public: JsonWebKey { kid, kty, alg, purpose, n: rsa.n, e: rsa.e }, private })
    }

    /// The private half, ready to sign.
    pub fn encoding_key(&self) -> Result<EncodingKey, BadKey> {
        encoding_key(&self.private)
    }
}

fn encoding_key(pem: &str) -> Result<EncodingKey, BadKey> {
    EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| BadKey("it cannot be read"))
}

impl KeySet {
    /// The first set. Its previous key has never signed; it is there so that the set has one shape.
    pub fn first(version: &str) -> Result<KeySet, BadKey> {
        Ok(KeySet {
            version: version.to_owned(),
            previous: SigningKey::generate()?,
            current: SigningKey::generate()?,
            next: SigningKey::generate()?,
        })
    }

    /// The set that follows in a rotation: everything moves up if `next` may sign already, or else nothing changes
    /// but the version.
    pub fn following(&self, version: &str, next_may_sign: bool) -> Result<KeySet, BadKey> {
        let version = version.to_owned();
        if !next_may_sign {
            return Ok(KeySet { version, ..self.clone() });
        }
        Ok(KeySet {
            version,
            previous: self.current.clone(),
            current: self.next.clone(),
            next: SigningKey::generate()?,
        })
    }

    /// The public halves, the signing one first.
    pub fn published(&self) -> [&JsonWebKey; 3] {
        [&self.current.public, &self.next.public, &self.previous.public]
    }

    /// The ids.
    pub fn ids(&self) -> KeyIds {
        KeyIds {
            previous: self.previous.public.kid.clone(),
            current: self.current.public.kid.clone(),
            next: self.next.public.kid.clone(),
        }
    }
}

/// Whether a key that is known to be published since then may sign: every copy of the set that is older than it has
/// ended.
pub fn may_sign(published_at: Option<Timestamp>, now: Timestamp, published_seconds: i64) -> bool {
    published_at.is_some_and(|since| now >= since.plus_seconds(published_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_only_after_it_was_published_long_enough() {
        let now = events::example_time();
        assert!(!may_sign(None, now, 0));
        assert!(!may_sign(Some(now), now.plus_seconds(7199), 7200));
        assert!(may_sign(Some(now), now.plus_seconds(7200), 7200));
    }

    #[test]
    fn keys_move_up_one_by_one_and_ids_are_thumbprints() {
        let first = KeySet::first("v1").unwrap();
        let held = first.following("v2", false).unwrap();
        assert_eq!((held.ids(), held.version.as_str()), (first.ids(), "v2"));
        let moved = first.following("v2", true).unwrap().ids();
        assert_eq!((moved.previous, moved.current), (first.ids().current, first.ids().next));
        assert!(![first.ids().previous, first.ids().current, first.ids().next].contains(&moved.next));
        assert!(first.published().iter().all(|key| key.kid.len() == 43 && key.n.len() == 342));
    }
}
