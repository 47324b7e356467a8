//! `POST /v1/payments/{paymentId}/cancellations`: takes a payment back, or a part of it.
//!
//! The payer may, and the merchant who was paid. The cancellation is written into the payment's own item first, on the
//! version that was decided on, so that the parts never add up to more than was paid; then the money goes back. It
//! may be asked for after settlement too: the franchise's next settlement takes it, as a line of its own.

use crate::{
    answers,
    domain::cancellations,
    items::{Cancellation, CancellationReason, Payment},
    payments, refunds, refusals, replica, settled,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger,
    call::given,
    handled_by,
    peers::{FIND_FRANCHISE_TERMS, TRANSFER_MONEY},
    problem,
};
use events::{Fact, payment::PaymentCanceled};
use kernel::{
    Id, Money,
    id::{CancellationId, PaymentId},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "cancelPayment",
    summary: "Takes a payment back, or a part of it: by its payer or by the merchant who was paid",
    triggers: &[Trigger::Route(Method::Post, "/v1/payments/{paymentId}/cancellations")],
    access: Access::Scopes(&[Scope::Member, Scope::Merchant]),
    grants: &[Grant::ReadTable, Grant::WriteTable],
    calls: &[FIND_FRANCHISE_TERMS.operation, TRANSFER_MONEY.operation],
    emits: &[PaymentCanceled::TYPE],
    answers: &[201, 202],
    refuses: &[
        &problem::NOT_FOUND,
        &refusals::PAYMENT_NOT_APPROVED,
        &refusals::NOTHING_LEFT_TO_CANCEL,
        &refusals::CANCELLATION_EXCEEDS_PAYMENT,
        &refusals::TOO_MANY_CANCELLATIONS,
    ],
    idempotent: true,
    timeout_seconds: 20,
    ..handled_by!(cancel_payment)
};

/// What to take back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelPayment {
    /// The payment.
    pub payment_id: PaymentId,
    /// How much; all that is left if unsaid.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Money")]
    pub amount: Option<Money>,
    /// Why.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "CancellationReason")]
    pub reason: Option<CancellationReason>,
}

async fn cancel_payment(
    context: &Context,
    call: Call<CancelPayment>,
) -> Result<Reply<answers::Payment>, Problem> {
    let id = cancellation_id(&call)?;
    if call.body.amount.is_some_and(Money::is_zero) {
        return Err(Problem::field("/amount/amount", "must be at least 1"));
    }
    let payment = payments::find(context, call.body.payment_id).await?.ok_or(&problem::NOT_FOUND)?;
    if call.caller.member()? != payment.membership_id {
        replica::hold_to_owner(context, &call, payment.franchise_id).await?;
    }
    let wanted = Cancellation {
        cancellation_id: id,
        amount: Money::ZERO,
        reason: call.body.reason,
        requested_at: call.now,
        refunded_at: None,
        entered_at: None,
        fingerprint: call.fingerprint.clone(),
        traceparent: call.trace.traceparent().to_owned(),
    };
    let is_known = find(&payment, id).is_some();
    let decide =
        |payment: &Payment| cancellations::add(payment, &wanted, call.body.amount).map_err(Problem::from);
    let payment = payments::change(context, payment, decide).await?;
    // Somebody else's is theirs to pay back, or the sweeper's.
    let payment = refunds::advance_one(context, &call, payment, id).await?;
    let reply = reply(&payment, id, settled::show(context, &payment).await?);
    Ok(if is_known { reply.replayed() } else { reply })
}

/// Derived from caller, operation, payment and key: the cancellation is the idempotency record.
fn cancellation_id(call: &Call<CancelPayment>) -> Result<CancellationId, Problem> {
    let key = call.idempotency_key.as_ref().ok_or(&problem::IDEMPOTENCY_KEY_REQUIRED)?;
    let payment = call.body.payment_id.to_string();
    Ok(Id::derive(&[&call.caller.to_string(), &call.operation, &payment, key.as_str()]))
}

fn find(payment: &Payment, id: CancellationId) -> Option<&Cancellation> {
    payment.cancellations.iter().find(|part| part.cancellation_id == id)
}

/// Done, or to be continued.
fn reply(payment: &Payment, id: CancellationId, shown: answers::Payment) -> Reply<answers::Payment> {
    match find(payment, id).and_then(|part| part.refunded_at) {
        Some(_) => Reply::created(payment.location(), shown),
        None => Reply::accepted(payment.location(), shown),
    }
}
