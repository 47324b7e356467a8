//! Settlement: what franchises were paid, less Pay's fee, to their bank accounts, once a business day.
//!
//! A run settles one business day (runs.rs); the state machine `settlement` in Step Functions leads it through the
//! steps. What one run settles with one franchise is a line of the franchise's chain: a saga over payment's manifest,
//! money's ledger and banking (lines.rs). The rules of windows, fees and carrying are in domain/.

mod answers;
mod audit_settlement;
mod calculate_settlement;
mod collect_payments;
mod count_open_lines;
pub mod domain;
mod enlist_franchises;
mod entries;
mod find_settlement;
mod find_settlements;
mod finish_settlement;
mod get_settlement_statement;
pub mod items;
mod lines;
mod list_due_franchises;
mod on_firmbanking_failed;
mod on_firmbanking_succeeded;
mod outbox;
mod pay_out_settlement;
mod record_settlement;
mod relay_outbox;
mod republish;
mod retries;
mod retry_settlement;
mod runs;
mod settings;
mod start_settlement;
mod sweep_settlements;
mod verify_franchise_settled;

use contract::{Api, Service};

/// The secret from which settlement's keys derive: for cursors.
const KEY: &str = "settlement-key";

/// Settlement's operations.
pub static SERVICE: Service = Service {
    name: "settlement",
    summary: "What franchises were paid, less the fee, paid out to their bank accounts",
    api: Api::Pay,
    indexes: &[],
    records: items::RECORDS,
    operations: &[
        start_settlement::OPERATION,
        find_settlement::OPERATION,
        find_settlements::OPERATION,
        get_settlement_statement::OPERATION,
        retry_settlement::OPERATION,
        enlist_franchises::OPERATION,
        list_due_franchises::OPERATION,
        collect_payments::OPERATION,
        calculate_settlement::OPERATION,
        record_settlement::OPERATION,
        pay_out_settlement::OPERATION,
        count_open_lines::OPERATION,
        finish_settlement::OPERATION,
        on_firmbanking_succeeded::OPERATION,
        on_firmbanking_failed::OPERATION,
        sweep_settlements::OPERATION,
        verify_franchise_settled::OPERATION,
        audit_settlement::OPERATION,
        relay_outbox::OPERATION,
        republish::OPERATION,
    ],
};
