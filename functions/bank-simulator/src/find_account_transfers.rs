//! `GET /v1/accounts/{accountNumber}/transfers`: what moved an account, newest first, so that tests can count.

use crate::{
    ACCESS, ACCOUNT_NOT_FOUND, SECRET, TIMEOUT_SECONDS, accounts,
    items::{Direction, Entry},
};
use contract::{Call, Context, Grant, Limit, Method, Operation, Problem, Reply, Trigger, handled_by};
use kernel::{Money, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Order, Query, Sort};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findAccountTransfers",
    summary: "Lists what moved an account of the simulated bank",
    triggers: &[Trigger::Route(Method::Get, "/v1/accounts/{accountNumber}/transfers")],
    access: ACCESS,
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(SECRET)],
    refuses: &[&ACCOUNT_NOT_FOUND],
    timeout_seconds: TIMEOUT_SECONDS,
    ..handled_by!(find_account_transfers)
};

/// Which account, and which page.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// Its number.
    account_number: String,
    /// How many.
    #[serde(default)]
    limit: Limit,
    /// Only entries before this sequence.
    before: Option<String>,
}

/// What moved an account.
#[derive(Serialize, JsonSchema)]
pub struct Moves {
    /// Newest first.
    items: Vec<Move>,
    /// How many there are in all.
    total: u64,
}

/// One leg of a transfer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// Its place among the account's entries, from 1.
    sequence: u64,
    /// The transfer.
    transfer_id: String,
    /// Which way.
    direction: Direction,
    /// The account on the other side.
    counterparty: String,
    /// How much.
    amount: Money,
    /// The balance after it.
    balance_after: Money,
    /// When.
    moved_at: Timestamp,
}

async fn find_account_transfers(context: &Context, call: Call<Wanted>) -> Result<Reply<Moves>, Problem> {
    let Wanted { account_number, limit, before } = call.body;
    let account = accounts::need(context, &account_number).await?;
    let last = match before {
        None => account.entries,
        Some(before) => {
            let sequence: Option<u64> = before.parse().ok();
            let refused = || Problem::field("/before", "must be the sequence of an entry");
            sequence.and_then(|sequence| sequence.checked_sub(1)).ok_or_else(refused)?
        }
    };
    let page = context
        .table
        .query(&Query {
            sort: Sort::Between(Entry::sort_of(0), Entry::sort_of(last)),
            order: Order::Descending,
            limit: Some(limit.get()),
            ..Query::partition(store::Record::key(&account).partition)
        })
        .await?;
    let mut items = Vec::new();
    for item in page.items {
        let Entry { sequence, transfer_id, direction, counterparty, amount, balance_after, moved_at, .. } =
            store::read(item)?;
        items.push(Move { sequence, transfer_id, direction, counterparty, amount, balance_after, moved_at });
    }
    Ok(Reply::ok(Moves { items, total: account.entries }))
}
