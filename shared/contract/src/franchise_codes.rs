//! Why a franchise takes nothing. Who sells and who pays are refused alike, so the codes are everybody's.

use crate::{Code, problem::code};

/// A closed franchise stays as it is, and takes no payments.
pub static FRANCHISE_CLOSED: Code = code(409, "franchise_closed", "The franchise is closed.");
/// There is no such franchise.
pub static FRANCHISE_NOT_FOUND: Code = code(422, "franchise_not_found", "There is no such franchise.");
