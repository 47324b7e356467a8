//! Called by settlement: collects what a franchise was paid, and what it gave back, into a manifest.
//!
//! One call does a bounded part and keeps nothing but the pages that it puts: it reads the manifest's last page and
//! goes on from its end, until a page says that it is the last. Days of earlier settlements are looked through again,
//! because records come late; what those have is left out. No payment is touched, so the writes grow with pages.

use crate::{
    domain::{Position, Refusal, totals},
    items::CollectedPage,
    manifests::{self, Earlier},
    refusals,
    settings::Settings,
    walk::{Budget, Days, Walk},
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{Manifest, ManifestName, ManifestOrder},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "collectManifest",
    summary: "Collects a franchise's payments and cancellations of some business days for a settlement",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    refuses: &[&refusals::OTHER_MANIFEST, &refusals::MANIFEST_INCOMPLETE],
    timeout_seconds: 25,
    ..handled_by!(collect_manifest)
};

/// The longest manifest, in days: a settlement of all that a franchise was ever paid should fit.
const MOST_DAYS: i64 = 400;
/// How many earlier manifests can reach into the days of one.
const MOST_SETTLED: usize = 4;

async fn collect_manifest(context: &Context, call: Call<ManifestOrder>) -> Result<Reply<Manifest>, Problem> {
    let order = &call.body;
    check(order)?;
    let last = manifests::last(context, order.franchise_id, &order.name).await?;
    let mut page = last.unwrap_or_else(|| beginning(order));
    if page.from != order.from || page.settled != order.settled {
        return Err(Refusal::OtherManifest.into());
    }
    let mut earlier = Vec::new();
    if !page.is_last() {
        for name in &order.settled {
            earlier.push(Earlier::of(context, order.franchise_id, name).await?);
        }
    }
    let (from, through) = (order.from.clone(), order.name.through.clone());
    let days = Days { franchise: order.franchise_id, from: from.clone(), through };
    let settings = Settings::of(context)?;
    let budget = Budget { items: settings.manifest_call_items, lists: settings.manifest_call_lists };
    let mut walk = Walk::new(context, days, Position::first(from), budget);
    while let Some(begins) = page.ends.clone() {
        walk.go_to(Some(begins.clone()));
        let empty = CollectedPage { begins, ..page.clone() };
        let gathered =
            gather(context, &mut walk, &mut earlier, emptied(empty), settings.manifest_page_bytes).await?;
        if gathered.ends.as_ref() == Some(&gathered.begins) {
            break;
        }
        page = manifests::put(context, gathered).await?;
    }
    Ok(Reply::ok(Manifest { complete: page.is_last(), totals: page.totals }))
}

/// What a manifest that is not begun ends with.
fn beginning(order: &ManifestOrder) -> CollectedPage {
    let first = Position::first(order.from.clone());
    CollectedPage {
        franchise_id: order.franchise_id,
        sequence: order.name.sequence,
        through: order.name.through.clone(),
        from: order.from.clone(),
        settled: order.settled.clone(),
        begins: first.clone(),
        ends: Some(first),
        payments: Default::default(),
        cancellations: Default::default(),
        totals: Vec::new(),
    }
}

/// A page that goes on with the totals of the one before, and lists nothing yet.
fn emptied(page: CollectedPage) -> CollectedPage {
    CollectedPage { payments: Default::default(), cancellations: Default::default(), ..page }
}

/// Fills a page from where the walk is: until it is full, or the walk stops.
async fn gather(
    context: &Context,
    walk: &mut Walk<'_>,
    earlier: &mut [Earlier],
    mut page: CollectedPage,
    most_bytes: usize,
) -> Result<CollectedPage, Problem> {
    while let Some(listed) = walk.next().await? {
        let mut is_settled = false;
        for manifest in earlier.iter_mut() {
            is_settled |= manifest.has(context, &listed).await?;
        }
        if is_settled {
            continue;
        }
        page.push(listed.row.payment_id, listed.row.cancellation_id);
        totals::add(&mut page.totals, &listed.row).map_err(Problem::internal)?;
        if page.id_bytes() >= most_bytes {
            break;
        }
    }
    Ok(CollectedPage { ends: walk.position().cloned(), ..page })
}

fn check(order: &ManifestOrder) -> Result<(), Problem> {
    let ManifestOrder { name, from, settled, .. } = order;
    if name.sequence == 0 {
        return Err(Problem::field("/name/sequence", "must be at least 1"));
    }
    let days = name.through.days_since(from);
    if !(0..MOST_DAYS).contains(&days) {
        return Err(Problem::field(
            "/from",
            format!("must be at most {MOST_DAYS} days, and end in the last"),
        ));
    }
    let is_before = |known: &&ManifestName| name.sequence > known.sequence && name.through > known.through;
    if settled.len() > MOST_SETTLED || settled.iter().filter(is_before).count() < settled.len() {
        return Err(Problem::field("/settled", "must be few, and of earlier settlements"));
    }
    Ok(())
}
