//! Goes on with payments that are not at rest: one by a delayed message, or, on a slow schedule, all that were
//! forgotten.
//!
//! The relay sends the message whenever it sees a payment that is not at rest, so no index is needed on the hot path.
//! The schedule's scan is for what even that has lost; it goes on by a message to this operation's own queue.

use crate::{answers, items::Payment, payments, refunds, settled};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{KeyName, Scan},
};
use events::{
    Fact,
    payment::{PaymentApproved, PaymentCanceled},
};
use kernel::id::PaymentId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Record, kind_of};

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
    /// Where the run before ended.
    pub after: Option<KeyName>,
}

/// What was swept.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// The payments that were gone on with, as they are now.
    pub advanced: Vec<answers::Payment>,
}

async fn sweep_payments(context: &Context, call: Call<Sweep>) -> Result<Reply<Swept>, Problem> {
    let mut advanced = Vec::new();
    if let Some(id) = call.body.payment_id {
        // A payment that is gone, or at rest by now, needs nothing.
        if let Some(payment) = payments::find(context, id).await?.filter(|payment| !payment.is_at_rest()) {
            advanced.push(go_on(context, &call, payment).await?);
        }
        return Ok(Reply::ok(Swept { advanced }));
    }
    let mut scan = Scan::after(call.body.after.as_ref());
    while let Some(items) = scan.page(context).await? {
        for item in items.into_iter().filter(|item| kind_of(item) == Payment::KIND) {
            let payment: Payment = store::read(item)?;
            if !payment.is_at_rest() && payment.leased_until < call.now {
                advanced.push(go_on(context, &call, payment).await?);
            }
        }
    }
    scan.go_on(context, NAME, &call.trace).await?;
    Ok(Reply::ok(Swept { advanced }))
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
