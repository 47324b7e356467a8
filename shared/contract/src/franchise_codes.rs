//! Why a franchise takes nothing. Who sells and who pays are refused alike, so the codes are everybody's.

use crate::{Code, problem::code};

/// A closed franchise takes no payments, and no change but of the account that it is paid out to.
pub static FRANCHISE_CLOSED: Code = code(409, "franchise_closed", "The franchise is closed.");
/// There is no such franchise.
pub static FRANCHISE_NOT_FOUND: Code = code(422, "franchise_not_found", "There is no such franchise.");
