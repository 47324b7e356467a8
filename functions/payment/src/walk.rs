//! A walk through a franchise's days in the order of positions: payments, then cancellations, as the index shows them.
//!
//! The index may lag, and a page of it may have gaps: what is not seen now is seen by a later walk. What is seen never
//! lies: an amount, a fee and a place stay as they were when the payment was approved or the money came back. The
//! shards of a day are asked at once, and gone through one after the other, so that the order is the same every time.

use crate::{
    domain::{
        Position,
        position::{List, SHARDS},
    },
    items::{Canceled, FRANCHISES_NEWEST_FIRST, Payment},
};
use contract::{Context, Problem, peers::ManifestRow};
use futures_util::future::try_join_all;
use kernel::{SeoulDay, id::FranchiseId};
use std::collections::VecDeque;
use store::{Item, Order, Query, Sort};

/// How many items each shard of a day is asked for at first, and how many at a time from then on: together never more
/// than a thousand are held.
const FIRST_ITEMS: u32 = 100;
const MORE_ITEMS: u32 = 200;

/// How much one walk looks at; then it stops where it is.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// About so many payments and cancellations.
    pub items: usize,
    /// The lists of so many days.
    pub lists: usize,
}

/// Which days to walk through, and whose.
#[derive(Clone, Debug)]
pub struct Days {
    /// The franchise.
    pub franchise: FranchiseId,
    /// The first.
    pub from: SeoulDay,
    /// The last.
    pub through: SeoulDay,
}

/// A payment or a cancellation, where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Where.
    pub position: Position,
    /// What a statement says of it.
    pub row: ManifestRow,
}

/// A walk.
pub struct Walk<'a> {
    context: &'a Context,
    days: Days,
    at: Option<Position>,
    until: Option<Position>,
    /// What was read and not looked at yet: the shard in which the walk is, and those behind it.
    ahead: VecDeque<Shard>,
    left: Budget,
}

/// What was read of a shard.
struct Shard {
    items: VecDeque<Listed>,
    /// Whether it goes on behind them.
    more: bool,
}

impl<'a> Walk<'a> {
    /// From this position on.
    pub const fn new(context: &'a Context, days: Days, at: Position, budget: Budget) -> Walk<'a> {
        Walk { context, days, at: Some(at), until: None, ahead: VecDeque::new(), left: budget }
    }

    /// The same walk, which ends before this position if there is one.
    pub fn until(self, until: Option<Position>) -> Walk<'a> {
        Walk { until, ..self }
    }

    /// Where it goes on; none if it is at its end.
    pub const fn position(&self) -> Option<&Position> {
        self.at.as_ref()
    }

    /// Goes to another position, or to the end. What was looked at until now stays counted.
    pub fn go_to(&mut self, at: Option<Position>) {
        if self.at != at {
            self.at = at;
            self.ahead.clear();
        }
    }

    /// The next payment or cancellation; none at the end, or when enough was looked at.
    pub async fn next(&mut self) -> Result<Option<Listed>, Problem> {
        loop {
            let Some(at) = self.at.clone() else { return Ok(None) };
            match self.ahead.front_mut() {
                Some(shard) => {
                    if let Some(listed) = shard.items.pop_front() {
                        return Ok(self.step(listed));
                    }
                    if shard.more {
                        if self.left.items == 0 {
                            return Ok(None);
                        }
                        *shard = read(self.context, self.days.franchise, at, MORE_ITEMS).await?;
                    } else {
                        self.ahead.pop_front();
                        self.at = at.next_shard(&self.days.from, &self.days.through);
                    }
                }
                None if self.until.as_ref().is_some_and(|until| at >= *until) => self.go_to(None),
                None if self.left.items == 0 || self.left.lists == 0 => return Ok(None),
                None => {
                    self.left.lists = self.left.lists.saturating_sub(1);
                    let shards = (at.shard..SHARDS).map(|shard| {
                        read(self.context, self.days.franchise, at.in_shard(shard), FIRST_ITEMS)
                    });
                    self.ahead = try_join_all(shards).await?.into();
                }
            }
        }
    }

    fn step(&mut self, listed: Listed) -> Option<Listed> {
        if self.until.as_ref().is_some_and(|until| listed.position >= *until) {
            self.go_to(None);
            return None;
        }
        self.left.items = self.left.items.saturating_sub(1);
        self.at = Some(listed.position.after());
        Some(listed)
    }
}

/// What a shard shows from a position on.
async fn read(
    context: &Context,
    franchise: FranchiseId,
    from: Position,
    most: u32,
) -> Result<Shard, Problem> {
    let (first, last) = from.places();
    let query = Query {
        sort: Sort::Between(first, last),
        order: Order::Ascending,
        limit: Some(most),
        ..Query::index(&FRANCHISES_NEWEST_FIRST, from.partition(franchise))
    };
    let page = context.table.query(&query).await?;
    let mut items = VecDeque::with_capacity(page.items.len());
    for item in page.items {
        items.extend(listed(from.list, item)?);
    }
    // Behind an empty page nothing is looked for: a walk must come to its end.
    let more = page.next.is_some() && !items.is_empty();
    Ok(Shard { items, more })
}

fn listed(list: List, item: Item) -> Result<Option<Listed>, Problem> {
    Ok(match list {
        List::Paid => Listed::of_payment(&store::read(item)?),
        List::Canceled => Some(Listed::of_cancellation(&store::read(item)?)),
    })
}

impl Listed {
    /// A payment; none if it is not approved.
    pub fn of_payment(payment: &Payment) -> Option<Listed> {
        let approved_at = payment.approved_at?;
        let row = ManifestRow {
            payment_id: payment.payment_id,
            cancellation_id: None,
            order_id: payment.order_id.to_string(),
            amount: payment.amount,
            fee_bps: payment.fee_bps,
            at: approved_at,
        };
        Some(Listed { position: Position::of_payment(approved_at, payment.payment_id), row })
    }

    /// A cancellation.
    pub fn of_cancellation(canceled: &Canceled) -> Listed {
        let row = ManifestRow {
            payment_id: canceled.payment_id,
            cancellation_id: Some(canceled.cancellation_id),
            order_id: canceled.order_id.to_string(),
            amount: canceled.amount,
            fee_bps: canceled.fee_bps,
            at: canceled.refunded_at,
        };
        let position = Position::of_cancellation(canceled.refunded_at, canceled.cancellation_id);
        Listed { position, row }
    }
}
