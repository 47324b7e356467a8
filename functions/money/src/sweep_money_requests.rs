//! Advances money requests that are not final: one by a delayed message, or, on a slow schedule, all that were forgotten.
//!
//! The relay sends the message whenever it sees a record that is not final, so no index is needed on the hot path.
//! The schedule's scan is for what even that has lost; it goes on by a message to this operation's own queue.

use crate::{items::MoneyRequest, money_requests};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{KeyName, Scan},
    peers::MoneyRequestView,
};
use kernel::id::MoneyRequestId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Record, kind_of};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "sweepMoneyRequests",
    summary: "Advances recharges and withdrawals that are overdue",
    triggers: &[Trigger::Queue, Trigger::Schedule("rate(1 hour)")],
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ScanTable, Grant::Enqueue(NAME)],
    timeout_seconds: 60,
    ..money_requests::advances(handled_by!(sweep_money_requests))
};

/// The operation's full name.
pub const NAME: &str = "money.sweepMoneyRequests";

/// What to sweep: one record, or the table from a place on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sweep {
    /// The one record.
    pub money_request_id: Option<MoneyRequestId>,
    /// Where the run before ended.
    pub after: Option<KeyName>,
}

/// What was swept.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// The records that were advanced, as they are now.
    pub advanced: Vec<MoneyRequestView>,
}

async fn sweep_money_requests(context: &Context, call: Call<Sweep>) -> Result<Reply<Swept>, Problem> {
    let mut advanced = Vec::new();
    if let Some(id) = call.body.money_request_id {
        // A record that is gone, or done by now, needs nothing.
        if let Some(record) = money_requests::find(context, id).await?.filter(|record| !record.is_final()) {
            advanced.push(MoneyRequestView::from(&money_requests::advance(context, &call, record).await?));
        }
        return Ok(Reply::ok(Swept { advanced }));
    }
    let mut scan = Scan::after(call.body.after.as_ref());
    while let Some(items) = scan.page(context).await? {
        for item in items.into_iter().filter(|item| kind_of(item) == MoneyRequest::KIND) {
            let record: MoneyRequest = store::read(item)?;
            if is_overdue(&record, &call) {
                advanced
                    .push(MoneyRequestView::from(&money_requests::advance(context, &call, record).await?));
            }
        }
    }
    scan.go_on(context, NAME, &call.trace).await?;
    Ok(Reply::ok(Swept { advanced }))
}

fn is_overdue(record: &MoneyRequest, call: &Call<Sweep>) -> bool {
    !record.is_final() && record.leased_until < call.now
}
