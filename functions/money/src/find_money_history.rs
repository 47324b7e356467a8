//! `GET /v1/money/wallets/{membershipId}/transactions`: a wallet's entries, newest first, each with the balance after
//! it (충전 내역 조회).
//!
//! The statement is the chain itself. Entries that move nothing (open, expect, hold, release, refused) are part of it: they
//! have no debit and credit account, and they explain why a balance did not change.

use crate::{
    KEY,
    domain::{Account, Entry, Kind},
    refusals::Refusal,
};
use contract::{
    Access, Call, Context, Grant, Limit, Listing, Method, Operation, Problem, Reply, Scope, Trigger,
    handled_by, page, problem,
};
use kernel::{
    Money, Timestamp,
    id::{MembershipId, WalletId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Order, Query};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findMoneyHistory",
    summary: "Lists a wallet's ledger entries, newest first",
    triggers: &[Trigger::Route(Method::Get, "/v1/money/wallets/{membershipId}/transactions")],
    access: Access::Scopes(&[Scope::Member]),
    grants: &[Grant::ReadTable, Grant::ReadSecret(KEY)],
    refuses: &[&problem::NOT_FOUND],
    ..handled_by!(find_money_history)
};

/// Whose history, and which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// The caller's own id.
    pub membership_id: MembershipId,
    /// How many entries a page has.
    #[serde(default)]
    pub limit: Limit,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// An entry of the ledger as the wallet's owner sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryView {
    /// Its place in the wallet's chain.
    pub sequence: u64,
    /// What it is for.
    pub kind: Kind,
    /// How much it is about.
    pub amount: Money,
    /// The account that the amount left; none if nothing moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debit_account: Option<Account>,
    /// The account that the amount came to; none if nothing moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_account: Option<Account>,
    /// The balance after it.
    pub balance: Money,
    /// Which request or transfer asked for it.
    pub reference: String,
    /// Why a step was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// When.
    pub time: Timestamp,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> EntryView {
        EntryView {
            sequence: entry.sequence,
            kind: entry.purpose,
            amount: entry.amount,
            debit_account: entry.debit,
            credit_account: entry.credit,
            balance: entry.standing.balance,
            reference: entry.reference,
            refusal: entry.refusal,
            time: entry.time,
        }
    }
}

async fn find_money_history(
    context: &Context,
    call: Call<Question>,
) -> Result<Reply<Listing<EntryView>>, Problem> {
    let Question { membership_id: owner, limit, cursor } = call.body;
    call.caller.owns(owner)?;
    let key = context.service_key(KEY).await?;
    let wallet = WalletId::of(owner).to_string();
    let asked = ["findMoneyHistory", wallet.as_str()];
    let after = cursor.map(|cursor| page::position(&key, &asked, &cursor)).transpose()?;
    let query = Query {
        order: Order::Descending,
        limit: Some(limit.get()),
        after,
        ..Query::partition(wallet.as_str())
    };
    let found = context.table.query(&query).await?;
    let next_cursor = found.next.map(|next| page::cursor(&key, &asked, &next)).transpose()?;
    let entries: Result<Vec<Entry>, _> = found.items.into_iter().map(store::read).collect();
    let items = entries?.into_iter().map(EntryView::from).collect();
    Ok(Reply::ok(Listing { items, next_cursor }))
}
