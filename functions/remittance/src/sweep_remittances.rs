//! Advances remittances that are not final: one by a delayed message, or, on a slow schedule, all that were forgotten.
//!
//! The relay sends the message whenever it sees a record that is not final, so no index is needed on the hot path.
//! The schedule's scan is for what even that has lost; it goes on by a message to this operation's own queue.

use crate::{answers::RemittanceView, items::Remittance, remittances};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{KeyName, Scan},
};
use kernel::id::RemittanceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Record, kind_of};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "sweepRemittances",
    summary: "Advances remittances that are overdue",
    triggers: &[Trigger::Queue, Trigger::Schedule("rate(1 hour)")],
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ScanTable, Grant::Enqueue(NAME)],
    timeout_seconds: 60,
    ..remittances::advances(handled_by!(sweep_remittances))
};

/// The operation's full name.
pub const NAME: &str = "remittance.sweepRemittances";

/// What to sweep: one record, or the table from a place on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sweep {
    /// The one record.
    pub remittance_id: Option<RemittanceId>,
    /// Where the run before ended.
    pub after: Option<KeyName>,
}

/// What was swept.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// The records that were advanced, as they are now.
    pub advanced: Vec<RemittanceView>,
}

async fn sweep_remittances(context: &Context, call: Call<Sweep>) -> Result<Reply<Swept>, Problem> {
    let mut advanced = Vec::new();
    if let Some(id) = call.body.remittance_id {
        // A record that is gone, or done by now, needs nothing.
        if let Some(record) = remittances::find(context, id).await?.filter(|record| !record.is_final()) {
            advanced.push(RemittanceView::sent(&remittances::advance(context, &call, record).await?));
        }
        return Ok(Reply::ok(Swept { advanced }));
    }
    let mut scan = Scan::after(call.body.after.as_ref());
    while let Some(items) = scan.page(context).await? {
        for item in items.into_iter().filter(|item| kind_of(item) == Remittance::KIND) {
            let record: Remittance = store::read(item)?;
            if !record.is_final() && record.leased_until < call.now {
                advanced.push(RemittanceView::sent(&remittances::advance(context, &call, record).await?));
            }
        }
    }
    scan.go_on(context, NAME, &call.trace).await?;
    Ok(Reply::ok(Swept { advanced }))
}
