//! Bills: what a payment, a recharge and a remittance cost line by line, for a million of them, in docs/cost.md.
//!
//! Units, requests, events and messages are counted; what a count cannot know (milliseconds, log bytes) is assumed, and
//! the assumptions stand in prices.toml. Consumers of the facts are in the bill of the request that made them.

use crate::{
    prices::Prices,
    report::{Grid, count},
    runner::{Row, Runner},
    scenarios::{money, payment, remittance},
    tally::{Callee, Scope, Spent, aws_calls, units},
    world::SERVICES,
};
use anyhow::{Context as _, Result};
use contract::Trigger;
use std::collections::BTreeSet;

/// What a handler does with a fact of this request: the row that shows it.
const HANDLED: &[(&str, &str, &str, &str)] = &[
    // A payment is counted as a withdrawal is: one wallet of a member, whose money has left it.
    (payment::PAY, "money-query.onCountedFact", "money-query.onCountedFact", "a withdrawal"),
    (
        money::RECHARGE,
        "money-query.onCountedFact",
        "money-query.onCountedFact",
        "a recharge that was counted",
    ),
    (money::RECHARGE, "money.onFirmbankingSucceeded", "money.onFirmbankingFailed", "already done"),
    (
        remittance::REMIT,
        "money-query.onCountedFact",
        "money-query.onCountedFact",
        "a transfer, one wallet new",
    ),
];

/// One function's run: where, and how long it is billed for.
struct Run {
    memory_mb: u32,
    milliseconds: f64,
}

/// A bill as it grows. All dollars are for a million.
#[derive(Default)]
struct Bill {
    lines: Vec<(String, f64, f64)>,
}

impl Bill {
    fn add(&mut self, what: impl Into<String>, how_many: f64, dollars: f64) {
        if how_many > 0.0 {
            self.lines.push((what.into(), how_many, dollars));
        }
    }

    fn sum(&self) -> f64 {
        self.lines.iter().map(|(_, how_many, dollars)| how_many * dollars).sum()
    }

    /// What each line is: how many, at which price, and dollars.
    fn markdown(&self, title: &str) -> String {
        let mut grid = Grid::new(&["of a million", "each", "$ / million", "$"], 1);
        for (what, how_many, dollars) in &self.lines {
            let rounded = count((how_many * 10_000.0).round() / 10_000.0);
            grid.row([what.clone(), rounded, format!("{dollars:.4}"), format!("{:.2}", how_many * dollars)]);
        }
        grid.row(["**sum**".to_owned(), String::new(), String::new(), format!("**{:.2}**", self.sum())]);
        format!("### {title}\n\n{}", grid.markdown())
    }
}

/// The bills, and a payment's against a usual stack's.
pub fn bills(runner: &Runner, prices: &Prices) -> Result<String> {
    let pay = bill(runner, prices, payment::PAY, payment::ENOUGH)?;
    let recharge = bill(runner, prices, money::RECHARGE, money::FULL_PAGE)?;
    let remit = bill(runner, prices, remittance::REMIT, remittance::FAST)?;
    let mut usual = Bill::default();
    for (what, dollars) in &prices.usual {
        usual.add(what.clone(), 1.0, *dollars);
    }
    let counting: f64 = {
        let row = runner.row("money-query.onCountedFact", "a withdrawal")?;
        prices.calls(&row.spent, Scope::Request)
    };
    let alone = pay.sum() - counting;
    let parts = [
        pay.markdown("A payment with enough balance"),
        recharge.markdown("A recharge from the bank"),
        remit.markdown("A remittance to a member"),
        usual.markdown("The same payment on a usual stack"),
        format!(
            "A payment here costs {:.2} dollars a million, **{:.2} times** the usual stack's {:.2}. {:.2} of it are the units\nof \
             the regions' sums, which the usual stack does not have: without them {:.2}, **{:.2} times** as much.\n",
            pay.sum(),
            pay.sum() / usual.sum(),
            usual.sum(),
            counting,
            alone,
            alone / usual.sum(),
        ),
        assumed(prices),
    ];
    Ok(parts.join("\n"))
}

fn assumed(prices: &Prices) -> String {
    let assumptions = &prices.assumptions;
    format!(
        "Assumed: {} ms for a call of AWS, {} ms beside the calls for an invocation, {} ms for the bank, {} bytes of log \
         for an\ninvocation; a relay and a queue run once for each request, which batches make less.",
        assumptions.call_milliseconds,
        assumptions.invocation_milliseconds,
        assumptions.bank_milliseconds,
        assumptions.log_bytes,
    )
}

fn bill(runner: &Runner, prices: &Prices, operation: &str, case: &str) -> Result<Bill> {
    let row = runner.row(operation, case)?;
    let mut runs = runs(row, prices)?;
    let own_requests = number(runs.len());
    let mut bill = Bill::default();
    bill.add(
        "gateway's request",
        if row.is_http { 1.0 } else { 0.0 },
        prices.http_request.dollars_per_million,
    );
    bill.add("function requests", own_requests, prices.lambda_request.dollars_per_million);
    bill.add("GB-seconds of them", gb_seconds(&runs), prices.lambda_gb_second.dollars_per_million);
    let own = units(&row.spent, Scope::Request);
    bill.add("write units", own.writes(), prices.write_unit.dollars_per_million);
    bill.add("read units", own.reads, prices.read_unit.dollars_per_million);

    let relays = relays(row, prices)?;
    bill.add("relays' requests", number(relays.len()), prices.lambda_request.dollars_per_million);
    bill.add("GB-seconds of them", gb_seconds(&relays), prices.lambda_gb_second.dollars_per_million);
    let facts = facts(row);
    bill.add("facts: events", number(facts.len()), prices.event.dollars_per_million);
    let consumers: Vec<String> =
        consumers(&facts).into_iter().filter(|name| !is_of_others(operation, name)).collect();
    let heard = number(consumers.len());
    bill.add("queues: sent, received, deleted", 3.0 * heard, prices.queue_request.dollars_per_million);
    bill.add("consumers' requests", heard, prices.lambda_request.dollars_per_million);
    let mut handling = Vec::new();
    let (mut writes, mut reads) = (0.0, 0.0);
    for consumer in &consumers {
        let known = HANDLED.iter().find(|(request, name, ..)| *request == operation && name == consumer);
        let row = known.map(|(_, _, shown, case)| runner.row(shown, case)).transpose()?;
        let spent = row.map(|row| row.spent.as_slice()).unwrap_or_default();
        let spent_units = units(spent, Scope::Request);
        (writes, reads) = (writes + spent_units.writes(), reads + spent_units.reads);
        handling.push(run(consumer, spent, prices)?);
    }
    bill.add("GB-seconds of them", gb_seconds(&handling), prices.lambda_gb_second.dollars_per_million);
    bill.add("write units of them", writes, prices.write_unit.dollars_per_million);
    bill.add("read units of them", reads, prices.read_unit.dollars_per_million);

    runs.extend(relays);
    runs.extend(handling);
    bill.add(
        "logs: bytes",
        number(runs.len()) * prices.assumptions.log_bytes,
        prices.log_byte.dollars_per_million,
    );
    Ok(bill)
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn gb_seconds(runs: &[Run]) -> f64 {
    runs.iter().map(|run| f64::from(run.memory_mb) / 1024.0 * run.milliseconds / 1000.0).sum()
}

/// The functions that a request runs. A caller is billed while it waits for the one that it calls.
fn runs(row: &Row, prices: &Prices) -> Result<Vec<Run>> {
    let own: Vec<Spent> = row.spent.iter().filter(|spent| spent.scope == Scope::Request).cloned().collect();
    let called: Vec<&str> = own
        .iter()
        .filter(|spent| spent.callee == Callee::Lambda)
        .map(|spent| spent.target.as_str())
        .collect();
    let mut runs = vec![run(&row.operation, &own, prices)?];
    for name in called {
        let service = name.split('.').next().unwrap_or_default();
        let is_its = |spent: &&Spent| {
            spent.target == service || (spent.callee == Callee::Bank && service == "banking")
        };
        let its: Vec<Spent> = own.iter().filter(is_its).cloned().collect();
        runs.push(run(name, &its, prices)?);
    }
    Ok(runs)
}

fn run(operation: &str, spent: &[Spent], prices: &Prices) -> Result<Run> {
    let assumed = &prices.assumptions;
    let asked =
        spent.iter().filter(|spent| spent.scope == Scope::Request && spent.callee == Callee::Bank).count();
    let milliseconds = assumed.invocation_milliseconds
        + number(aws_calls(spent, Scope::Request)) * assumed.call_milliseconds
        + number(asked) * assumed.bank_milliseconds;
    let memory_mb = declared(operation)?.memory_mb;
    Ok(Run { memory_mb, milliseconds })
}

fn declared(full_name: &str) -> Result<&'static contract::Operation> {
    let all = SERVICES
        .iter()
        .flat_map(|service| service.operations.iter().map(move |operation| (service, operation)));
    all.into_iter()
        .find(|(service, operation)| service.full_name(operation) == full_name)
        .map(|(_, operation)| operation)
        .with_context(|| format!("no service has {full_name}"))
}

/// One relay for each table that was written.
fn relays(row: &Row, prices: &Prices) -> Result<Vec<Run>> {
    let written =
        row.spent.iter().filter(|spent| spent.scope == Scope::Request && spent.units.writes() > 0.0);
    let services: BTreeSet<&str> = written.map(|spent| spent.target.as_str()).collect();
    let relay = |service| run(&format!("{service}.relayOutbox"), &[], prices);
    services.into_iter().map(relay).collect::<Result<Vec<Run>>>().map(|mut relays| {
        // Publishing is a relay's only call.
        if let (false, Some(first)) = (facts(row).is_empty(), relays.first_mut()) {
            first.milliseconds += prices.assumptions.call_milliseconds;
        }
        relays
    })
}

/// The types of the facts that are published.
fn facts(row: &Row) -> Vec<String> {
    let relayed = row.spent.iter().filter(|spent| matches!(spent.callee, Callee::Bus(more) if more > 0));
    relayed.flat_map(|spent| spent.about.split(", ").map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// How a transfer ended comes only to the saga that asked for it: the rules look at the reference.
fn is_of_others(request: &str, consumer: &str) -> bool {
    let service = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    consumer.contains(".onFirmbanking") && service(request) != service(consumer)
}

/// Every operation that listens to one of these, once for each.
fn consumers(facts: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for fact in facts {
        for service in SERVICES {
            let hears = |trigger: &Trigger| matches!(trigger, Trigger::Fact(kind) if kind == fact);
            let listening =
                service.operations.iter().filter(|operation| operation.triggers.iter().any(hears));
            found.extend(listening.map(|operation| service.full_name(operation)));
        }
    }
    found
}
