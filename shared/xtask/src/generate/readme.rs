//! README's tables of operations, one per service.

use contract::{Access, Operation, Service, Trigger};
use std::fmt::Write as _;

/// The tables in Markdown.
pub fn tables(services: &[&Service]) -> String {
    let mut text = String::new();
    for service in services {
        let _ = write!(text, "\n### {}\n\n{}.\n\n", service.name, service.summary.trim_end_matches('.'));
        text.push_str("| operation | set going by | access | what it does |\n|---|---|---|---|\n");
        for operation in service.operations {
            let file = crate::file_of(service, operation);
            let triggers: Vec<_> = operation.triggers.iter().map(trigger).collect();
            let (access, summary) = (access(operation), operation.summary);
            let name = operation.name;
            let _ = writeln!(text, "| [{name}]({file}) | {} | {access} | {summary} |", triggers.join("<br>"));
        }
    }
    text.push('\n');
    text
}

fn trigger(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Route(method, path) => format!("`{} {path}`", method.as_str()),
        Trigger::Call => "call".to_owned(),
        Trigger::Fact(name) => format!("fact `{name}`"),
        Trigger::Queue => "its queue".to_owned(),
        Trigger::Schedule(rate) => format!("schedule `{rate}`"),
        Trigger::Stream => "the table's stream".to_owned(),
        Trigger::Rotation(secret) => format!("rotation of `{secret}`"),
        Trigger::Step => "a step".to_owned(),
    }
}

fn access(operation: &Operation) -> String {
    match operation.access {
        Access::Public => "public".to_owned(),
        Access::Scopes(scopes) => scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", "),
        Access::ApiKey(_) => "API key".to_owned(),
        Access::Internal => "internal".to_owned(),
    }
}
