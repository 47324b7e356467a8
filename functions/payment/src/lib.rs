//! Payment: members pay franchises, and both can take it back.
//!
//! A payment is a saga over the payer's wallet (payments.rs); its cancellations live in its own item (refunds.rs).
//! What payment knows of franchises is a copy that facts feed (replica.rs). Settlement collects payments into manifests
//! (walk.rs, manifests.rs) and changes none of them: what is settled is derived (settled.rs). Everything else reads
//! (lists.rs).

mod answers;
mod audit_payment;
mod cancel_payment;
mod collect_manifest;
pub mod domain;
mod find_payment;
mod find_payment_history;
mod finish_payment;
mod finish_payments;
mod get_normal_status_payments;
mod inspection;
pub mod items;
mod list_manifest;
mod lists;
mod manifests;
mod on_franchise_closed;
mod on_franchise_modified;
mod on_franchise_registered;
mod outbox;
mod payments;
mod refunds;
mod refusals;
mod relay_outbox;
mod replica;
mod republish;
mod request_payment;
mod settings;
mod settled;
mod sweep_payments;
mod walk;

use contract::{Api, Service};

/// The secret from which payment's keys derive: for cursors.
const KEY: &str = "payment-key";

/// Payment's operations.
pub static SERVICE: Service = Service {
    name: "payment",
    summary: "Payments to franchises: requested, cancelled, listed and finished",
    api: Api::Pay,
    indexes: &[&items::FRANCHISES_NEWEST_FIRST, &items::PAYERS_NEWEST_FIRST],
    records: items::RECORDS,
    operations: &[
        request_payment::OPERATION,
        find_payment::OPERATION,
        find_payment_history::OPERATION,
        get_normal_status_payments::OPERATION,
        cancel_payment::OPERATION,
        finish_payment::OPERATION,
        collect_manifest::OPERATION,
        finish_payments::OPERATION,
        list_manifest::OPERATION,
        on_franchise_registered::OPERATION,
        on_franchise_modified::OPERATION,
        on_franchise_closed::OPERATION,
        sweep_payments::OPERATION,
        audit_payment::OPERATION,
        relay_outbox::OPERATION,
        republish::OPERATION,
    ],
};
