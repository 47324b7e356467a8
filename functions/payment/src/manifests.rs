//! Manifests: what one settlement takes, in pages that are put once and never change.
//!
//! The key of a page is the position at which it begins, and the page says where it ends, so the pages of a manifest
//! are a chain, and whoever wants to add one must have read the one before. Whoever comes second takes the page that
//! is there and goes on from its end: any number of collectors build one manifest. Each page carries the totals up to
//! its end, so the last one has them all.

use crate::{
    domain::{Position, Refusal},
    items::{Canceled, CollectedPage, Payment},
    walk::{Budget, Days, Listed, Walk},
};
use contract::{Context, Problem, peers::ManifestName};
use futures_util::future::try_join_all;
use kernel::id::{CancellationId, FranchiseId, PaymentId};
use std::collections::BTreeSet;
use store::{Condition, Order, Query, Read, Sort, Write};

/// Before and behind every position's text.
const FIRST: &str = "0";
const LAST: &str = "9";

/// The page that ends a manifest as far as it is collected; none if it is not begun.
pub async fn last(
    context: &Context,
    franchise: FranchiseId,
    name: &ManifestName,
) -> Result<Option<CollectedPage>, Problem> {
    newest(context, franchise, name, LAST.to_owned()).await
}

/// The page that covers a position, as far as the manifest is collected; none if it begins behind it.
pub async fn covering(
    context: &Context,
    franchise: FranchiseId,
    name: &ManifestName,
    position: &Position,
) -> Result<Option<CollectedPage>, Problem> {
    newest(context, franchise, name, position.to_string()).await
}

/// The page that begins at this text or right before it, as of now.
async fn newest(
    context: &Context,
    franchise: FranchiseId,
    name: &ManifestName,
    at: String,
) -> Result<Option<CollectedPage>, Problem> {
    let query = Query {
        sort: Sort::Between(FIRST.to_owned(), at),
        order: Order::Descending,
        limit: Some(1),
        ..Query::partition(CollectedPage::partition(franchise, name))
    };
    let page = context.table.query(&query).await?.items.into_iter().next();
    Ok(page.map(store::read).transpose()?)
}

/// The page before this one; none if this is the first.
pub async fn before(context: &Context, page: &CollectedPage) -> Result<Option<CollectedPage>, Problem> {
    let query = Query {
        sort: Sort::Between(FIRST.to_owned(), page.begins.to_string()),
        order: Order::Descending,
        limit: Some(2),
        ..Query::partition(CollectedPage::partition(page.franchise_id, &page.name()))
    };
    let before = context.table.query(&query).await?.items.into_iter().nth(1);
    Ok(before.map(store::read).transpose()?)
}

/// The page at this position or the first one behind it.
pub async fn from(
    context: &Context,
    franchise: FranchiseId,
    name: &ManifestName,
    position: Option<&Position>,
) -> Result<Option<CollectedPage>, Problem> {
    let from = position.map_or_else(|| FIRST.to_owned(), Position::to_string);
    let query = Query {
        sort: Sort::Between(from, LAST.to_owned()),
        limit: Some(1),
        ..Query::partition(CollectedPage::partition(franchise, name))
    };
    let page = context.table.query(&query).await?.items.into_iter().next();
    Ok(page.map(store::read).transpose()?)
}

/// The last page of a manifest that is complete.
pub async fn complete(
    context: &Context,
    franchise: FranchiseId,
    name: &ManifestName,
) -> Result<CollectedPage, Problem> {
    let last = last(context, franchise, name).await?.filter(CollectedPage::is_last);
    Ok(last.ok_or(Refusal::ManifestIncomplete)?)
}

/// Puts a page, and answers what is there: this one, or the one of whoever was first.
pub async fn put(context: &Context, page: CollectedPage) -> Result<CollectedPage, Problem> {
    let error = match context.table.commit(&[Write::put(&page, Condition::Absent)?]).await {
        Ok(()) => return Ok(page),
        Err(error) if error.is_collision() => error,
        Err(error) => return Err(error.into()),
    };
    if let Some(found) = error.found(0) {
        return Ok(store::read(found.clone())?);
    }
    let there = covering(context, page.franchise_id, &page.name(), &page.begins).await?;
    let there = there.filter(|there| there.begins == page.begins);
    there.ok_or_else(|| Problem::unavailable("a contended put"))
}

/// A manifest of an earlier settlement: it tells what it has, one page in hand at a time.
pub struct Earlier {
    name: ManifestName,
    begins: Position,
    in_hand: CollectedPage,
}

impl Earlier {
    /// The manifest of this name, which must be complete.
    pub async fn of(
        context: &Context,
        franchise: FranchiseId,
        name: &ManifestName,
    ) -> Result<Earlier, Problem> {
        let in_hand = complete(context, franchise, name).await?;
        Ok(Earlier { name: name.clone(), begins: Position::first(in_hand.from.clone()), in_hand })
    }

    /// Whether it has this.
    pub async fn has(&mut self, context: &Context, listed: &Listed) -> Result<bool, Problem> {
        let (position, row) = (&listed.position, &listed.row);
        if *position < self.begins {
            return Ok(false);
        }
        if !self.in_hand.covers(position) {
            let covering = covering(context, self.in_hand.franchise_id, &self.name, position).await?;
            self.in_hand = covering.ok_or_else(|| Problem::internal("a manifest has lost its first page"))?;
        }
        Ok(self.in_hand.has(row.payment_id, row.cancellation_id))
    }
}

/// Up to so many ids are read one by one: the index would be asked for each shard of each day.
const FEW: usize = 48;
/// A page was collected within one call, so its part of the index is hardly larger than what one call looks at. What
/// is not seen within this is read by its id: if a few payments are spread over many days, that is less.
const REREAD: Budget = Budget { items: 8_000, lists: 16 };

/// What a page lists, in the order of positions; and of what it lists, what is not stored.
pub struct Content {
    /// What is there.
    pub listed: Vec<Listed>,
    /// What is not.
    pub missing: Vec<(PaymentId, Option<CancellationId>)>,
}

/// Reads what a page lists: from the index, and what that does not show, by its id.
pub async fn content(context: &Context, page: &CollectedPage) -> Result<Content, Problem> {
    let mut wanted: BTreeSet<(PaymentId, Option<CancellationId>)> = page.ids().collect();
    let mut listed = Vec::with_capacity(wanted.len());
    if wanted.len() > FEW {
        let (from, through) = (page.from.clone(), page.through.clone());
        let days = Days { franchise: page.franchise_id, from, through };
        let walk = Walk::new(context, days, page.begins.clone(), REREAD);
        let mut walk = walk.until(page.ends.clone());
        while let Some(found) = walk.next().await? {
            if wanted.remove(&(found.row.payment_id, found.row.cancellation_id)) {
                listed.push(found);
            }
        }
    }
    let mut missing = Vec::new();
    let wanted: Vec<_> = wanted.into_iter().collect();
    for some in wanted.chunks(FEW) {
        let found = try_join_all(some.iter().map(|id| find(context, page.franchise_id, *id))).await?;
        for (id, found) in some.iter().zip(found) {
            match found {
                Some(found) => listed.push(found),
                None => missing.push(*id),
            }
        }
    }
    listed.sort_by(|one, other| one.position.cmp(&other.position));
    Ok(Content { listed, missing })
}

/// One of this franchise's by its id.
async fn find(
    context: &Context,
    franchise: FranchiseId,
    (payment, cancellation): (PaymentId, Option<CancellationId>),
) -> Result<Option<Listed>, Problem> {
    let key = cancellation.map_or_else(|| Payment::key_of(payment), |id| Canceled::key_of(payment, id));
    let Some(item) = context.table.get(&key, Read::Consistent).await? else { return Ok(None) };
    Ok(match cancellation {
        None => {
            let payment: Payment = store::read(item)?;
            Listed::of_payment(&payment).filter(|_| payment.franchise_id == franchise)
        }
        Some(_) => {
            let canceled: Canceled = store::read(item)?;
            (canceled.franchise_id == franchise).then(|| Listed::of_cancellation(&canceled))
        }
    })
}
