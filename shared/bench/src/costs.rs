//! The checked table of what each operation costs: shared/bench/costs.toml.
//!
//! Every run of the units is held against it. What has become dearer, or cheaper, or is new fails with a message that
//! says by how much and how to accept it, so that a cost changes only in a commit that shows the change.

use crate::{
    prices::Prices,
    runner::Row,
    tally::{Scope, aws_calls, units},
    units::{dollars, relayed},
};
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

const TABLE: &str = "shared/bench/costs.toml";
const HEAD: &str = "\
# What each operation costs, by case: DynamoDB's units, calls of AWS, dollars for a million (the relay's with them,
# compute without), events and messages. `make bench-units ACCEPT=1` writes it; `make test` and `make bench-units` fail
# if an operation costs anything else. A line that grows needs its reason in the commit that changes it.

";

/// What one case of one operation costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    write: f64,
    read: f64,
    calls: usize,
    events: usize,
    messages: usize,
    dollars: f64,
}

/// By operation and case.
type Table = BTreeMap<String, BTreeMap<String, Cost>>;

/// What was measured, as the table has it.
fn measured(rows: &[Row], prices: &Prices) -> Table {
    let mut table = Table::new();
    for row in rows {
        let spent = units(&row.spent, Scope::Request);
        let (events, messages) = relayed(&row.spent);
        let (request, relay) = dollars(row, prices);
        let cost = Cost {
            write: spent.writes(),
            read: spent.reads,
            calls: aws_calls(&row.spent, Scope::Request),
            events,
            messages,
            dollars: ((request + relay) * 1000.0).round() / 1000.0,
        };
        table.entry(row.operation.clone()).or_default().insert(row.case.clone(), cost);
    }
    table
}

/// Writes the table anew.
pub fn accept(root: &Path, rows: &[Row], prices: &Prices) -> Result<()> {
    fs::write(root.join(TABLE), render(&measured(rows, prices)))?;
    Ok(())
}

/// A line a case: a change is one line of a diff.
fn render(table: &Table) -> String {
    let mut text = HEAD.to_owned();
    for (operation, cases) in table {
        let _ = writeln!(text, "[\"{operation}\"]");
        for (case, Cost { write, read, calls, events, messages, dollars }) in cases {
            let _ = writeln!(
                text,
                "\"{case}\" = {{ write = {write:?}, read = {read:?}, calls = {calls}, events = {events}, \
                 messages = {messages}, dollars = {dollars:?} }}"
            );
        }
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

/// Fails, naming every difference, unless each operation costs what the table says.
pub fn check(root: &Path, rows: &[Row], prices: &Prices) -> Result<()> {
    let text = fs::read_to_string(root.join(TABLE)).with_context(|| format!("{TABLE} cannot be read"))?;
    let accepted: Table = toml::from_str(&text).with_context(|| format!("{TABLE} is not a table"))?;
    let differences = differences(&accepted, &measured(rows, prices));
    ensure!(
        differences.is_empty(),
        "{TABLE} says otherwise:\n{}\nIf that is meant: make bench-units ACCEPT=1, and say why in the commit.",
        differences.join("\n"),
    );
    Ok(())
}

fn differences(accepted: &Table, measured: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for (operation, cases) in measured {
        for (case, now) in cases {
            match accepted.get(operation).and_then(|cases| cases.get(case)) {
                None => found.push(format!("  {operation}, {case}: it is not in the table")),
                Some(before) if before != now => {
                    found.push(format!("  {operation}, {case}: {}", change(before, now)));
                }
                Some(_) => {}
            }
        }
    }
    for (operation, cases) in accepted {
        for case in cases.keys() {
            if measured.get(operation).is_none_or(|cases| !cases.contains_key(case)) {
                found.push(format!("  {operation}, {case}: it was not measured any more"));
            }
        }
    }
    found
}

/// `DEARER by 0.625 dollars a million (12.6 %): write units 5 → 6, …`
fn change(before: &Cost, now: &Cost) -> String {
    let count = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let figures = [
        ("write units", before.write, now.write),
        ("read units", before.read, now.read),
        ("calls", count(before.calls), count(now.calls)),
        ("events", count(before.events), count(now.events)),
        ("messages", count(before.messages), count(now.messages)),
    ];
    let changed: Vec<String> = figures
        .iter()
        .filter(|(_, before, now)| before != now)
        .map(|(name, before, now)| format!("{name} {before} → {now}"))
        .collect();
    let more = now.dollars - before.dollars;
    let share = if before.dollars > 0.0 { more / before.dollars * 100.0 } else { 100.0 };
    let direction = match more {
        more if more > 0.0 => "DEARER",
        more if more < 0.0 => "cheaper",
        _ => "as dear, otherwise spent",
    };
    format!("{direction} by {:.3} dollars a million ({share:+.1} %): {}", more.abs(), changed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units;

    fn table(write: f64, dollars: f64) -> Table {
        let cost = Cost { write, read: 1.5, calls: 6, events: 0, messages: 0, dollars };
        let cases = BTreeMap::from([("enough balance".to_owned(), cost)]);
        Table::from([("payment.requestPayment".to_owned(), cases)])
    }

    #[test]
    fn what_is_dearer_is_named_with_by_how_much() {
        assert_eq!(differences(&table(5.0, 5.0), &table(5.0, 5.0)), Vec::<String>::new());
        assert_eq!(
            differences(&table(5.0, 5.0), &table(6.0, 5.625)),
            [
                "  payment.requestPayment, enough balance: DEARER by 0.625 dollars a million (+12.5 %): write units 5 → 6"
            ]
        );
        assert!(differences(&table(6.0, 5.625), &table(5.0, 5.0))[0].contains("cheaper by 0.625"));
    }

    #[test]
    fn a_case_that_comes_or_goes_is_a_difference() {
        let empty = Table::new();
        assert!(differences(&empty, &table(5.0, 5.0))[0].ends_with("not in the table"));
        assert!(differences(&table(5.0, 5.0), &empty)[0].ends_with("not measured any more"));
    }

    #[test]
    fn the_table_is_read_as_it_was_written() {
        let table = table(5.0, 4.955);
        assert_eq!(toml::from_str::<Table>(&render(&table)).unwrap(), table);
    }

    /// Needs the engine, as shared/aws's tests do: `make dynoxide` installs it.
    #[test]
    fn no_operation_costs_other_than_the_table_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        if let Err(error) = runtime.block_on(units::check(root)) {
            panic!("{error:#}");
        }
    }
}
