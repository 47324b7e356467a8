//! Called by settlement: the terms of all franchises, the closed ones too, page by page.
//!
//! A run asks for them instead of keeping a copy, so that no franchise is left out because a fact was lost, and each is
//! paid out to the account that it has now. The list may lag by a moment; a franchise that it misses is taken by the
//! next run, with all the days before.

use crate::items::{Franchise, NEWEST_FIRST, SHARDS};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by, page,
    peers::{FranchisePage, FranchisePageQuestion, ListedFranchise},
};
use kernel::{
    Timestamp,
    id::{FranchiseId, kinds},
};
use store::{Order, Query, Sort};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "listFranchiseTerms",
    summary: "Lists the terms of all franchises as their facts tell them",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable],
    ..handled_by!(list_franchise_terms)
};

/// How many franchises a page has at most.
const PAGE: u32 = 25;

async fn list_franchise_terms(
    context: &Context,
    call: Call<FranchisePageQuestion>,
) -> Result<Reply<FranchisePage>, Problem> {
    let (shard, after) = match &call.body.after {
        None => (0, None),
        Some(text) => parse(text).ok_or_else(|| Problem::field("/after", "is not where a page ended"))?,
    };
    // The last one of the page before is read again.
    let limit = if after.is_some() { PAGE.saturating_add(1) } else { PAGE };
    let first = after.unwrap_or_else(|| page::place(Timestamp::EPOCH, FranchiseId::from_random(0)));
    let last = page::place(Timestamp::END, FranchiseId::from_random(u128::MAX));
    let query = Query {
        sort: Sort::Between(first.clone(), last),
        order: Order::Ascending,
        limit: Some(limit),
        ..Query::index(&NEWEST_FIRST, Franchise::listed_under(shard))
    };
    let found = context.table.query(&query).await?;
    let mut franchises = Vec::new();
    let mut end = first.clone();
    for item in found.items {
        let franchise: Franchise = store::read(item)?;
        let place = franchise.place();
        if place != first {
            franchises.push(ListedFranchise {
                registered_at: franchise.registered.at,
                closed_at: franchise.closed.as_ref().map(|closed| closed.at),
                franchise: franchise.replica(),
            });
        }
        end = place;
    }
    let next = shard.saturating_add(1);
    let after = match found.next {
        Some(_) => Some(format!("{shard}#{end}")),
        None if next < SHARDS => Some(format!("{next}#")),
        None => None,
    };
    Ok(Reply::ok(FranchisePage { franchises, after }))
}

/// The shard where a page ended, and the place of its last franchise; none before the shard's first.
fn parse(after: &str) -> Option<(u128, Option<String>)> {
    let (shard, place) = after.split_once('#')?;
    let shard = shard.parse().ok().filter(|shard| *shard < SHARDS)?;
    if place.is_empty() {
        return Some((shard, None));
    }
    let (registered_at, id) = page::parse_place::<kinds::Franchise>(place)?;
    let known = page::place(registered_at, id);
    (known == place).then_some((shard, Some(known)))
}
