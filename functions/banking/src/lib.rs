//! Banking: members' bank accounts, and transfers at the external bank.

use contract::{Api, Service};

/// Banking's operations.
pub static SERVICE: Service = Service {
    name: "banking",
    summary: "Bank accounts, and transfers at the external bank",
    api: Api::Pay,
    indexes: &[],
    operations: &[],
};
