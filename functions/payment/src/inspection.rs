//! What auditPayment holds against one another: payments, the records of their cancellations, manifests and groups.
//!
//! Everything is looked up from one item, so that a page of the table can be checked alone: a payment asks which
//! settlements have it, a page of a manifest asks for what it lists and for the page before.

use crate::{
    domain::{Position, totals},
    items::{Canceled, CollectedPage, Payment, SettledGroup},
    manifests, settled,
    walk::Listed,
};
use contract::{
    Context, Problem,
    audit::{self, AuditPage, Finding, Sums, readable},
    peers::last_look_at,
};
use futures_util::future::try_join_all;
use kernel::{
    OutOfRange, SeoulDay,
    id::{CancellationId, FranchiseId, PaymentId},
};
use store::{Item, Record, kind_of};

/// A payment or a cancellation of it.
type Ids = (PaymentId, Option<CancellationId>);

/// What is wrong with the settlement of these items. Pages of manifests are read one after the other, because each
/// is a part of the index; everything else at once.
pub async fn inspect(context: &Context, items: &[Item]) -> Result<Vec<Finding>, Problem> {
    let (pages, others): (Vec<&Item>, Vec<&Item>) =
        items.iter().partition(|item| kind_of(item) == CollectedPage::KIND);
    let others = others.into_iter().map(|item| inspect_one(context, item));
    let mut findings: Vec<Finding> = try_join_all(others).await?.into_iter().flatten().collect();
    for page in pages {
        match readable(page) {
            Ok(page) => findings.extend(manifest_page(context, &page).await?),
            Err(finding) => findings.push(finding),
        }
    }
    Ok(findings)
}

/// How many of these items are pages of manifests.
pub fn pages_in(items: &[Item]) -> usize {
    items.iter().filter(|item| kind_of(item) == CollectedPage::KIND).count()
}

async fn inspect_one(context: &Context, item: &Item) -> Result<Vec<Finding>, Problem> {
    match kind_of(item) {
        // One that cannot be read is found by who counts it.
        Payment::KIND => match readable(item) {
            Ok(payment) => of_payment(context, &payment).await,
            Err(_) => Ok(Vec::new()),
        },
        Canceled::KIND => match readable(item) {
            Ok(canceled) => of_cancellation(context, &canceled).await,
            Err(finding) => Ok(vec![finding]),
        },
        SettledGroup::KIND => match readable(item) {
            Ok(group) => of_group(context, &group).await,
            Err(finding) => Ok(vec![finding]),
        },
        _ => Ok(Vec::new()),
    }
}

/// Adds what finished settlements have, as their manifests say.
pub fn count(items: &[Item], page: &AuditPage, sums: &mut Sums) -> Result<(), OutOfRange> {
    for item in items.iter().filter(|item| kind_of(item) == SettledGroup::KIND) {
        let Ok(group) = readable::<SettledGroup>(item) else { continue };
        if group.settled_at < page.cut {
            sums.plus("manifest.paid", group.paid)?;
            sums.plus("manifest.canceled", group.canceled)?;
        }
    }
    Ok(())
}

/// Each part that is back has its record, and no two settlements have the payment.
async fn of_payment(context: &Context, payment: &Payment) -> Result<Vec<Finding>, Problem> {
    let Some(approved_at) = payment.approved_at else { return Ok(Vec::new()) };
    let mut findings = Vec::new();
    for part in &payment.cancellations {
        let Some(moved) = part.moved() else { continue };
        let key = Canceled::key_of(payment.payment_id, part.cancellation_id);
        let record: Option<Canceled> = audit::find(context, &key).await?;
        if record != Some(Canceled::of(payment, part, moved)) {
            let (id, detail) = (part.cancellation_id, "its money is back, and no record of it says the same");
            findings.push(Finding::new("cancellation_unrecorded", id.to_string(), detail));
        }
    }
    let position = Position::of_payment(approved_at, payment.payment_id);
    let ids = (payment.payment_id, None);
    findings.extend(settled_once(context, payment.franchise_id, &position, ids).await?);
    Ok(findings)
}

/// The payment has such a part, and no two settlements have it.
async fn of_cancellation(context: &Context, canceled: &Canceled) -> Result<Vec<Finding>, Problem> {
    let mut findings = Vec::new();
    let payment: Option<Payment> = audit::find(context, &Payment::key_of(canceled.payment_id)).await?;
    let is_part = payment.is_some_and(|payment| {
        let mut parts = payment.cancellations.iter();
        // Its item says last that the money is back.
        parts.any(|part| Canceled::of(&payment, part, canceled.moved()) == *canceled)
    });
    if !is_part {
        let (id, detail) = (canceled.cancellation_id, "its payment has no such part");
        findings.push(Finding::new("cancellation_unknown", id.to_string(), detail));
    }
    let position = Position::of_cancellation(canceled.refunded_at, canceled.cancellation_id);
    let ids = (canceled.payment_id, Some(canceled.cancellation_id));
    findings.extend(settled_once(context, canceled.franchise_id, &position, ids).await?);
    Ok(findings)
}

async fn settled_once(
    context: &Context,
    franchise: FranchiseId,
    position: &Position,
    ids: Ids,
) -> Result<Option<Finding>, Problem> {
    let subject = ids.1.map_or_else(|| ids.0.to_string(), |id| id.to_string());
    // One more than look through the day: it tells that they have all been.
    let groups = settled::groups(context, franchise, &position.day, settled::LOOKS.saturating_add(1)).await?;
    let having = settled::having(context, franchise, &groups, position, ids).await?;
    if having > 1 {
        return Ok(Some(Finding::new("settled_twice", subject, "more than one finished settlement has it")));
    }
    if having == 0 && are_over(context, franchise, &position.day, &groups).await? {
        let detail = "every settlement that looks through its day is finished, and none has it";
        return Ok(Some(Finding::new("left_behind", subject, detail)));
    }
    Ok(None)
}

/// Whether all settlements that look through a day are finished: its windows are over, and none of the chain is still
/// to be finished.
async fn are_over(
    context: &Context,
    franchise: FranchiseId,
    day: &SeoulDay,
    groups: &[SettledGroup],
) -> Result<bool, Problem> {
    let (Some(first), Some(last)) = (groups.first(), groups.last()) else { return Ok(false) };
    if last.through <= last_look_at(day) {
        return Ok(false);
    }
    let before = settled::before(context, franchise, day).await?.map_or(0, |group| group.sequence);
    let sequences = groups.iter().map(|group| group.sequence);
    let expected = first.sequence..=last.sequence;
    Ok(before.saturating_add(1) == first.sequence && sequences.eq(expected))
}

/// The manifest is complete and comes to what the group says; it begins where the group before lets it.
async fn of_group(context: &Context, group: &SettledGroup) -> Result<Vec<Finding>, Problem> {
    let mut findings = Vec::new();
    let mut find = |rule: &str, detail: &str| {
        findings.push(Finding::new(rule, group.settlement_id.to_string(), detail));
    };
    let last = manifests::last(context, group.franchise_id, &group.name()).await?;
    let Some(last) = last.filter(CollectedPage::is_last) else {
        find("manifest_incomplete", "it is finished, and its manifest is not complete");
        return Ok(findings);
    };
    let stated = totals::Whole {
        payments: group.payments,
        paid: group.paid,
        cancellations: group.cancellations,
        canceled: group.canceled,
    };
    if totals::whole(&last.totals) != Ok(stated) {
        find("group_totals", "it does not come to what its manifest comes to");
    }
    if let Some(before) = settled::before(context, group.franchise_id, &group.through).await? {
        let is_next = before.sequence.saturating_add(1) == group.sequence;
        let overlaps = last.from <= before.through;
        let is_left_out = last.settled.contains(&before.name());
        if before.sequence >= group.sequence || is_next && overlaps && !is_left_out {
            find(
                "manifest_overlaps",
                "it looks through days of a settlement before it, and does not leave it out",
            );
        }
    }
    Ok(findings)
}

/// A page goes on where the one before ends; it lists what there is, of its days, once; its totals are right.
async fn manifest_page(context: &Context, page: &CollectedPage) -> Result<Vec<Finding>, Problem> {
    let before = manifests::before(context, page).await?;
    let content = manifests::content(context, page).await?;
    let mut findings = Vec::new();
    let mut hold = |holds: bool, rule: &str, detail: &str| {
        if !holds {
            let subject = format!("{}#{}#{}", page.franchise_id, page.sequence, page.begins);
            findings.push(Finding::new(rule, subject, detail));
        }
    };
    let goes_on = match &before {
        None => page.begins == Position::first(page.from.clone()),
        Some(before) => before.ends.as_ref() == Some(&page.begins) && before.from == page.from,
    };
    let is_ordered = page.ends.as_ref().is_none_or(|ends| page.begins < *ends);
    hold(goes_on && is_ordered, "manifest_torn", "it does not begin where the page before ends");
    let count = content.listed.len().saturating_add(content.missing.len());
    hold(content.missing.is_empty(), "listed_missing", "it lists what this franchise was not paid");
    hold(page.ids().count() == count, "listed_twice", "it lists something twice");
    let days = page.from.clone()..=page.through.clone();
    let belongs = |listed: &Listed| page.covers(&listed.position) && days.contains(&listed.position.day);
    hold(content.listed.iter().all(belongs), "listed_elsewhere", "it lists what is not of its days");
    let mut totals = before.map(|before| before.totals).unwrap_or_default();
    let added = content.listed.iter().try_for_each(|listed| totals::add(&mut totals, &listed.row));
    hold(added.is_ok() && totals == page.totals, "manifest_totals", "its totals are not what it lists");
    Ok(findings)
}
