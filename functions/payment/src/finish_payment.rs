//! `POST /v1/payments/{paymentId}/finish`: a payment is settled, by an operator or by settlement.
//!
//! From normal to settled, only that way, and once; asking again changes nothing and answers the same. A payment that
//! was taken back in full is finished like any other: there is nothing in it.

use crate::{answers, domain::lifecycle, payments, refusals};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by, problem,
};
use events::{Fact, payment::PaymentFinished};
use kernel::id::PaymentId;
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "finishPayment",
    summary: "Marks a payment as settled",
    triggers: &[Trigger::Route(Method::Post, "/v1/payments/{paymentId}/finish"), Trigger::Call],
    access: Access::Scopes(&[Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::WriteTable],
    emits: &[PaymentFinished::TYPE],
    refuses: &[&problem::NOT_FOUND, &refusals::PAYMENT_NOT_APPROVED],
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
    let decide = |payment: &_| lifecycle::settled(payment, call.now).map_err(Problem::from);
    let payment = payments::change(context, payment, decide).await?;
    Ok(Reply::ok(answers::Payment::from(&payment)))
}
