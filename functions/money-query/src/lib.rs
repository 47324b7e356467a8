//! Money by region: a read model, fed by the facts of membership and money.
//!
//! Facts come more than once and in any order, and the model must be what a simple fold of them would give: a fact is
//! counted once, where the member lived at the fact's own time (domain/). It states no facts itself, and it can be
//! built anew from the others' items while the old one still answers (rebuild_read_model.rs).

mod counting;
pub mod domain;
pub mod items;
mod news;
mod on_counted_fact;
mod query_money_sum_by_region;
mod rebuild_read_model;
mod settings;

use contract::{Api, Service};

/// The read model's operations.
pub static SERVICE: Service = Service {
    name: "money-query",
    summary: "How much money lies in each region, and how much was recharged there, by day",
    api: Api::Pay,
    indexes: &[],
    records: items::RECORDS,
    operations: &[
        query_money_sum_by_region::OPERATION,
        on_counted_fact::OPERATION,
        rebuild_read_model::OPERATION,
    ],
};
