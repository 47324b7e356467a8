//! Remittance: money from one member to another, and from a member to any account at the bank.
//!
//! A remittance is a saga over money's ledger and, if it goes to the bank, over banking; remittances.rs is the whole
//! of it. Who receives is settled before anything is stored (receivers.rs). The rest reads, relays and sweeps.

mod answers;
mod audit_remittance;
mod find_remittance;
mod find_remittance_history;
pub mod items;
mod on_firmbanking_failed;
mod on_firmbanking_succeeded;
mod outbox;
mod receivers;
mod refusals;
mod relay_outbox;
mod remittances;
mod republish;
mod request_remittance;
mod settings;
mod sweep_remittances;

use contract::{Api, Service};

/// The secret from which remittance's keys derive: for cursors, and for fingerprints of requests with personal data.
const KEY: &str = "remittance-key";

/// Remittance's operations.
pub static SERVICE: Service = Service {
    name: "remittance",
    summary: "Money from member to member, and from members to bank accounts",
    api: Api::Pay,
    indexes: &[&items::SENT_NEWEST_FIRST, &items::RECEIVED_NEWEST_FIRST],
    records: items::RECORDS,
    operations: &[
        request_remittance::OPERATION,
        find_remittance::OPERATION,
        find_remittance_history::OPERATION,
        sweep_remittances::OPERATION,
        on_firmbanking_succeeded::OPERATION,
        on_firmbanking_failed::OPERATION,
        audit_remittance::OPERATION,
        relay_outbox::OPERATION,
        republish::OPERATION,
    ],
};
