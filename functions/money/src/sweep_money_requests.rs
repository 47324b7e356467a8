//! Advances money requests that are not final: one by a delayed message, or, on a slow schedule, all that were
//! forgotten.
//!
//! The relay sends the message whenever it sees a record that is not final, so no index is needed on the hot path.
//! The schedule's scan finds records whose message was lost; it goes on by a message to this operation's own queue.

use crate::{items::MoneyRequest, money_requests, outbox::OUTBOX};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, KeyName},
    peers::MoneyRequestView,
};
use kernel::id::MoneyRequestId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// How often it had been tried in vain when the message was sent. If it was since, this one is not needed.
    pub attempts: Option<u32>,
    /// Where the run before ended.
    pub after: Option<KeyName>,
}

/// What was swept.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// The one record as it is now, if it was advanced.
    pub advanced: Vec<MoneyRequestView>,
    /// How many messages were sent for records that were forgotten, if it was for these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued: Option<u32>,
}

async fn sweep_money_requests(context: &Context, call: Call<Sweep>) -> Result<Reply<Swept>, Problem> {
    let Sweep { money_request_id, attempts, after } = &call.body;
    let Some(id) = *money_request_id else {
        let queued = outbox::sweep(context, &call, &OUTBOX, NAME, after.as_ref()).await?;
        return Ok(Reply::ok(Swept { advanced: Vec::new(), queued: Some(queued) }));
    };
    // A record that is gone, or done by now, needs nothing.
    let is_due =
        |record: &MoneyRequest| !record.is_final() && !outbox::is_overtaken(*attempts, record.attempts);
    let mut advanced = Vec::new();
    if let Some(record) = money_requests::find(context, id).await?.filter(is_due) {
        advanced.push(MoneyRequestView::from(&money_requests::advance(context, &call, record).await?));
    }
    Ok(Reply::ok(Swept { advanced, queued: None }))
}
