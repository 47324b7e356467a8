//! Called by money's auditLedger: looks through payment's table, a page at a time.
//!
//! What was taken back never passes what was paid, and a record says when and why it ended. Payments and cancellations
//! are summed up, to be compared with what the ledger has booked; what was open at the cut is set apart. What settlement
//! has taken is checked item by item (inspection.rs), so a page is a small one.

use crate::{
    inspection,
    items::{Payment, PaymentState},
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger,
    audit::{self, AuditPage, Audited, Finding, Inspection, Sums},
    handled_by,
};
use kernel::{Money, OutOfRange};
use store::{Record, kind_of};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "auditPayment",
    summary: "Checks payment's table, and sums up what was paid and taken back",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::ScanTable],
    timeout_seconds: 30,
    ..handled_by!(audit_payment)
};

/// How many items are looked up at once, and how often that in one run.
const ITEMS_AT_ONCE: u32 = 25;
const PAGES: u32 = 40;
/// How many pages of manifests one run checks, about: each of them is hundreds of payments.
const MOST_MANIFEST_PAGES: usize = 20;

async fn audit_payment(context: &Context, call: Call<AuditPage>) -> Result<Reply<Audited>, Problem> {
    let mut inspection = Inspection::in_pages_of(&call.body, ITEMS_AT_ONCE, PAGES);
    let mut manifest_pages = 0_usize;
    while manifest_pages < MOST_MANIFEST_PAGES
        && let Some(items) = inspection.items(context).await?
    {
        inspection::count(&items, &call.body, inspection.sums()).map_err(Problem::internal)?;
        let findings = inspection::inspect(context, &items).await?;
        inspection.find(findings);
        manifest_pages = manifest_pages.saturating_add(inspection::pages_in(&items));
        for item in items.iter().filter(|item| kind_of(item) == Payment::KIND) {
            match audit::readable::<Payment>(item) {
                Ok(payment) => {
                    count(&payment, &call.body, inspection.sums()).map_err(Problem::internal)?;
                    inspection.find(inspect(&payment));
                }
                Err(finding) => inspection.find([finding]),
            }
        }
    }
    Ok(Reply::ok(inspection.end()))
}

fn inspect(payment: &Payment) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut hold = |holds: bool, rule: &str, detail: &str| {
        if !holds {
            findings.push(Finding::new(rule, payment.payment_id.to_string(), detail));
        }
    };
    let canceled = payment.cancellations.iter().try_fold(Money::ZERO, |sum, part| sum.plus(part.amount));
    let is_covered = canceled.is_ok_and(|canceled| canceled <= payment.amount);
    hold(is_covered, "canceled_above_paid", "more is taken back than was paid");
    let is_paid = payment.is_approved();
    hold(is_paid == payment.approved_at.is_some(), "end_unsaid", "it is paid if and only if it says when");
    let is_reasoned = (payment.state == PaymentState::Failed) == payment.failure_reason.is_some();
    hold(is_reasoned, "end_unsaid", "it has failed if and only if it says why");
    let is_first = is_paid || payment.cancellations.is_empty();
    hold(is_first, "canceled_before_paid", "it is taken back and was never paid");
    findings
}

/// What was paid or is back has its ledger entry's time.
fn count(payment: &Payment, page: &AuditPage, sums: &mut Sums) -> Result<(), OutOfRange> {
    let owed = audit::payable_recorded(payment.franchise_id);
    let open = audit::payable_open(payment.franchise_id);
    match payment.entered_at.or(payment.approved_at) {
        Some(approved) if approved < page.cut => {
            sums.plus("recorded.paid", payment.amount)?;
            sums.plus(&owed, payment.amount)?;
        }
        None if payment.state == PaymentState::Requested && payment.requested_at < page.cut => {
            sums.plus("open.paid", payment.amount)?;
            sums.plus(&open, payment.amount)?;
        }
        _ => {}
    }
    for part in &payment.cancellations {
        match part.entered_at.or(part.refunded_at) {
            Some(refunded) if refunded < page.cut => {
                sums.plus("recorded.refunded", part.amount)?;
                sums.minus(&owed, part.amount)?;
            }
            None if part.requested_at < page.cut => {
                sums.plus("open.refunded", part.amount)?;
                sums.plus(&open, part.amount)?;
            }
            _ => {}
        }
    }
    Ok(())
}
