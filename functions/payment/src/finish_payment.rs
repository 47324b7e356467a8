//! `POST /v1/payments/{paymentId}/finish`: whether a payment is finished, for an operator or for settlement.
//!
//! Only a settlement finishes payments, all that its manifest lists at once, so there is nothing to write: a payment
//! that is in one answers 200, however often it is asked, and any other one a refusal. One that was taken back in full
//! is finished like any other: its cancellations are lines of their own.

use crate::{answers, domain::Refusal, payments, refusals, settled};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by, problem,
};
use kernel::id::PaymentId;
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "finishPayment",
    summary: "Confirms that a payment is settled",
    triggers: &[Trigger::Route(Method::Post, "/v1/payments/{paymentId}/finish"), Trigger::Call],
    access: Access::Scopes(&[Scope::Operator]),
    grants: &[Grant::ReadTable],
    refuses: &[&problem::NOT_FOUND, &refusals::PAYMENT_NOT_APPROVED, &refusals::PAYMENT_NOT_SETTLED],
    ..handled_by!(finish_payment)
};

/// Which one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishPayment {
    /// The payment.
    pub payment_id: PaymentId,
}

async fn finish_payment(
    context: &Context,
    call: Call<FinishPayment>,
) -> Result<Reply<answers::Payment>, Problem> {
    let payment = payments::find(context, call.body.payment_id).await?.ok_or(&problem::NOT_FOUND)?;
    if !payment.is_approved() {
        return Err(Refusal::NotApproved.into());
    }
    let shown = settled::show(context, &payment).await?;
    if shown.is_settled() { Ok(Reply::ok(shown)) } else { Err(Refusal::NotSettled.into()) }
}
