//! Membership's rules: pure functions without clock, randomness or I/O.
//!
//! Whatever depends on time or chance gets it as an argument, so that a test decides it.

pub mod email;
pub mod email_changes;
pub mod lockout;
pub mod password;
pub mod profile;
pub mod region;
pub mod session;
pub mod signing_keys;
pub mod tokens;

use contract::peers::WhatIsLeft;

/// What is wrong with one field of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which field: a JSON pointer such as `/email`.
    pub pointer: &'static str,
    /// For people; it never repeats what was given.
    pub detail: String,
}

impl Fault {
    /// A fault of this field.
    pub fn at(pointer: &'static str, detail: impl ToString) -> Fault {
        Fault { pointer, detail: detail.to_string() }
    }
}

/// Why an operation says no, in the order in which the rules are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Fields are not valid.
    Invalid(Vec<Fault>),
    /// The key was used with another request.
    KeyReused,
    /// Another member has this email.
    EmailTaken,
    /// If-Match names another version.
    Changed,
    /// Too many failed logins: so many seconds to wait.
    Locked(u32),
    /// Too many changes of email: so many seconds to wait.
    EmailChanged(u32),
    /// Email and password are not those of a member.
    WrongCredentials,
    /// Not a refresh token that can be used.
    UnknownToken,
    /// A refresh token came a second time: its session was ended.
    TokenReused,
    /// The member owns a franchise that is open.
    FranchiseOpen,
    /// A closed franchise of the member is still to be paid out.
    FranchiseUnsettled,
    /// The member's wallet cannot be closed.
    MoneyLeft(WhatIsLeft),
}
