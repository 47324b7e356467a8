//! Passwords: Argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane: the crate's defaults, held by a test).
//!
//! A password is normalised first (NFKC, as NIST SP 800-63B asks), because one keyboard writes 가 as one character
//! and another as two. Its length is bounded, so that nobody can make a hash cost more than its parameters.

use super::Fault;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use unicode_normalization::UnicodeNormalization;

const POINTER: &str = "/password";
const LEAST_CHARS: usize = 8;
const MOST_CHARS: usize = 128;

/// The hash of a password that nobody has: what an unknown email's password is compared with, at the same cost.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ$Jh0CqXyJm8W6n2q3bqv3F5cV3vQ6o4k9m0r1s2t3u4U";

/// Argon2id could not run: there is not enough memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password could not be hashed")]
pub struct Unhashable;

/// Checks a new password.
pub fn check(password: &str) -> Result<(), Fault> {
    let length = password.chars().take(MOST_CHARS.saturating_add(1)).count();
    if !(LEAST_CHARS..=MOST_CHARS).contains(&length) {
        return Err(Fault::at(POINTER, "must have 8 to 128 characters"));
    }
    Ok(())
}

/// Checks a password that is to be compared: only that it is not longer than any password can be.
pub fn check_length(password: &str) -> Result<(), Fault> {
    if password.chars().nth(MOST_CHARS).is_some() {
        return Err(Fault::at(POINTER, "must have at most 128 characters"));
    }
    Ok(())
}

/// The hash to store, in the PHC string format.
pub fn hash(password: &str, salt: [u8; 16]) -> Result<String, Unhashable> {
    Argon2::default()
        .hash_password_with_salt(normalised(password).as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|_| Unhashable)
}

/// Whether this is the password of the hash. Without a hash the same work is done, and the answer is no.
pub fn verify(password: &str, hash: Option<&str>) -> bool {
    let expected = hash.unwrap_or(NOBODYS);
    let same = Argon2::default().verify_password(normalised(password).as_bytes(), expected).is_ok();
    same && hash.is_some()
}

fn normalised(password: &str) -> String {
    password.nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::PasswordHash;

    #[test]
    fn the_parameters_are_those_of_owasp_and_nobodys_hash_costs_the_same() {
        let stored = hash("correct horse", [7; 16]).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let (own, nobodys) = (PasswordHash::new(&stored).unwrap(), PasswordHash::new(NOBODYS).unwrap());
        assert_eq!(own.params.to_string(), nobodys.params.to_string());
        assert_eq!((own.algorithm, own.version), (nobodys.algorithm, nobodys.version));
        let lengths = |hash: &PasswordHash| (hash.salt.unwrap().len(), hash.hash.unwrap().len());
        assert_eq!(lengths(&own), lengths(&nobodys));
    }

    #[test]
    fn a_password_is_known_in_every_normal_form_and_no_other_is() {
        let stored = hash("비밀번호 열두글자", [7; 16]).unwrap();
        let decomposed: String = "비밀번호 열두글자".nfd().collect();
        assert!(verify("비밀번호 열두글자", Some(&stored)));
        assert!(verify(&decomposed, Some(&stored)));
        assert!(!verify("비밀번호 열두글짜", Some(&stored)));
        assert!(!verify("비밀번호 열두글자", None));
        assert!(!verify("비밀번호 열두글자", Some("not a hash")));
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        let cases = [
            ("가".repeat(7), false),
            ("가".repeat(8), true),
            ("가".repeat(128), true),
            ("가".repeat(129), false),
        ];
        for (password, good) in cases {
            assert_eq!(check(&password).is_ok(), good, "{}", password.chars().count());
        }
        assert!(check_length("").is_ok());
        assert!(check_length(&"a".repeat(129)).is_err());
    }
}
