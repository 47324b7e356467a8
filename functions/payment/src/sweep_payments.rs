//! Goes on with payments that are not at rest: one by a delayed message, or, on a slow schedule, all that were
//! forgotten.
//!
//! The relay sends the message whenever it sees a payment that is not at rest, so no index is needed on the hot path.
//! The schedule's scan finds records whose message was lost; it goes on by a message to this operation's own queue.

use crate::{answers, items::Payment, outbox::OUTBOX, payments, refunds, settled};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, KeyName},
};
use events::{
    Fact,
    payment::{PaymentApproved, PaymentCanceled},
};
use kernel::id::PaymentId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "sweepPayments",
    summary: "Goes on with payments and cancellations that are overdue",
    triggers: &[Trigger::Queue, Trigger::Schedule("rate(1 hour)")],
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ScanTable, Grant::Enqueue(NAME)],
    emits: &[PaymentApproved::TYPE, PaymentCanceled::TYPE],
    timeout_seconds: 60,
    ..payments::advances(handled_by!(sweep_payments))
};

/// The operation's full name.
pub const NAME: &str = "payment.sweepPayments";

/// What to sweep: one payment, or the table from a place on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sweep {
    /// The one payment.
    pub payment_id: Option<PaymentId>,
    /// How often it had been tried in vain when the message was sent. If it was since, this one is not needed.
    pub attempts: Option<u32>,
    /// Where the run before ended.
    pub after: Option<KeyName>,
}

/// What was swept.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// The one payment as it is now, if it was gone on with.
    pub advanced: Vec<answers::Payment>,
    /// How many messages were sent for payments that were forgotten, if it was for these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued: Option<u32>,
}

async fn sweep_payments(context: &Context, call: Call<Sweep>) -> Result<Reply<Swept>, Problem> {
    let Sweep { payment_id, attempts, after } = &call.body;
    let Some(id) = *payment_id else {
        let queued = outbox::sweep(context, &call, &OUTBOX, NAME, after.as_ref()).await?;
        return Ok(Reply::ok(Swept { advanced: Vec::new(), queued: Some(queued) }));
    };
    // A payment that is gone, or at rest by now, needs nothing.
    let is_due =
        |payment: &Payment| !payment.is_at_rest() && !outbox::is_overtaken(*attempts, payment.attempts);
    let mut advanced = Vec::new();
    if let Some(payment) = payments::find(context, id).await?.filter(is_due) {
        advanced.push(go_on(context, &call, payment).await?);
    }
    Ok(Reply::ok(Swept { advanced, queued: None }))
}

async fn go_on(context: &Context, call: &Call<Sweep>, payment: Payment) -> Result<answers::Payment, Problem> {
    let payment = payments::advance(context, call, payment).await?;
    let payment = refunds::advance(context, call, payment).await?;
    // An unchanged item is in no stream: this brings the next message.
    let payment = if payment.is_approved() && !payment.is_at_rest() {
        payments::wait(context, payment).await?
    } else {
        payment
    };
    settled::show(context, &payment).await
}
