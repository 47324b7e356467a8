//! Reading and growing any chain of the ledger, a wallet's or a franchise's journal.
//!
//! A chain is read back to the birth of the step that is to be decided. A page without gaps will do; otherwise it is
//! read consistently. An entry is put where none is, so whoever else was first makes the put fail.

use crate::{
    domain::{Link, link::is_contiguous},
    refusals,
};
use contract::{Context, Problem};
use kernel::{OutOfRange, Timestamp};
use store::{CommitError, Condition, Order, Query, Read, Write};

/// Entries of the first page: enough for a step's own window on most days. Each further page is twice as long, so that
/// a step is found again in few reads however much its wallet has done since.
const PAGE: u32 = 12;
/// How often a step is decided again because somebody else was first.
pub const ATTEMPTS: usize = 12;
/// How far a step's birth may lie ahead of this function's clock, in milliseconds.
const MOST_SKEW_MILLIS: i64 = 300_000;

/// Reads a chain back to a step's birth, newest entry first. A page without gaps will do; otherwise it is read
/// consistently.
pub async fn load<L: Link>(context: &Context, partition: &str, birth: Timestamp) -> Result<Vec<L>, Problem> {
    match read_back(context, partition, birth, Read::Eventual).await? {
        Some(entries) => Ok(entries),
        None => reload(context, partition, birth).await,
    }
}

/// Reads a chain back to a step's birth, newest entry first, seeing every commit that was answered before.
pub async fn reload<L: Link>(
    context: &Context,
    partition: &str,
    birth: Timestamp,
) -> Result<Vec<L>, Problem> {
    let entries = read_back(context, partition, birth, Read::Consistent).await?;
    entries.ok_or_else(|| Problem::internal(format!("the chain of {partition} is broken")))
}

/// None if the pages have gaps.
async fn read_back<L: Link>(
    context: &Context,
    partition: &str,
    birth: Timestamp,
    read: Read,
) -> Result<Option<Vec<L>>, Problem> {
    let mut entries: Vec<L> = Vec::new();
    let mut query =
        Query { order: Order::Descending, limit: Some(PAGE), read, ..Query::partition(partition) };
    loop {
        let page = context.table.query(&query).await?;
        // The last entry of the page before is looked at once more, beside the first of this one.
        let seen = entries.len().saturating_sub(1);
        for item in page.items {
            entries.push(store::read(item)?);
        }
        if !entries.get(seen..).is_none_or(is_contiguous) {
            return Ok(None);
        }
        let oldest = entries.last().map(L::place);
        let reaches = oldest.is_some_and(|oldest| oldest.time < birth || oldest.sequence == 1);
        query.after = page.next;
        query.limit = query.limit.map(|limit| limit.saturating_mul(2));
        if reaches {
            return Ok(Some(entries));
        }
        if query.after.is_none() {
            // The first entry of all is missing, unless there is none.
            return Ok(entries.is_empty().then_some(entries));
        }
    }
}

/// Puts entries in one commit. False if somebody else was first, or at the same time.
pub async fn put<L: Link>(context: &Context, entries: &[&L]) -> Result<bool, Problem> {
    let mut writes = Vec::with_capacity(entries.len());
    for entry in entries {
        writes.push(Write::put(&entry.with_hash(), Condition::Absent)?);
    }
    match context.table.commit(&writes).await {
        Ok(()) => Ok(true),
        Err(CommitError::Refused(_) | CommitError::Contended) => Ok(false),
        Err(CommitError::Unavailable(error)) => Err(error.into()),
    }
}

/// A step whose birth lies far ahead would push the chain's time into the future: it is asked again later.
pub fn check_birth(context: &Context, birth: Timestamp) -> Result<(), Problem> {
    if birth.millis_since(context.clock.now()) > MOST_SKEW_MILLIS {
        return Err(Problem::from(&refusals::BORN_LATER).retry_after(60));
    }
    Ok(())
}

/// A decision that would leave the range of money.
pub fn broken(error: OutOfRange) -> Problem {
    Problem::internal(format!("a ledger invariant would be broken: {error}"))
}
