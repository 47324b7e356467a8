//! Identifiers: a prefix that says what is meant, and 128 bits that nobody can guess.
//!
//! An id is either random or derived from what makes the thing unique (caller, operation and idempotency key),
//! so that the record itself is the idempotency record.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, fmt, marker::PhantomData, str::FromStr};
use ulid::Ulid;

/// What an [`Id`] names. Implemented by empty marker types.
pub trait IdKind {
    /// The prefix without its underscore, such as `mbr`.
    const PREFIX: &'static str;
}

/// Markers of the ids that cross a service's border.
pub mod kinds {
    use super::IdKind;

    /// A member.
    pub enum Membership {}
    impl IdKind for Membership {
        const PREFIX: &'static str = "mbr";
    }
    /// A bank account linked by a member.
    pub enum BankAccount {}
    impl IdKind for BankAccount {
        const PREFIX: &'static str = "bka";
    }
    /// A transfer between two accounts at the external bank.
    pub enum Firmbanking {}
    impl IdKind for Firmbanking {
        const PREFIX: &'static str = "fbk";
    }
    /// A member's wallet.
    pub enum Wallet {}
    impl IdKind for Wallet {
        const PREFIX: &'static str = "wal";
    }
    /// A recharge or withdrawal.
    pub enum MoneyRequest {}
    impl IdKind for MoneyRequest {
        const PREFIX: &'static str = "mcr";
    }
    /// A transfer in the ledger.
    pub enum Transfer {}
    impl IdKind for Transfer {
        const PREFIX: &'static str = "txf";
    }
    /// A remittance.
    pub enum Remittance {}
    impl IdKind for Remittance {
        const PREFIX: &'static str = "rmt";
    }
    /// A payment.
    pub enum Payment {}
    impl IdKind for Payment {
        const PREFIX: &'static str = "pmt";
    }
    /// A cancellation of a payment, or of a part of it.
    pub enum Cancellation {}
    impl IdKind for Cancellation {
        const PREFIX: &'static str = "cnl";
    }
    /// A franchise: a shop that takes payments.
    pub enum Franchise {}
    impl IdKind for Franchise {
        const PREFIX: &'static str = "frc";
    }
    /// What one run settles with one franchise.
    pub enum Settlement {}
    impl IdKind for Settlement {
        const PREFIX: &'static str = "stl";
    }
}

/// `mbr_…`
pub type MembershipId = Id<kinds::Membership>;
/// `bka_…`
pub type BankAccountId = Id<kinds::BankAccount>;
/// `fbk_…`
pub type FirmbankingId = Id<kinds::Firmbanking>;
/// `wal_…`
pub type WalletId = Id<kinds::Wallet>;
/// `mcr_…`
pub type MoneyRequestId = Id<kinds::MoneyRequest>;
/// `txf_…`
pub type TransferId = Id<kinds::Transfer>;
/// `rmt_…`
pub type RemittanceId = Id<kinds::Remittance>;
/// `pmt_…`
pub type PaymentId = Id<kinds::Payment>;
/// `cnl_…`
pub type CancellationId = Id<kinds::Cancellation>;
/// `frc_…`
pub type FranchiseId = Id<kinds::Franchise>;
/// `stl_…`
pub type SettlementId = Id<kinds::Settlement>;

/// An identifier such as `mbr_01J…`: prefix, underscore, 26 characters of Crockford base 32.
pub struct Id<K> {
    bits: u128,
    kind: PhantomData<fn() -> K>,
}

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {0}_ and 26 characters")]
pub struct NotAnId(&'static str);

impl<K: IdKind> Id<K> {
    /// An id made of random bits.
    pub const fn from_random(bits: u128) -> Id<K> {
        Id { bits, kind: PhantomData }
    }

    /// The bits, for ids that carry a meaning in them.
    pub const fn bits(self) -> u128 {
        self.bits
    }

    /// The id that these parts always give. Parts are length-prefixed before hashing, so that moving a character
    /// from one part to the next gives another id; the prefix separates the kinds.
    pub fn derive(parts: &[&str]) -> Id<K> {
        let mut hash = Sha256::new();
        for part in [K::PREFIX].iter().chain(parts) {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut bits = [0; 16];
        bits.copy_from_slice(digest.split_at(16).0);
        Id::from_random(u128::from_be_bytes(bits))
    }
}

impl WalletId {
    /// A member's wallet: derived, so that nobody needs to look it up.
    pub fn of(member: MembershipId) -> WalletId {
        WalletId::derive(&["wallet", &member.to_string()])
    }
}

impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}_{}", K::PREFIX, Ulid::from(self.bits))
    }
}

impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl<K: IdKind> FromStr for Id<K> {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Id<K>, NotAnId> {
        let refused = NotAnId(K::PREFIX);
        let digits =
            text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_')).ok_or(refused.clone())?;
        let id = Ulid::from_string(digits)
            .map(|ulid| Id::from_random(ulid.into()))
            .map_err(|_| refused.clone())?;
        // The decoder also takes lower case and look-alike letters; one id has one spelling.
        if id.to_string() == text { Ok(id) } else { Err(refused) }
    }
}

impl<K: IdKind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id<K>, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<K: IdKind> JsonSchema for Id<K> {
    fn schema_name() -> Cow<'static, str> {
        format!("Id_{}", K::PREFIX).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": format!("^{}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$", K::PREFIX),
            "examples": [Id::<K>::derive(&["example"]).to_string()]
        })
    }
}

// Derives would ask the marker type for these traits, which it has no use for.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bits.cmp(&other.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_round_trip_as_text(bits: u128) {
            let id = MembershipId::from_random(bits);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.bits(), bits);
        }

        #[test]
        fn ids_sort_as_their_texts_do(a: u128, b: u128) {
            let (a, b) = (MembershipId::from_random(a), MembershipId::from_random(b));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(a < b, a.to_string() < b.to_string());
        }

        #[test]
        fn parts_do_not_run_into_each_other(a in "[a-z]{0,4}", b in "[a-z]{0,4}", c in "[a-z]{0,4}", d in "[a-z]{0,4}") {
            let same = (&a, &b) == (&c, &d);
            prop_assert_eq!(WalletId::derive(&[&a, &b]) == WalletId::derive(&[&c, &d]), same);
        }
    }

    #[test]
    fn only_the_one_spelling_of_an_id_is_read() {
        let good = MembershipId::derive(&["a"]).to_string();
        let other_kind = good.replace("mbr", "wal");
        for bad in [
            "",
            "mbr_",
            "mbr",
            &good.to_lowercase(),
            &other_kind,
            &good.replace("mbr_", "mbr-"),
            &format!("{good}0"),
        ] {
            assert!(bad.parse::<MembershipId>().is_err(), "{bad} was accepted");
        }
        assert!(good.parse::<MembershipId>().is_ok());
    }
}
