//! Banking: members' bank accounts, and transfers at the external bank.
//!
//! The bank is another company's system: it may decline, be slow, or fall silent after it has moved the money. What
//! banking says of a transfer is therefore only what the bank has said for certain; [`domain::progress`] is the
//! protocol, and [`firmbankings`] runs it.

mod audit_banking;
mod bank;
mod chain;
mod domain;
mod find_bank_account;
mod find_firmbanking;
mod find_recharge_account;
mod firmbankings;
mod get_corporate_balance;
mod inquire_firmbanking;
mod items;
mod on_firmbanking_requested;
mod on_membership_closed;
mod on_register_bank_account_requested;
mod outbox;
mod refusals;
mod register_bank_account;
mod register_bank_account_by_event;
mod register_payee;
mod registration;
mod relay_outbox;
mod republish;
mod request_firmbanking;
mod request_firmbanking_by_event;
mod settings;
mod unlink_bank_account;
mod vault;
mod verify_bank_account_owner;

use contract::{Api, Service};

/// Banking's operations.
pub static SERVICE: Service = Service {
    name: "banking",
    summary: "Bank accounts, and transfers at the external bank",
    api: Api::Pay,
    indexes: &[&items::NEWEST_FIRST],
    records: items::RECORDS,
    operations: &[
        register_bank_account::OPERATION,
        register_bank_account_by_event::OPERATION,
        find_bank_account::OPERATION,
        unlink_bank_account::OPERATION,
        verify_bank_account_owner::OPERATION,
        find_recharge_account::OPERATION,
        register_payee::OPERATION,
        request_firmbanking::OPERATION,
        request_firmbanking_by_event::OPERATION,
        find_firmbanking::OPERATION,
        inquire_firmbanking::OPERATION,
        on_register_bank_account_requested::OPERATION,
        on_firmbanking_requested::OPERATION,
        on_membership_closed::OPERATION,
        get_corporate_balance::OPERATION,
        audit_banking::OPERATION,
        relay_outbox::OPERATION,
        republish::OPERATION,
    ],
};
