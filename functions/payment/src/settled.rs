//! Settled means: in the manifest of a settlement that is recorded. Nobody writes it into a payment; it is looked up.
//!
//! finishPayments puts a group for each settlement, under its last day. A payment belongs to the first settlement that
//! ends with the payment's day or after it. If its record came late, it is in one of the next two, which look through
//! that day again. In the manifest of each of these three, only one page covers the payment's position, and that page
//! says whether it lists the payment. The same holds for cancellations.

use crate::{
    answers,
    domain::Position,
    items::{CollectedPage, Payment, SettledGroup},
    manifests,
};
use contract::{Context, Problem, peers::LOOK_BACK_DAYS};
use futures_util::future::try_join_all;
use kernel::{
    SeoulDay,
    id::{CancellationId, FranchiseId, PaymentId},
};
use std::collections::BTreeMap;
use store::{Order, Query, Sort};

/// How many settlements look through a day: the one that it belongs to, and those that look back at it.
pub const LOOKS: u32 = LOOK_BACK_DAYS.saturating_add(1);
/// Before and behind every day.
const FIRST_DAY: &str = "1970-01-01";
const LAST_DAY: &str = "9999-12-31";

/// The settlements that end with a day of a franchise or after it, the first first, at most so many.
pub async fn groups(
    context: &Context,
    franchise: FranchiseId,
    day: &SeoulDay,
    most: u32,
) -> Result<Vec<SettledGroup>, Problem> {
    let query = Query {
        sort: Sort::Between(day.to_string(), LAST_DAY.to_owned()),
        limit: Some(most),
        ..Query::partition(SettledGroup::partition(franchise))
    };
    let items = context.table.query(&query).await?.items;
    let groups: Result<Vec<_>, _> = items.into_iter().map(store::read).collect();
    Ok(groups?)
}

/// What of one franchise's settlements was read, so that payments side by side share it.
struct Books<'a> {
    context: &'a Context,
    franchise: FranchiseId,
    groups: BTreeMap<SeoulDay, Vec<SettledGroup>>,
    pages: Vec<CollectedPage>,
}

impl<'a> Books<'a> {
    const fn new(context: &'a Context, franchise: FranchiseId) -> Books<'a> {
        Books { context, franchise, groups: BTreeMap::new(), pages: Vec::new() }
    }

    /// The settlement that has this, if one has.
    async fn settlement(
        &mut self,
        position: &Position,
        payment: PaymentId,
        cancellation: Option<CancellationId>,
    ) -> Result<Option<SettledGroup>, Problem> {
        if !self.groups.contains_key(&position.day) {
            let groups = groups(self.context, self.franchise, &position.day, LOOKS).await?;
            self.groups.insert(position.day.clone(), groups);
        }
        let groups = self.groups.get(&position.day).cloned().unwrap_or_default();
        for group in groups {
            if self.has(&group, position, payment, cancellation).await? {
                return Ok(Some(group));
            }
        }
        Ok(None)
    }

    async fn has(
        &mut self,
        group: &SettledGroup,
        position: &Position,
        payment: PaymentId,
        cancellation: Option<CancellationId>,
    ) -> Result<bool, Problem> {
        let name = group.name();
        let known = |page: &&CollectedPage| page.name() == name && page.covers(position);
        if let Some(page) = self.pages.iter().find(known) {
            return Ok(page.has(payment, cancellation));
        }
        let Some(page) = manifests::covering(self.context, self.franchise, &name, position).await? else {
            return Ok(false);
        };
        let has = page.has(payment, cancellation);
        self.pages.push(page);
        Ok(has)
    }

    async fn shown(&mut self, payment: &Payment) -> Result<answers::Payment, Problem> {
        let mut shown = answers::Payment::from(payment);
        let Some(approved_at) = payment.approved_at else { return Ok(shown) };
        let id = payment.payment_id;
        let position = Position::of_payment(approved_at, id);
        if let Some(group) = self.settlement(&position, id, None).await? {
            shown.settle(&group);
        }
        for part in &mut shown.cancellations {
            let Some(refunded_at) = part.refunded_at else { continue };
            let position = Position::of_cancellation(refunded_at, part.cancellation_id);
            let group = self.settlement(&position, id, Some(part.cancellation_id)).await?;
            part.settlement_id = group.map(|group| group.settlement_id);
        }
        Ok(shown)
    }
}

/// How many of these settlements have this: there must never be two.
pub async fn having(
    context: &Context,
    franchise: FranchiseId,
    groups: &[SettledGroup],
    position: &Position,
    (payment, cancellation): (PaymentId, Option<CancellationId>),
) -> Result<usize, Problem> {
    let mut books = Books::new(context, franchise);
    let mut having = 0_usize;
    for group in groups {
        if books.has(group, position, payment, cancellation).await? {
            having = having.saturating_add(1);
        }
    }
    Ok(having)
}

/// The last settlement that ended before this day.
pub async fn before(
    context: &Context,
    franchise: FranchiseId,
    day: &SeoulDay,
) -> Result<Option<SettledGroup>, Problem> {
    let query = Query {
        sort: Sort::Between(FIRST_DAY.to_owned(), day.plus_days(-1).to_string()),
        order: Order::Descending,
        limit: Some(1),
        ..Query::partition(SettledGroup::partition(franchise))
    };
    let item = context.table.query(&query).await?.items.into_iter().next();
    Ok(item.map(store::read).transpose()?)
}

/// What is shown of a payment: whether it is settled too.
pub async fn show(context: &Context, payment: &Payment) -> Result<answers::Payment, Problem> {
    Books::new(context, payment.franchise_id).shown(payment).await
}

/// What is shown of several, in their order. What is asked about one franchise and day is asked once for all of them,
/// and different ones at the same time.
pub async fn show_all(context: &Context, payments: &[Payment]) -> Result<Vec<answers::Payment>, Problem> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (place, payment) in payments.iter().enumerate() {
        let day = payment.approved_at.map(kernel::Timestamp::business_day);
        groups.entry((payment.franchise_id, day)).or_default().push(place);
    }
    let each = groups.into_iter().map(|((franchise, _), places)| async move {
        let mut books = Books::new(context, franchise);
        let mut shown = Vec::with_capacity(places.len());
        for place in places {
            let Some(payment) = payments.get(place) else { continue };
            shown.push((place, books.shown(payment).await?));
        }
        Ok::<_, Problem>(shown)
    });
    let shown: BTreeMap<usize, answers::Payment> = try_join_all(each).await?.into_iter().flatten().collect();
    Ok(shown.into_values().collect())
}
