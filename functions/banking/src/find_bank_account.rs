//! `GET /v1/bank-accounts` and `/v1/bank-accounts/{bankAccountId}`: the caller's own bank accounts.
//!
//! Numbers are masked. An account that was unlinked is no longer listed, and its id still tells that it was.

use crate::{
    items::{self, BankAccount, BankAccountView, NEWEST_FIRST},
    vault,
};
use contract::{
    Access, Call, Context, Grant, Limit, Listing, Method, Operation, Problem, Reply, Scope, Trigger,
    handled_by, page, problem,
};
use kernel::id::{BankAccountId, MembershipId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::Query;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findBankAccount",
    summary: "Shows the caller's bank accounts, or one of them",
    triggers: &[
        Trigger::Route(Method::Get, "/v1/bank-accounts"),
        Trigger::Route(Method::Get, "/v1/bank-accounts/{bankAccountId}"),
    ],
    access: Access::Scopes(&[Scope::Member, Scope::Merchant]),
    grants: &[Grant::ReadTable, Grant::ReadSecret(vault::SECRET)],
    refuses: &[&problem::NOT_FOUND],
    ..handled_by!(find_bank_account)
};

/// Which account, or which page of all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The one account.
    bank_account_id: Option<BankAccountId>,
    /// How many.
    limit: Option<Limit>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// One account, or a page of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "BankAccountOrListing")]
pub enum Found {
    /// The one that was asked for.
    One(BankAccountView),
    /// The caller's, newest first.
    Page(Listing<BankAccountView>),
}

async fn find_bank_account(context: &Context, call: Call<Wanted>) -> Result<Reply<Found>, Problem> {
    let member = call.caller.member()?;
    let Wanted { bank_account_id, limit, cursor } = call.body;
    let Some(id) = bank_account_id else {
        return Ok(Reply::ok(Found::Page(list(context, member, limit.unwrap_or_default(), cursor).await?)));
    };
    if limit.is_some() || cursor.is_some() {
        return Err(Problem::field("/bankAccountId", "is one account: it has no pages"));
    }
    let account: BankAccount =
        items::load(context, &BankAccount::key_of(id)).await?.ok_or(&problem::NOT_FOUND)?;
    call.caller.owns(account.membership_id)?;
    if !account.is_own() {
        return Err((&problem::NOT_FOUND).into());
    }
    Ok(Reply::ok(Found::One(BankAccountView::from(&account))))
}

async fn list(
    context: &Context,
    member: MembershipId,
    limit: Limit,
    cursor: Option<String>,
) -> Result<Listing<BankAccountView>, Problem> {
    let key = vault::key(context).await?;
    let (caller, name) = (member.to_string(), OPERATION.name);
    let query = [name, caller.as_str()];
    let after = cursor.map(|cursor| page::position(&key, &query, &cursor)).transpose()?;
    let listed = BankAccount::listed_under(member);
    let wanted = Query { limit: Some(limit.get()), after, ..Query::index(&NEWEST_FIRST, listed) };
    let found = context.table.query(&wanted).await?;
    let mut items = Vec::new();
    for item in found.items {
        items.push(BankAccountView::from(&store::read::<BankAccount>(item)?));
    }
    let next_cursor = found.next.map(|next| page::cursor(&key, &query, &next)).transpose()?;
    Ok(Listing { items, next_cursor })
}
