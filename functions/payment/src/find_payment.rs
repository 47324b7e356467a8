//! `GET /v1/payments/{paymentId}`: a payment, for its payer or for the merchant who was paid.
//!
//! Somebody else's answers 404, as if it did not exist.

use crate::{answers, payments, replica, settled};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    peers::FIND_FRANCHISE_TERMS, problem,
};
use kernel::id::PaymentId;
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findPayment",
    summary: "Shows a payment to its payer or to the merchant who was paid",
    triggers: &[Trigger::Route(Method::Get, "/v1/payments/{paymentId}")],
    access: Access::Scopes(&[Scope::Member, Scope::Merchant]),
    grants: &[Grant::ReadTable, Grant::WriteTable],
    calls: &[FIND_FRANCHISE_TERMS.operation],
    refuses: &[&problem::NOT_FOUND],
    ..handled_by!(find_payment)
};

/// Which one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// The payment.
    pub payment_id: PaymentId,
}

async fn find_payment(context: &Context, call: Call<Question>) -> Result<Reply<answers::Payment>, Problem> {
    let payment = payments::find(context, call.body.payment_id).await?.ok_or(&problem::NOT_FOUND)?;
    if call.caller.member()? != payment.membership_id {
        replica::hold_to_owner(context, &call, payment.franchise_id).await?;
    }
    Ok(Reply::ok(settled::show(context, &payment).await?))
}
