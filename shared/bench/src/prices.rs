//! What AWS charges: the price list beside this crate's manifest.

use crate::tally::{Callee, Scope, Spent, units};
use anyhow::Result;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One price.
#[derive(Deserialize)]
pub struct Price {
    /// Dollars for a million of them.
    pub dollars_per_million: f64,
    /// Of what.
    pub unit: String,
}

/// What a count cannot know.
#[derive(Deserialize)]
pub struct Assumptions {
    /// How long a function waits for a call of AWS.
    pub call_milliseconds: f64,
    /// How long an invocation takes beside its calls.
    pub invocation_milliseconds: f64,
    /// How long a function waits for the bank.
    pub bank_milliseconds: f64,
    /// What an invocation writes into its log, with Lambda's own lines.
    pub log_bytes: f64,
}

/// The price list.
#[derive(Deserialize)]
pub struct Prices {
    pub write_unit: Price,
    pub read_unit: Price,
    pub http_request: Price,
    pub lambda_request: Price,
    pub lambda_gb_second: Price,
    pub event: Price,
    pub queue_request: Price,
    pub state_transition: Price,
    pub secret_call: Price,
    pub log_byte: Price,
    pub assumptions: Assumptions,
    pub usual: BTreeMap<String, f64>,
}

impl Prices {
    /// The checked-in list.
    pub fn read() -> Result<Prices> {
        Ok(toml::from_str(include_str!("../prices.toml"))?)
    }

    /// Every price, as it is printed.
    pub fn all(&self) -> [&Price; 9] {
        [
            &self.write_unit,
            &self.read_unit,
            &self.http_request,
            &self.lambda_request,
            &self.lambda_gb_second,
            &self.event,
            &self.queue_request,
            &self.state_transition,
            &self.secret_call,
        ]
    }

    /// Dollars for a million of these calls on one account, without the compute and without the function itself.
    pub fn calls(&self, spent: &[Spent], scope: Scope) -> f64 {
        let units = units(spent, scope);
        let tables = units.writes() * self.write_unit.dollars_per_million
            + units.reads * self.read_unit.dollars_per_million;
        let call = |spent: &Spent| match spent.callee {
            Callee::Lambda => self.lambda_request.dollars_per_million,
            Callee::Secret => self.secret_call.dollars_per_million,
            Callee::Queue => self.queue_request.dollars_per_million,
            Callee::Bus(events) => {
                f64::from(u32::try_from(events).unwrap_or(u32::MAX)) * self.event.dollars_per_million
            }
            // An execution is paid by its transitions.
            Callee::Table | Callee::Bank | Callee::Workflow => 0.0,
        };
        tables + spent.iter().filter(|spent| spent.scope == scope).map(call).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::{Tally, Units};

    #[test]
    fn a_million_recharges_cost_their_units_and_requests() {
        let tally = Tally::default();
        let units = Units { table_writes: 6.0, index_writes: 2.0, reads: 1.5 };
        tally.push(Callee::Table, "money", "PutItem", units);
        tally.push(Callee::Lambda, "banking.requestFirmbanking", "Invoke", Units::default());
        let dollars = Prices::read().unwrap().calls(&tally.take(), Scope::Request);
        assert!((dollars - (8.0 * 0.625 + 1.5 * 0.125 + 0.20)).abs() < 1e-9, "{dollars}");
    }
}
