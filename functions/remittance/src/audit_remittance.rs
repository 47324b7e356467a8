//! Called by money's auditLedger: looks through remittance's table, a page at a time.
//!
//! A record that is final says when, and why if it failed. What was completed is summed up, to be compared with what
//! the ledger has booked for remittances; what was open at the cut is set apart.

use crate::items::{Remittance, RemittanceState};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger,
    audit::{self, AuditPage, Audited, Finding, Inspection, Sums},
    handled_by,
};
use kernel::OutOfRange;
use store::{Record, kind_of};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "auditRemittance",
    summary: "Checks remittance's table, and sums up what was remitted",
    triggers: &[Trigger::Call],
    grants: &[Grant::ScanTable],
    timeout_seconds: 30,
    ..handled_by!(audit_remittance)
};

async fn audit_remittance(context: &Context, call: Call<AuditPage>) -> Result<Reply<Audited>, Problem> {
    let mut inspection = Inspection::of(&call.body);
    while let Some(items) = inspection.items(context).await? {
        for item in items.iter().filter(|item| kind_of(item) == Remittance::KIND) {
            match audit::readable::<Remittance>(item) {
                Ok(record) => {
                    count(&record, &call.body, inspection.sums()).map_err(Problem::internal)?;
                    inspection.find(inspect(&record));
                }
                Err(finding) => inspection.find([finding]),
            }
        }
    }
    Ok(Reply::ok(inspection.end()))
}

fn inspect(record: &Remittance) -> Option<Finding> {
    let is_dated = record.is_final() == record.completed_at.is_some();
    let is_reasoned = (record.state == RemittanceState::Failed) == record.failure_reason.is_some();
    let finding = || {
        let detail = "it says when it ended if and only if it has, and why if and only if it failed";
        Finding::new("end_unsaid", record.remittance_id.to_string(), detail)
    };
    (!is_dated || !is_reasoned).then(finding)
}

/// A completed remittance has its ledger entry's time.
fn count(record: &Remittance, page: &AuditPage, sums: &mut Sums) -> Result<(), OutOfRange> {
    if record.requested_at >= page.cut || record.state == RemittanceState::Failed {
        return Ok(());
    }
    match record.completed_at {
        Some(completed) if completed < page.cut => sums.plus("recorded.remitted", record.amount),
        Some(_) => Ok(()),
        None => sums.plus("open.remitted", record.amount),
    }
}
