//! Wallets: recharges, withdrawals, transfers, balances, and the ledger behind them.
//!
//! A wallet is an append-only chain of entries (domain/ledger.rs decides them, chains.rs reads and grows them), and
//! each franchise has a journal of the same make for what settlement does (domain/journal.rs, journals.rs). A recharge
//! or withdrawal is a saga over the chain and the bank (money_requests.rs). Other services transfer and hold money.
//! Everything else reads.

mod audit_ledger;
mod auditing;
mod chains;
mod close_member_money;
mod create_member_money;
mod decrease_money_request;
mod decrease_money_request_by_event;
pub mod domain;
mod find_money_history;
mod find_money_request;
mod get_balance_request;
mod hold_money;
mod holds;
mod increase_money_request;
mod increase_money_request_by_event;
pub mod items;
mod journals;
mod links;
mod money_requests;
mod on_firmbanking_failed;
mod on_firmbanking_succeeded;
mod on_membership_registered;
mod on_money_decrease_requested;
mod on_money_increase_requested;
mod open_member_money;
mod outbox;
mod post_hold;
mod read_facts;
pub mod refusals;
mod relay_outbox;
mod release_hold;
mod republish;
mod settings;
mod sweep_money_requests;
mod transfer_money;

use contract::{Api, Service};

/// The secret from which money's keys derive: for cursors.
const KEY: &str = "money-key";

/// Money's operations.
pub static SERVICE: Service = Service {
    name: "money",
    summary: "Wallets: recharges, withdrawals, transfers, balances, and the ledger behind them",
    api: Api::Pay,
    indexes: &[],
    records: items::RECORDS,
    operations: &[
        create_member_money::OPERATION,
        on_membership_registered::OPERATION,
        open_member_money::OPERATION,
        close_member_money::OPERATION,
        increase_money_request::OPERATION,
        increase_money_request_by_event::OPERATION,
        on_money_increase_requested::OPERATION,
        decrease_money_request::OPERATION,
        decrease_money_request_by_event::OPERATION,
        on_money_decrease_requested::OPERATION,
        on_firmbanking_succeeded::OPERATION,
        on_firmbanking_failed::OPERATION,
        sweep_money_requests::OPERATION,
        find_money_request::OPERATION,
        get_balance_request::OPERATION,
        find_money_history::OPERATION,
        transfer_money::OPERATION,
        hold_money::OPERATION,
        post_hold::OPERATION,
        release_hold::OPERATION,
        audit_ledger::OPERATION,
        relay_outbox::OPERATION,
        republish::OPERATION,
        read_facts::OPERATION,
    ],
};
