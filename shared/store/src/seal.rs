//! Sealing of personal data, blind indexes and tamper-evident texts.
//!
//! Each member has a data key of their own, wrapped by the service's key: destroying the wrapped key makes every
//! value sealed with it unreadable, wherever copies of it lie, while the ledger stays. Values are sealed with
//! AES-256-GCM (NIST SP 800-38D) and bound to the field that they are for, so that they cannot be swapped.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;

/// A sealed value that does not open: wrong key, wrong field, or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open")]
pub struct Sealed;

/// The keys of one service, derived from its secret. It has no Debug, so that it cannot be logged.
pub struct ServiceKey {
    wrapping: DataKey,
    blinding: [u8; KEY_BYTES],
    signing: [u8; KEY_BYTES],
}

impl ServiceKey {
    /// Derives the keys from the secret's text. The secret has at least 256 bits of entropy, so that HMAC as a
    /// key derivation needs no salt (RFC 5869, section 3.1).
    pub fn from_secret(secret: &str) -> ServiceKey {
        ServiceKey {
            wrapping: DataKey(mac(secret.as_bytes(), &["pay wrapping v1"])),
            blinding: mac(secret.as_bytes(), &["pay blinding v1"]),
            signing: mac(secret.as_bytes(), &["pay signing v1"]),
        }
    }

    /// A new data key from 32 random bytes, and its wrapped form, bound to its owner's id.
    pub fn wrap(&self, owner: &str, key: [u8; 32], nonce: [u8; 12]) -> Result<(DataKey, String), Sealed> {
        let wrapped = self.wrapping.seal_bytes(owner, &key, nonce)?;
        Ok((DataKey(key), wrapped))
    }

    /// The data key inside a wrapped one.
    pub fn unwrap(&self, owner: &str, wrapped: &str) -> Result<DataKey, Sealed> {
        let key = self.wrapping.open_bytes(owner, wrapped)?;
        Ok(DataKey(key.try_into().map_err(|_| Sealed)?))
    }

    /// The blind index of a value: the same for the same field and value, and meaningless without this key.
    pub fn blind(&self, field: &str, value: &str) -> String {
        BASE64URL_NOPAD.encode(&mac(&self.blinding, &[field, value]))
    }

    /// A text with a signature, such as a cursor. It can be read, but not changed or used for another purpose.
    pub fn sign(&self, purpose: &str, text: &str) -> String {
        let signature = mac(&self.signing, &[purpose, text]);
        let (short, _) = signature.split_at(16);
        BASE64URL_NOPAD.encode(&[short, text.as_bytes()].concat())
    }

    /// The text inside a signed one, if it was signed for this purpose.
    pub fn verify(&self, purpose: &str, signed: &str) -> Result<String, Sealed> {
        let bytes = BASE64URL_NOPAD.decode(signed.as_bytes()).map_err(|_| Sealed)?;
        let (signature, text) = bytes.split_at_checked(16).ok_or(Sealed)?;
        let text = str::from_utf8(text).map_err(|_| Sealed)?;
        keyed(&self.signing, &[purpose, text]).verify_truncated_left(signature).map_err(|_| Sealed)?;
        Ok(text.to_owned())
    }
}

/// One owner's key. It has no Debug, so that it cannot be logged.
pub struct DataKey([u8; KEY_BYTES]);

impl DataKey {
    /// Seals a text for one field. The nonce must be random and never used twice.
    pub fn seal(&self, field: &str, text: &str, nonce: [u8; 12]) -> Result<String, Sealed> {
        self.seal_bytes(field, text.as_bytes(), nonce)
    }

    /// Opens a text that was sealed for this field.
    pub fn open(&self, field: &str, sealed: &str) -> Result<String, Sealed> {
        String::from_utf8(self.open_bytes(field, sealed)?).map_err(|_| Sealed)
    }

    fn seal_bytes(&self, field: &str, message: &[u8], nonce: [u8; NONCE_BYTES]) -> Result<String, Sealed> {
        let payload = Payload { msg: message, aad: field.as_bytes() };
        let sealed =
            Aes256Gcm::new(&self.0.into()).encrypt(&Nonce::from(nonce), payload).map_err(|_| Sealed)?;
        Ok(BASE64URL_NOPAD.encode(&[&nonce[..], &sealed].concat()))
    }

    fn open_bytes(&self, field: &str, sealed: &str) -> Result<Vec<u8>, Sealed> {
        let bytes = BASE64URL_NOPAD.decode(sealed.as_bytes()).map_err(|_| Sealed)?;
        let (nonce, message) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(Sealed)?;
        let payload = Payload { msg: message, aad: field.as_bytes() };
        Aes256Gcm::new(&self.0.into()).decrypt(&Nonce::from(*nonce), payload).map_err(|_| Sealed)
    }
}

/// The SHA-256 of length-prefixed parts, in base64url: fingerprints of requests and hashes of ledger entries.
pub fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    BASE64URL_NOPAD.encode(&hash.finalize())
}

fn mac(key: &[u8], parts: &[&str]) -> [u8; KEY_BYTES] {
    keyed(key, parts).finalize().into_bytes().into()
}

fn keyed(key: &[u8], parts: &[&str]) -> Hmac<Sha256> {
    #[allow(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104, section 3)")]
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("any length");
    for part in parts {
        mac.update(&part.len().to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sealed_value_opens_only_with_its_key_and_field(text in ".{0,80}", key: [u8; 32], other: [u8; 32], nonce: [u8; 12]) {
            prop_assume!(key != other);
            let sealed = DataKey(key).seal("name", &text, nonce).unwrap();
            prop_assert_eq!(DataKey(key).open("name", &sealed), Ok(text));
            prop_assert_eq!(DataKey(key).open("email", &sealed), Err(Sealed));
            prop_assert_eq!(DataKey(other).open("name", &sealed), Err(Sealed));
        }

        #[test]
        fn a_signed_text_cannot_be_changed_or_moved(text in ".{0,80}", place: prop::sample::Index) {
            let key = ServiceKey::from_secret("a secret of the service");
            let signed = key.sign("history", &text);
            prop_assert_eq!(key.verify("history", &signed), Ok(text));
            prop_assert_eq!(key.verify("payments", &signed), Err(Sealed));
            let mut changed = signed.into_bytes();
            let place = place.index(changed.len());
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            prop_assert_eq!(key.verify("history", &String::from_utf8(changed).unwrap()), Err(Sealed));
        }

        #[test]
        fn an_index_is_blind_and_a_digest_is_of_its_parts(one in "[ab]{0,3}", other in "[ab]{0,3}", more in "[ab]{0,3}") {
            let key = ServiceKey::from_secret("a secret of the service");
            let is_same = (&one, &other) == (&other, &more);
            prop_assert_eq!(key.blind(&one, &other) == key.blind(&other, &more), is_same);
            prop_assert_eq!(digest(&[&one, &other]) == digest(&[&other, &more]), is_same);
            prop_assert_ne!(key.blind(&one, &other), ServiceKey::from_secret("another").blind(&one, &other));
            prop_assert_ne!(digest(&[&one, &other]), digest(&[&one, &other, ""]));
        }
    }

    /// By another program: SHA-256 over each part behind its length in eight bytes. Stored chains depend on it.
    #[test]
    fn a_digest_is_what_it_always_was() {
        assert_eq!(digest(&["ab", "c"]), "YB1UduLM_iyHorunoyJllzSgV0nVtap4H1E-SRLbDV8");
    }

    #[test]
    fn a_wrapped_key_belongs_to_its_owner() {
        let service = ServiceKey::from_secret("a secret of the service");
        let (key, wrapped) = service.wrap("mbr_1", [7; 32], [1; 12]).unwrap();
        let sealed = key.seal("name", "김하나", [2; 12]).unwrap();
        assert_eq!(service.unwrap("mbr_1", &wrapped).unwrap().open("name", &sealed).unwrap(), "김하나");
        assert!(service.unwrap("mbr_2", &wrapped).is_err());
        assert!(ServiceKey::from_secret("another").unwrap("mbr_1", &wrapped).is_err());
    }
}
