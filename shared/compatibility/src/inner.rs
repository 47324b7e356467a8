//! What the two versions say to each other: facts, calls, messages in queues, items in tables.

use crate::{
    Finding,
    schema::{self, Side, Use},
    tree::Tree,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const OPERATIONS: &str = "infra/terraform/operations.json";

/// A published version of a fact is frozen: it may gain optional fields. It may go when nobody at the base publishes
/// it or listens to it.
pub fn facts(was: &Tree, is: &Tree) -> Vec<Finding> {
    let (old, new) = (was.folder("events/schemas"), is.folder("events/schemas"));
    let mut found = added(&old, &new);
    for (name, schema) in old {
        match new.get(name) {
            Some(now) => found.extend(compare(name, "data", schema, now, Use::Exchanged)),
            None => {
                let users = users(was, name);
                found.push(match users.is_empty() {
                    true => Finding::grows(name, "is gone, and nobody used it"),
                    false => Finding::breaks(name, format!("is gone, but was used by {}", list(&users))),
                });
            }
        }
    }
    found
}

/// Who publishes a fact or listens to it.
fn users(tree: &Tree, fact: &str) -> BTreeSet<String> {
    let names = |operation: &Value, key: &str| {
        operation[key].as_array().into_iter().flatten().any(|name| name == fact)
    };
    let uses = |operation: &Value| names(operation, "emits") || names(operation, "subscribes");
    entries(tree, "operations")
        .filter(|(_, operation)| uses(operation))
        .map(|(name, _)| name.clone())
        .collect()
}

/// Inputs and answers of direct calls, messages and steps. A caller of either version may meet a callee of either.
pub fn calls(was: &Tree, is: &Tree) -> Vec<Finding> {
    let (old, new) = (was.folder("events/calls"), is.folder("events/calls"));
    let mut found = added(&old, &new);
    for (name, call) in &old {
        // An operation that is gone altogether is found among the operations.
        let Some(now) = new.get(name) else { continue };
        found.extend(compare(name, "input", &call["input"], &now["input"], Use::Ordered));
        found.extend(compare(name, "answer", &call["answer"], &now["answer"], Use::Exchanged));
    }
    found
}

/// An operation may go when nothing can reach it any more: no caller of the base, no queue that may hold something,
/// no execution of a state machine that is under way. While it stays, its role and its rule serve both versions.
pub fn operations(was: &Tree, is: &Tree) -> Vec<Finding> {
    let new: BTreeMap<_, _> = entries(is, "operations").collect();
    let mut found = Vec::new();
    for (name, operation) in entries(was, "operations") {
        let Some(now) = new.get(name) else {
            let reasons = reached(was, name, operation);
            found.push(match reasons.is_empty() {
                true => Finding::grows(name, "is gone, and nothing could reach it but a route"),
                false => Finding::breaks(name, format!("is gone, but {}", list(&reasons))),
            });
            continue;
        };
        for (key, what) in [
            ("queue", "has no queue any more"),
            ("step", "is no step any more"),
            ("stream", "reads the stream no more"),
        ] {
            if operation[key] == true && now[key] != true {
                found.push(Finding::breaks(name, format!("{what}, and something may be under way to it")));
            }
        }
        found.extend(withdrawn(name, operation, now));
        found.extend(new_subscriptions(name, operation, now));
    }
    let known: BTreeSet<_> = entries(was, "operations").map(|(name, _)| name).collect();
    found.extend(new.keys().filter(|name| !known.contains(*name)).map(|name| Finding::grows(name, "is new")));
    found
}

/// What an operation may do no more. A role has no versions: it is changed by the apply, and until the canary has ended,
/// and after a roll-back, the old version runs with what is left of it.
fn withdrawn(name: &str, was: &Value, is: &Value) -> Vec<Finding> {
    // Whoever may write a secret may read it too.
    let may_read = |operation: &Value| {
        let mut names = members(operation, "/secrets/read");
        names.extend(members(operation, "/secrets/write"));
        names
    };
    let publishes = |operation: &Value| -> BTreeSet<String> {
        (operation["publishes"] == true).then(|| "facts".to_owned()).into_iter().collect()
    };
    let lists = [
        ("table", members(was, "/table"), members(is, "/table")),
        ("secrets", may_read(was), may_read(is)),
        ("secrets to be written", members(was, "/secrets/write"), members(is, "/secrets/write")),
        ("calls", members(was, "/calls"), members(is, "/calls")),
        ("enqueues", members(was, "/enqueues"), members(is, "/enqueues")),
        ("workflows", members(was, "/workflows"), members(is, "/workflows")),
        ("publishes", publishes(was), publishes(is)),
    ];
    let lost = lists.into_iter().map(|(what, old, new)| (what, list(&missing(&old, &new))));
    let lost = lost.filter(|(_, lost)| !lost.is_empty());
    lost.map(|(what, lost)| {
        let why = "and the version that is live runs with the same role: remove it in the next deployment";
        Finding::breaks(name, format!("{what}: {lost} is granted no more, {why}"))
    })
    .collect()
}

/// What comes to an operation that it did not listen to. Its rule is changed by the apply, and the version that is live
/// then takes what it does not know for a mistake: after five attempts it is among the dead letters.
fn new_subscriptions(name: &str, was: &Value, is: &Value) -> Vec<Finding> {
    let facts = missing(&members(is, "/subscribes"), &members(was, "/subscribes"));
    let told = |fact: &String| {
        let why = "and the version that is live would get it too: give it a handler of its own";
        Finding::breaks(name, format!("listens to {fact} now, {why}"))
    };
    facts.iter().map(told).collect()
}

/// The names in a list of an operation.
fn members(operation: &Value, pointer: &str) -> BTreeSet<String> {
    let list = operation.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What is in a list and not in another.
fn missing(here: &BTreeSet<String>, there: &BTreeSet<String>) -> BTreeSet<String> {
    here.difference(there).cloned().collect()
}

/// Why something may still come to an operation while the old version runs.
fn reached(tree: &Tree, name: &str, operation: &Value) -> BTreeSet<String> {
    let names =
        |other: &Value, key: &str| other[key].as_array().into_iter().flatten().any(|called| called == name);
    let callers = entries(tree, "operations")
        .filter(|(_, other)| names(other, "calls") || names(other, "enqueues"))
        .map(|(caller, _)| format!("{caller} calls it"));
    let ways = [
        ("queue", "its queue may hold something"),
        ("step", "an execution under way may come to it"),
        ("stream", "it reads its table's stream"),
    ];
    let ways = ways.into_iter().filter(|(key, _)| operation[*key] == true);
    callers.chain(ways.map(|(_, reason)| reason.to_owned())).collect()
}

/// Tables and indexes stay as they are; new ones may come.
pub fn tables(was: &Tree, is: &Tree) -> Vec<Finding> {
    let new: BTreeMap<_, _> = entries(is, "services").collect();
    let indexes = |service: &Value| -> BTreeMap<String, Value> {
        let list = service["indexes"].as_array().cloned().unwrap_or_default();
        let name = |index: &Value| index.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        list.into_iter().map(|index| (name(&index), index)).collect()
    };
    let mut found = Vec::new();
    for (name, service) in entries(was, "services") {
        let Some(now) = new.get(name) else {
            found.push(Finding::breaks(name, "is gone, and its table with it"));
            continue;
        };
        let (old, new) = (indexes(service), indexes(now));
        for (index, described) in &old {
            match new.get(index) {
                Some(now) if now == described => {}
                Some(_) => {
                    found.push(Finding::breaks(name, format!("index {index} is another: give it a new name")))
                }
                None => found.push(Finding::breaks(
                    name,
                    format!("index {index} is gone, and the old version reads it"),
                )),
            }
        }
        let added = new.keys().filter(|index| !old.contains_key(*index));
        found.extend(added.map(|index| Finding::grows(name, format!("index {index} is new"))));
    }
    let known: BTreeSet<_> = entries(was, "services").map(|(name, _)| name).collect();
    found.extend(
        new.keys()
            .filter(|name| !known.contains(*name))
            .map(|name| Finding::grows(name, "has a table of its own")),
    );
    found
}

/// Items that a released version has written stay in events/items, where a test reads each with the present records.
pub fn items(was: &Tree, is: &Tree) -> Vec<Finding> {
    let (old, new) = (was.folder("events/items"), is.folder("events/items"));
    let mut found = added(&old, &new);
    for (kind, forms) in &old {
        let now = new.get(kind).and_then(|forms| forms.as_array()).cloned().unwrap_or_default();
        let was = forms.as_array().cloned().unwrap_or_default();
        let gone = was.iter().filter(|form| !now.contains(form)).count();
        let added = now.iter().filter(|form| !was.contains(form)).count();
        if added > 0 {
            found.push(Finding::grows(kind, format!("has {added} new forms")));
        }
        if gone > 0 {
            let what = format!(
                "{gone} of its stored forms are gone or changed: tables may hold such items for ever"
            );
            found.push(Finding::breaks(kind, what));
        }
    }
    found
}

fn compare(subject: &str, at: &str, was: &Value, is: &Value, used: Use) -> Vec<Finding> {
    schema::compare(subject, at, Side { document: was, schema: was }, Side { document: is, schema: is }, used)
}

fn entries<'a>(tree: &'a Tree, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    tree.file(OPERATIONS).get(key).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn added(old: &BTreeMap<&str, &Value>, new: &BTreeMap<&str, &Value>) -> Vec<Finding> {
    new.keys().filter(|name| !old.contains_key(*name)).map(|name| Finding::grows(name, "is new")).collect()
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}
