//! The rules of the tree, each as a test that names what breaks it.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test ends where it is surprised"
)]

use contract::{Access, Api, Method, Operation, Service, Trigger, problem};
use proc_macro2::TokenTree;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};
use syn::{Attribute, Ident, visit::Visit};
use xtask::{SERVICES, file_of, generate::operations::enqueued, root};

/// Every secret: a service's own key, the token signing keys, and what the bank knows Pay by.
const SECRETS: &[&str] = &[
    "membership-key",
    "banking-key",
    "money-key",
    "franchise-key",
    "remittance-key",
    "payment-key",
    "settlement-key",
    "signing-keys",
    "bank",
];

fn operations() -> impl Iterator<Item = (&'static Service, &'static Operation, String)> {
    SERVICES.iter().flat_map(|service| {
        service.operations.iter().map(|operation| (*service, operation, service.full_name(operation)))
    })
}

fn find(full_name: &str) -> Option<&'static Operation> {
    operations().find(|(_, _, name)| name == full_name).map(|(_, operation, _)| operation)
}

fn fact(trigger: &Trigger) -> Option<&'static str> {
    if let Trigger::Fact(name) = trigger { Some(name) } else { None }
}

/// Every text file below a folder, with its path from the project's root.
fn texts(folder: &str) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if path.is_dir() && !hidden && !["target", "__pycache__"].iter().any(|name| path.ends_with(name))
            {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let place = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
                texts.push((place, text));
            }
        }
    }
    texts
}

#[test]
fn every_service_and_every_operation_file_is_listed() {
    let listed: BTreeSet<_> = SERVICES.iter().map(|service| service.name.to_owned()).collect();
    let folders = fs::read_dir(root().join("functions")).unwrap();
    let crates: BTreeSet<_> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(crates, listed.union(&BTreeSet::from(["bootstrap".to_owned()])).cloned().collect());

    let files: BTreeSet<_> =
        operations().map(|(service, operation, _)| file_of(service, operation)).collect();
    let declares = |text: &str| text.contains("pub const OPERATION: Operation");
    let found = texts("functions").into_iter().filter(|(_, text)| declares(text)).map(|(path, _)| path);
    assert_eq!(
        found.collect::<BTreeSet<_>>(),
        files,
        "one operation a file, named after it, listed in lib.rs"
    );
    for (service, operation, name) in operations() {
        let text = fs::read_to_string(root().join(file_of(service, operation))).unwrap();
        assert!(text.contains(&format!("name: \"{}\"", operation.name)), "{name} is declared elsewhere");
        assert!(text.starts_with("//! "), "{name}'s file begins without a word about it");
        assert!(
            !operation.summary.is_empty() && !operation.summary.ends_with('.'),
            "{name}: summary is a line without full stop"
        );
    }
}

#[test]
fn services_and_what_they_stand_on_know_no_aws() {
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    let output = { cargo }.args(arguments).current_dir(root()).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let pure = ["kernel", "store", "events", "contract", "simulation"].contains(&name);
        if !pure && !SERVICES.iter().any(|service| service.name == name) {
            continue;
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let dependency = dependency["name"].as_str().unwrap();
            // aws-lc-rs is a library of cryptography; it knows nothing of the cloud.
            let cloud = dependency == "aws"
                || ["aws-", "aws_", "lambda_"].iter().any(|prefix| dependency.starts_with(prefix));
            assert!(!cloud || dependency == "aws-lc-rs", "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn every_operation_is_exercised_by_a_test() {
    for service in SERVICES {
        let mut tests = texts(&format!("functions/{}/tests", service.name));
        tests.extend(texts("tests"));
        let untested = service
            .operations
            .iter()
            .filter(|operation| !tests.iter().any(|(_, text)| calls(text, service, operation)));
        let names: Vec<_> = untested.map(|operation| operation.name).collect();
        assert!(names.is_empty(), "no test of {} calls {names:?} by name or route", service.name);
    }
}

/// Whether a test's text calls the operation: directly by its name, by the relay of the test bench, or by its route.
fn calls(text: &str, service: &Service, operation: &Operation) -> bool {
    let literals: Vec<_> = text.split(['"', '\'', '`']).collect();
    let literal = |wanted: &str| literals.contains(&wanted);
    if literal(operation.name) || operation.name == "relayOutbox" && text.contains(".relay()") {
        return true;
    }
    operation.routes().any(|(method, path)| {
        let others: Vec<_> =
            service.operations.iter().flat_map(Operation::routes).map(|(_, other)| other).collect();
        let fits = |literal: &&str| {
            let asked = literal.split('?').next().unwrap_or_default();
            let same = |(wanted, segment): (&str, &str)| {
                wanted == segment || wanted.starts_with('{') && !segment.is_empty()
            };
            let alike = asked.split('/').count() == path.split('/').count()
                && path.split('/').zip(asked.split('/')).all(same);
            asked == path || alike && !others.contains(&asked)
        };
        let anything = path == "$default" && text.contains("unknown_path");
        anything || literal(method.as_str()) && literals.iter().any(fits)
    })
}

/// Whether it is a fact's handler, which has the fact's name in every service that listens.
fn listens(operation: &Operation) -> bool {
    operation.triggers.iter().any(|trigger| matches!(trigger, Trigger::Fact(_)))
}

#[test]
fn no_two_operations_share_a_name_or_a_route() {
    let mut taken = BTreeMap::new();
    for (service, operation, name) in operations() {
        assert!(
            ["relayOutbox", "republish", "readFacts"].contains(&operation.name)
                || listens(operation)
                || taken.insert(operation.name.to_owned(), name.clone()).is_none(),
            "{name} is named twice"
        );
        for (method, path) in operation.routes() {
            let shape: Vec<_> =
                path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect();
            let route = format!("{:?} {} {}", service.api == Api::Bank, method.as_str(), shape.join("/"));
            assert_eq!(taken.insert(route, name.clone()), None, "{name} takes a route that is taken");
        }
    }
}

#[test]
fn every_target_of_a_call_or_message_takes_it() {
    for (_, operation, name) in operations() {
        for target in operation.calls {
            let found = find(target).unwrap_or_else(|| panic!("{name} calls {target}, which is not there"));
            assert!(found.triggers.contains(&Trigger::Call), "{name} calls {target}, which takes no calls");
        }
        for target in operation.grants.iter().filter_map(enqueued) {
            let found =
                find(target).unwrap_or_else(|| panic!("{name} enqueues {target}, which is not there"));
            assert!(found.triggers.contains(&Trigger::Queue), "{name} enqueues {target}, which has no queue");
        }
    }
}

#[test]
fn the_state_machine_names_every_step_and_every_step_is_in_it() {
    let named = xtask::generate::machine::steps(&xtask::generate::machine::read(&root()).unwrap());
    assert!(!named.is_empty(), "a machine without steps");
    let steps: BTreeSet<_> = operations()
        .filter(|(_, operation, _)| operation.triggers.contains(&Trigger::Step))
        .map(|(_, _, name)| name)
        .collect();
    // The machine may be there before its service is, and never the other way round.
    if SERVICES.iter().any(|service| service.name == "settlement") {
        assert_eq!(steps, named);
    } else {
        assert!(steps.is_empty(), "{steps:?} belong to no machine");
    }
}

#[test]
fn every_fact_has_an_emitter_and_no_chain_of_facts_comes_back() {
    let known: BTreeSet<_> = events::ALL.iter().map(|fact| fact.name).collect();
    let emitted: BTreeSet<_> = operations().flat_map(|(_, operation, _)| operation.emits).copied().collect();
    assert_eq!(emitted, known, "facts that are emitted, and facts that there are");
    for (service, operation, name) in operations() {
        for fact in operation.emits {
            assert!(
                fact.starts_with(&format!("{}.", service.name)),
                "{name} emits {fact} of another service"
            );
        }
        for fact in operation.triggers.iter().filter_map(fact) {
            assert!(emitted.contains(fact), "{name} waits for {fact}, which nobody emits");
        }
    }

    // What an operation sets going by its facts. A call is no link of such a chain: it repeats under its reference
    // and then commits nothing new, and a queue's delayed retries end by the state that they find.
    let next = |operation: &'static Operation| -> BTreeSet<String> {
        let woken = |trigger: &Trigger| fact(trigger).is_some_and(|fact| operation.emits.contains(&fact));
        operations()
            .filter(|(_, other, _)| other.triggers.iter().any(woken))
            .map(|(_, _, name)| name)
            .collect()
    };
    let mut left: BTreeMap<_, _> = operations().map(|(_, operation, name)| (name, next(operation))).collect();
    while let Some(end) = left.iter().find(|(_, next)| next.is_empty()).map(|(name, _)| name.clone()) {
        left.remove(&end);
        left.values_mut().for_each(|next| next.retain(|name| *name != end));
    }
    assert!(left.is_empty(), "these set one another going for ever: {left:?}");
}

#[test]
fn declarations_keep_to_the_rules() {
    for (_, operation, name) in operations() {
        let routed = operation.routes().next().is_some();
        assert_eq!(routed, operation.access != Access::Internal, "{name}: who may call its route?");
        assert!(!routed || operation.timeout_seconds <= 20, "{name}: the gateway gives up at 30 seconds");
        let fallback = operation.routes().any(|(method, _)| method == Method::Any);
        assert!(fallback || !operation.answers.is_empty(), "{name} never succeeds");
        let schedules = operation.triggers.iter().filter(|trigger| matches!(trigger, Trigger::Schedule(_)));
        assert!(schedules.count() <= 1, "{name} has two schedules: Terraform makes one");
        for code in operation.refuses {
            let snake = code.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(snake && (400..600).contains(&code.status), "{name}: {} is not a code", code.code);
        }
        if operation.routes().any(|(method, _)| method == Method::Patch) {
            let stale = operation.refuses.contains(&&problem::PRECONDITION_FAILED);
            assert!(stale, "{name} modifies and must hold If-Match: PRECONDITION_FAILED");
        }
    }
    let document = xtask::generate::operations::document(SERVICES);
    for (name, operation) in document["operations"].as_object().unwrap() {
        for secret in ["read", "write"].iter().flat_map(|way| operation["secrets"][way].as_array().unwrap()) {
            assert!(
                SECRETS.contains(&secret.as_str().unwrap()),
                "{name} is granted {secret}, which is not there"
            );
        }
    }
}

#[test]
fn codes_mean_one_thing() {
    let mut known = BTreeMap::new();
    for code in operations().flat_map(|(_, operation, _)| operation.refuses) {
        let first = known.insert(code.code, *code);
        assert!(first.is_none_or(|first| first == *code), "{} has two meanings", code.code);
    }
}

#[test]
fn nothing_is_left_to_do() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let folders = ["functions", "shared", "infra", "events", "docs", "tests"];
    for (path, text) in folders.into_iter().flat_map(texts) {
        let generated = Path::new(&path).extension().is_some_and(|kind| kind == "json");
        for mark in marks.iter().filter(|_| !generated) {
            assert!(!text.contains(mark), "{path} says {mark}");
        }
    }
}

/// What a file's own code logs: the names of each line's fields.
#[derive(Default)]
struct LogLines(Vec<Vec<String>>);

impl<'ast> Visit<'ast> for LogLines {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let is_test = |attribute: &Attribute| {
            attribute.path().is_ident("cfg") && attribute.parse_args::<Ident>().is_ok_and(|of| of == "test")
        };
        if !module.attrs.iter().any(is_test) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.segments.first().is_some_and(|segment| segment.ident == "tracing") {
            let tokens: Vec<_> = call.tokens.clone().into_iter().collect();
            let is = |token: &TokenTree, mark| matches!(token, TokenTree::Punct(is) if is.as_char() == mark);
            let arguments = tokens.split(|token| is(token, ','));
            let names = arguments.filter_map(|argument| {
                let name = argument.split(|token| is(token, '=')).next()?;
                let is_text = name.iter().all(|token| matches!(token, TokenTree::Literal(_)));
                let words = name.iter().filter(|token| !is(token, '%') && !is(token, '?'));
                (!is_text).then(|| words.map(ToString::to_string).collect())
            });
            self.0.push(names.collect());
        }
    }
}

#[test]
fn log_lines_have_no_other_fields_than_those_declared() {
    let known: BTreeSet<_> = contract::log::FIELDS.iter().map(|field| field.name).collect();
    let mut seen = 0;
    for (path, text) in texts("functions").into_iter().chain(texts("shared")) {
        if !path.ends_with(".rs") || path.contains("simulation") || path.contains("/tests/") {
            continue;
        }
        let mut lines = LogLines::default();
        lines.visit_file(&syn::parse_file(&text).unwrap());
        seen += lines.0.len();
        for field in lines.0.iter().flatten() {
            assert!(
                known.contains(field.as_str()) || field == "metrics",
                "{path} logs {field}, which shared/contract/src/log.rs does not declare"
            );
        }
    }
    assert!(seen > 25, "only {seen} lines were found");
}

#[test]
fn the_fields_and_metrics_of_the_log_are_documented() {
    let document = fs::read_to_string(root().join("docs/observability.md")).unwrap();
    for field in contract::log::FIELDS {
        let always = if field.always { "always" } else { "" };
        let row = format!("| `{}` | {always} | {} |", field.name, field.about);
        assert!(document.contains(&row), "docs/observability.md lacks: {row}");
    }
    for metric in contract::log::METRICS {
        let dimensions: Vec<_> = metric.dimensions.iter().map(|name| format!("`{name}`")).collect();
        let row = format!("| `{}` | {} |", metric.name, dimensions.join(", "));
        assert!(document.contains(&row), "docs/observability.md lacks a row that begins: {row}");
    }
}
