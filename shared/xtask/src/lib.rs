//! Writes what follows from the services' tables of operations, and holds the tree to its rules.
//!
//! `make generate` writes everything that [`generate::outputs`] lists; the tests of this crate fail when one of them
//! is stale. The rules of the tree are in tests/tidy.rs.

pub mod generate;

use contract::{Operation, Service};
use heck::ToSnakeCase as _;
use std::path::{Path, PathBuf};

/// Every service. docs/adding-an-operation.md lists where else a new service is named.
pub static SERVICES: &[&Service] = &[
    &membership::SERVICE,
    &banking::SERVICE,
    &money::SERVICE,
    &money_query::SERVICE,
    &franchise::SERVICE,
    &remittance::SERVICE,
    &payment::SERVICE,
    &settlement::SERVICE,
    &bank_simulator::SERVICE,
];

/// The project's root folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_path_buf()
}

/// The file of an operation, from the project's root.
pub fn file_of(service: &Service, operation: &Operation) -> String {
    format!("functions/{}/src/{}.rs", service.name, operation.name.to_snake_case())
}
