//! `GET /v1/franchises`: the caller's franchises; for an operator those of one owner, or all.
//!
//! An owner's are one partition of an index. All of them are merged from the index's shards by their place, which
//! sorts by time; a franchise's place never changes, so that paging neither skips nor repeats one.

use crate::{
    answers,
    items::{Franchise, NEWEST_FIRST, OWNERS_NEWEST_FIRST, SHARDS},
    vault,
};
use contract::{
    Access, Call, Context, Grant, Limit, Listing, Method, Operation, Problem, Reply, Scope, Trigger,
    handled_by, page, problem,
};
use kernel::{
    Timestamp,
    id::{MembershipId, kinds},
};
use schemars::JsonSchema;
use serde::Deserialize;
use store::{Item, Query, Sort, seal::ServiceKey};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findFranchises",
    summary: "Lists the caller's franchises, or, for an operator, everybody's",
    triggers: &[Trigger::Route(Method::Get, "/v1/franchises")],
    access: Access::Scopes(&[Scope::Merchant, Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::ReadSecret(vault::SECRET)],
    refuses: &[&problem::NOT_FOUND],
    ..handled_by!(find_franchises)
};

/// Whose, and which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The owner; an operator may leave it out to see everybody's.
    membership_id: Option<MembershipId>,
    /// How many.
    limit: Option<Limit>,
    /// Where the page before ended.
    cursor: Option<String>,
}

async fn find_franchises(
    context: &Context,
    call: Call<Wanted>,
) -> Result<Reply<Listing<answers::Franchise>>, Problem> {
    let owner = owner(&call)?;
    let key = vault::key(context).await?;
    let (caller, whose) = (call.caller.to_string(), owner.map(|owner| owner.to_string()).unwrap_or_default());
    let query = [OPERATION.name, &caller, &whose];
    let after = call.body.cursor.as_ref();
    let after = after.map(|cursor| page::position(&key, &query, cursor)).transpose()?;
    let limit = call.body.limit.unwrap_or_default().get();
    let (found, next) = match owner {
        Some(owner) => of_owner(context, owner, limit, after).await?,
        None => of_all(context, limit, after.as_ref()).await?,
    };
    let next_cursor = next.map(|next| page::cursor(&key, &query, &next)).transpose()?;
    let items = shown(&found, &key, call.now)?;
    Ok(Reply::ok(Listing { items, next_cursor }))
}

/// Whose franchises are listed; none for everybody's.
fn owner(call: &Call<Wanted>) -> Result<Option<MembershipId>, Problem> {
    if call.caller.has(Scope::Operator) {
        return Ok(call.body.membership_id);
    }
    let member = call.caller.member()?;
    call.caller.owns(call.body.membership_id.unwrap_or(member))?;
    Ok(Some(member))
}

fn shown(found: &[Franchise], key: &ServiceKey, now: Timestamp) -> Result<Vec<answers::Franchise>, Problem> {
    found.iter().map(|franchise| answers::Franchise::of(franchise, key, now)).collect()
}

async fn of_owner(
    context: &Context,
    owner: MembershipId,
    limit: u32,
    after: Option<Item>,
) -> Result<(Vec<Franchise>, Option<Item>), Problem> {
    let listed = Query::index(&OWNERS_NEWEST_FIRST, Franchise::owned_by(owner));
    let found = context.table.query(&Query { limit: Some(limit), after, ..listed }).await?;
    Ok((read(found.items)?, found.next))
}

/// A page of all franchises: the newest of every shard, merged by place.
async fn of_all(
    context: &Context,
    limit: u32,
    after: Option<&Item>,
) -> Result<(Vec<Franchise>, Option<Item>), Problem> {
    let (first, last) = page::places::<kinds::Franchise>(None, None, after)?;
    let list = |shard| Query {
        sort: Sort::Between(first.clone(), last.clone()),
        ..Query::index(&NEWEST_FIRST, Franchise::listed_under(shard))
    };
    page::merged(context, (0..SHARDS).map(list).collect(), limit, Franchise::place).await
}

fn read(items: Vec<Item>) -> Result<Vec<Franchise>, Problem> {
    let mut franchises = Vec::new();
    for item in items {
        franchises.push(store::read(item)?);
    }
    Ok(franchises)
}
