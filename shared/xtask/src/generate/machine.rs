//! The picture of settlement's state machine, and the list of its states, from the file that Terraform deploys.

use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

/// The file, from the project's root.
pub const FILE: &str = "infra/terraform/settlement.asl.json";

/// The machine as it stands in its file.
pub fn read(root: &Path) -> Result<Value> {
    let text = fs::read_to_string(root.join(FILE)).with_context(|| format!("reading {FILE}"))?;
    serde_json::from_str(&text).with_context(|| format!("{FILE} is not JSON"))
}

/// The operations that a machine names as its steps, by full name.
pub fn steps(machine: &Value) -> BTreeSet<String> {
    let states = in_order(machine).into_iter().map(|(_, state)| state);
    let own = states.flat_map(|state| match state.get("ItemProcessor") {
        Some(inner) => steps(inner),
        None => {
            let step = state.pointer("/Arguments/Payload/step").and_then(Value::as_str);
            step.map(str::to_owned).into_iter().collect()
        }
    });
    own.collect()
}

/// The picture in Mermaid, and a table of all states.
pub fn picture(machine: &Value) -> String {
    let mut text = String::from("\n```mermaid\nstateDiagram-v2\n");
    draw(machine, 1, &mut text);
    text.push_str("```\n\n| state | is a | why |\n|---|---|---|\n");
    list(machine, &mut text);
    text.push('\n');
    text
}

/// A machine's states in the order in which they are reached.
fn in_order(machine: &Value) -> Vec<(&str, &Value)> {
    let mut found: Vec<(&str, &Value)> = Vec::new();
    let mut waiting: Vec<&str> = machine["StartAt"].as_str().into_iter().collect();
    while let Some(name) = waiting.pop() {
        if found.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let Some(state) = machine.get("States").and_then(|states| states.get(name)) else { continue };
        found.push((name, state));
        waiting.extend(ways(state).into_iter().rev().map(|(next, _)| next));
    }
    found
}

/// Where a state leads, and when.
fn ways(state: &Value) -> Vec<(&str, Option<String>)> {
    let mut ways = Vec::new();
    for rule in state["Choices"].as_array().into_iter().flatten() {
        let condition = rule["Condition"].as_str().map(|text| plain(text).to_owned());
        ways.extend(rule["Next"].as_str().map(|next| (next, condition)));
    }
    ways.extend(state["Default"].as_str().map(|next| (next, Some("otherwise".to_owned()))));
    ways.extend(state["Next"].as_str().map(|next| (next, None)));
    for catcher in state["Catch"].as_array().into_iter().flatten() {
        ways.extend(catcher["Next"].as_str().map(|next| (next, Some("fails".to_owned()))));
    }
    ways
}

/// An expression without its brackets.
fn plain(text: &str) -> &str {
    text.trim_start_matches("{%").trim_end_matches("%}").trim()
}

fn draw(machine: &Value, depth: usize, text: &mut String) {
    let indent = "    ".repeat(depth);
    let mut line = |words: String| {
        let _ = writeln!(text, "{indent}{words}");
    };
    line(format!("[*] --> {}", machine["StartAt"].as_str().unwrap_or_default()));
    for (name, state) in in_order(machine) {
        for (next, when) in ways(state) {
            line(match when {
                Some(when) => format!("{name} --> {next}: {when}"),
                None => format!("{name} --> {next}"),
            });
        }
        if state["End"] == true || state["Type"] == "Succeed" {
            line(format!("{name} --> [*]"));
        }
    }
    for (name, state) in in_order(machine) {
        if let Some(inner) = state.get("ItemProcessor") {
            let _ = writeln!(text, "{indent}state \"{name}: {}\" as {name} {{", each(state));
            draw(inner, depth.saturating_add(1), text);
            let _ = writeln!(text, "{indent}}}");
        }
    }
}

/// What a map does how often.
fn each(state: &Value) -> String {
    let items = match state["Items"].as_array() {
        Some(items) => format!("each of {}", items.len()),
        None => "each of a page".to_owned(),
    };
    let kind = state.pointer("/ItemProcessor/ProcessorConfig/ExecutionType").and_then(Value::as_str);
    let kind = kind.map_or(String::new(), |kind| format!(" in {} children", kind.to_lowercase()));
    format!("{items}{kind}, {} at once", state["MaxConcurrency"])
}

fn list(machine: &Value, text: &mut String) {
    for (name, state) in in_order(machine) {
        let kind = state["Type"].as_str().unwrap_or_default().to_lowercase();
        let _ = writeln!(text, "| {name} | {kind} | {} |", state["Comment"].as_str().unwrap_or_default());
        if let Some(inner) = state.get("ItemProcessor") {
            list(inner, text);
        }
    }
}
