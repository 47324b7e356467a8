//! Franchise's rules: pure, without clock, randomness or I/O.

pub mod details;
pub mod fees;

pub use details::{Contact, Name};

/// Why an operation says no, in the order in which the rules are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A member who is no operator names a fee.
    FeeByMerchant,
    /// A field is not valid: which one, and what it must be.
    Invalid(&'static str, String),
    /// The key was used with another request.
    KeyReused,
    /// The franchise is closed.
    Closed,
    /// If-Match names another version.
    Changed,
    /// So many changes of the fee are planned or still needed that there is no room for another.
    TooManyFees,
    /// The bank account is not linked, or not the owner's.
    NoSuchBankAccount,
    /// The owner is no member any more.
    OwnerLeft,
}
