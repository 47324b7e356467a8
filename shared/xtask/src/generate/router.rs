//! The router of `cargo lambda watch`: which binary answers a route on a laptop.
//!
//! There a binary has no operation's name and picks the operation by method and path, over the same table.

use contract::{Method, Service};
use std::{collections::BTreeMap, fmt::Write as _};

/// The table as TOML.
pub fn table(services: &[&Service]) -> String {
    let mut paths: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for service in services {
        for (method, path) in service.operations.iter().flat_map(|operation| operation.routes()) {
            if method != Method::Any {
                let entry =
                    format!("{{ method = \"{}\", function = \"{}\" }}", method.as_str(), service.name);
                paths.entry(path).or_default().push(entry);
            }
        }
    }
    let mut table = "[package.metadata.lambda.watch.router]\n".to_owned();
    for (path, entries) in paths {
        let _ = writeln!(table, "\"{path}\" = [{}]", entries.join(", "));
    }
    table
}
