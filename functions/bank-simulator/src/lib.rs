//! Development's external bank: another company's system, reached by HTTPS with an API key.
//!
//! It keeps accounts, honours transfer ids, answers inquiries and voids ids, as a bank's firm-banking interface does,
//! and can be told per account to decline, to be slow, to fall silent or to be down. It is a truthful stranger: it
//! knows nothing of Pay, and what it says has happened has happened. Everything in it is invented, so nothing is
//! sealed.

mod accounts;
mod domain;
mod find_account;
mod find_account_transfers;
mod find_transfer;
mod items;
mod make_transfer;
mod open_account;
mod set_account_mode;
mod verify_account;
mod void_transfer;

pub use accounts::OWN_BALANCE;
use contract::{Access, Api, Code, Service, problem::code};

/// The bank simulator's operations.
pub static SERVICE: Service = Service {
    name: "bank-simulator",
    summary: "Development's external bank",
    api: Api::Bank,
    indexes: &[],
    records: items::RECORDS,
    operations: &[
        open_account::OPERATION,
        find_account::OPERATION,
        verify_account::OPERATION,
        set_account_mode::OPERATION,
        find_account_transfers::OPERATION,
        make_transfer::OPERATION,
        find_transfer::OPERATION,
        void_transfer::OPERATION,
    ],
};

/// The secret with the API key of the bank's one client, and the number of that client's own account.
const SECRET: &str = "bank";
/// Every operation asks for the client's API key.
const ACCESS: Access = Access::ApiKey(SECRET);
/// An answer may be held back for as long as [`domain::MOST_DELAY_MILLIS`], within the gateway's 30 seconds.
const TIMEOUT_SECONDS: u32 = 20;

/// There is no such account.
static ACCOUNT_NOT_FOUND: Code = code(404, "account_not_found", "There is no such account.");
/// The number is taken by another holder.
static ACCOUNT_EXISTS: Code = code(409, "account_exists", "This number belongs to another holder.");
/// No transfer was ever seen under this id.
static TRANSFER_NOT_FOUND: Code = code(404, "transfer_not_found", "No transfer was seen under this id.");
/// The id was used with other terms.
static TRANSFER_TERMS_DIFFER: Code =
    code(409, "transfer_terms_differ", "This transfer id was used with other terms.");
/// The bank is down for this account.
static BANK_DOWN: Code = code(503, "bank_down", "The bank is down.");
/// Where a real bank would say nothing, a function must say something, after the caller has stopped listening.
static NO_ANSWER: Code = code(504, "no_answer", "The bank did not answer.");
