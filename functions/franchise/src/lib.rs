//! Franchise: shops that take payments, who owns them, what Pay keeps of a payment, and where the rest is paid out.
//!
//! Payment and settlement keep copies of what they need, fed by the facts of this service: nobody asks it on the way
//! of a payment, but for the first one if that comes before the first fact. A fee is therefore a schedule: a function of
//! time that every copy knows beforehand.

mod answers;
mod audit_franchise;
mod bank_accounts;
mod close_franchise;
mod domain;
mod find_franchise;
mod find_franchise_terms;
mod find_franchises;
mod items;
mod list_franchise_terms;
mod modify_franchise;
mod on_membership_closed;
mod outbox;
mod refusals;
mod register_franchise;
mod relay_outbox;
mod republish;
mod settings;
mod vault;
mod verify_franchises_closed;

use contract::{Api, Service};

/// Franchise's operations.
pub static SERVICE: Service = Service {
    name: "franchise",
    summary: "Shops that take payments, their fees and how they are paid out",
    api: Api::Pay,
    indexes: &[&items::NEWEST_FIRST, &items::OWNERS_NEWEST_FIRST],
    records: items::RECORDS,
    operations: &[
        register_franchise::OPERATION,
        modify_franchise::OPERATION,
        find_franchise::OPERATION,
        find_franchises::OPERATION,
        find_franchise_terms::OPERATION,
        list_franchise_terms::OPERATION,
        close_franchise::OPERATION,
        verify_franchises_closed::OPERATION,
        on_membership_closed::OPERATION,
        audit_franchise::OPERATION,
        relay_outbox::OPERATION,
        republish::OPERATION,
    ],
};
