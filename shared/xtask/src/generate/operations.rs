//! infra/terraform/operations.json: what Terraform makes a function, its triggers and its grants from.
//!
//! The shape is Terraform's: every field is always there, so that the composition needs no defaults.

use contract::{Access, Api, Grant, Operation, Service, Trigger};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The whole document.
pub fn document(services: &[&Service]) -> Value {
    let subscribed: BTreeSet<&str> = services
        .iter()
        .flat_map(|service| service.operations)
        .flat_map(|operation| select(operation, fact))
        .collect();
    let operations = services.iter().flat_map(|service| {
        service.operations.iter().map(|item| (service.full_name(item), operation(service, item)))
    });
    json!({
        "services": services
            .iter()
            .map(|entry| (entry.name.to_owned(), service(entry, &subscribed)))
            .collect::<Map<String, Value>>(),
        "operations": operations.collect::<Map<String, Value>>(),
    })
}

fn service(service: &Service, subscribed: &BTreeSet<&str>) -> Value {
    let emitted: BTreeSet<&str> =
        service.operations.iter().flat_map(|operation| operation.emits).copied().collect();
    let indexes = service.indexes.iter().map(|index| {
        json!({
            "name": index.name,
            "partition": index.partition,
            "sort": index.sort,
            "projection": "ALL",
        })
    });
    json!({
        "binary": service.name,
        "api": if service.api == Api::Bank { "bank" } else { "pay" },
        "development_only": service.api == Api::Bank,
        "indexes": indexes.collect::<Vec<_>>(),
        // Only facts with subscribers are published: an event that nobody takes costs as much as one that is taken.
        "publishes": emitted.intersection(subscribed).collect::<Vec<_>>(),
    })
}

fn operation(service: &Service, operation: &Operation) -> Value {
    let (access, scopes) = access(operation.access);
    let subscribes = select(operation, fact);
    let routes = operation.routes().map(|(method, path)| json!({ "method": method.as_str(), "path": path }));
    let granted = |grant: Grant| operation.grants.contains(&grant);
    let table = [(Grant::ReadTable, "read"), (Grant::WriteTable, "write"), (Grant::ScanTable, "scan")];
    let secrets = |of: fn(&Grant) -> Option<&'static str>| operation.grants.iter().filter_map(of);
    let key = match operation.access {
        Access::ApiKey(secret) => Some(secret),
        _ => None,
    };
    json!({
        "service": service.name,
        "name": operation.name,
        "summary": operation.summary,
        "routes": routes.collect::<Vec<_>>(),
        "access": access,
        "scopes": scopes,
        "memory_mb": operation.memory_mb,
        "timeout_s": operation.timeout_seconds,
        "table": table.into_iter().filter(|(grant, _)| granted(*grant)).map(|(_, name)| name).collect::<Vec<_>>(),
        "secrets": {
            "read": secrets(read_secret).chain(key).collect::<BTreeSet<_>>(),
            "write": secrets(written_secret).collect::<BTreeSet<_>>(),
        },
        "publishes": granted(Grant::Publish),
        "calls": operation.calls,
        "emits": operation.emits,
        "enqueues": operation.grants.iter().filter_map(enqueued).collect::<Vec<_>>(),
        "queue": operation.triggers.contains(&Trigger::Queue) || !subscribes.is_empty(),
        "subscribes": subscribes,
        "schedule": select(operation, schedule).first(),
        "stream": operation.triggers.contains(&Trigger::Stream),
        "rotates": select(operation, rotated).first(),
        "step": operation.triggers.contains(&Trigger::Step),
        "workflows": operation.grants.iter().filter_map(started).collect::<Vec<_>>(),
    })
}

/// As the gateway sees it: an API key is checked by the function itself.
fn access(access: Access) -> (&'static str, Vec<&'static str>) {
    match access {
        Access::Public | Access::ApiKey(_) => ("public", Vec::new()),
        Access::Scopes(scopes) => ("scoped", scopes.iter().map(|scope| scope.as_str()).collect()),
        Access::Internal => ("internal", Vec::new()),
    }
}

fn select(operation: &Operation, of: fn(&Trigger) -> Option<&'static str>) -> Vec<&'static str> {
    operation.triggers.iter().filter_map(of).collect()
}

fn fact(trigger: &Trigger) -> Option<&'static str> {
    if let Trigger::Fact(name) = trigger { Some(name) } else { None }
}

fn schedule(trigger: &Trigger) -> Option<&'static str> {
    if let Trigger::Schedule(rate) = trigger { Some(rate) } else { None }
}

fn rotated(trigger: &Trigger) -> Option<&'static str> {
    if let Trigger::Rotation(secret) = trigger { Some(secret) } else { None }
}

fn read_secret(grant: &Grant) -> Option<&'static str> {
    if let Grant::ReadSecret(name) = grant { Some(name) } else { None }
}

fn written_secret(grant: &Grant) -> Option<&'static str> {
    if let Grant::WriteSecret(name) = grant { Some(name) } else { None }
}

fn started(grant: &Grant) -> Option<&'static str> {
    if let Grant::StartWorkflow(name) = grant { Some(name) } else { None }
}

/// The operation into whose queue a grant lets messages be put.
pub fn enqueued(grant: &Grant) -> Option<&'static str> {
    if let Grant::Enqueue(name) = grant { Some(name) } else { None }
}
