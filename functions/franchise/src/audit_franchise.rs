//! Called by money's auditLedger: looks through franchise's table, a page at a time.
//!
//! A franchise can be read, is closed if and only if it says when, and its fees begin when it does.

use crate::items::Franchise;
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger,
    audit::{self, AuditPage, Audited, Finding, Inspection},
    handled_by,
};
use store::{Item, Record, kind_of};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "auditFranchise",
    summary: "Checks franchise's table",
    triggers: &[Trigger::Call],
    grants: &[Grant::ScanTable],
    timeout_seconds: 30,
    ..handled_by!(audit_franchise)
};

async fn audit_franchise(context: &Context, call: Call<AuditPage>) -> Result<Reply<Audited>, Problem> {
    let mut inspection = Inspection::of(&call.body);
    while let Some(items) = inspection.items(context).await? {
        inspection.find(items.iter().filter_map(inspect));
    }
    Ok(Reply::ok(inspection.end()))
}

fn inspect(item: &Item) -> Option<Finding> {
    if kind_of(item) != Franchise::KIND {
        return None;
    }
    match audit::readable::<Franchise>(item) {
        Ok(franchise) => {
            let fits = franchise.is_closed() == franchise.closed.is_some();
            let subject = franchise.franchise_id.to_string();
            (!fits).then(|| Finding::new("end_unsaid", subject, "it is closed if and only if it says when"))
        }
        Err(finding) => Some(finding),
    }
}
