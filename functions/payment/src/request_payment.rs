//! `POST /v1/payments`: pays a franchise from the caller's wallet.
//!
//! What is short is recharged from a linked account first. The fee is the franchise's of this moment, by the copy that
//! payment keeps, and stays the payment's for ever; the caller never names it.

use crate::{
    answers,
    domain::{OrderId, Refusal},
    items::{FranchiseCopy, Payment, PaymentState},
    payments, refusals, replica,
    settings::Settings,
    settled,
};
use contract::{
    Access, Call, Context, Method, Operation, Problem, Reply, Scope, Trigger,
    call::given,
    handled_by,
    lease::{self, First},
    peers::{
        FIND_FRANCHISE_TERMS, FIND_RECHARGE_ACCOUNT, GET_BALANCE_REQUEST, INCREASE_MONEY_REQUEST,
        TRANSFER_MONEY,
    },
};
use events::franchise::FranchiseState;
use kernel::{
    Money, Timestamp,
    id::{BankAccountId, FranchiseId, PaymentId},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "requestPayment",
    summary: "Pays a franchise from the caller's wallet, recharging it first if money is short",
    triggers: &[Trigger::Route(Method::Post, "/v1/payments")],
    access: Access::Scopes(&[Scope::Member]),
    calls: &[
        FIND_FRANCHISE_TERMS.operation,
        TRANSFER_MONEY.operation,
        GET_BALANCE_REQUEST.operation,
        FIND_RECHARGE_ACCOUNT.operation,
        INCREASE_MONEY_REQUEST.operation,
    ],
    answers: &[201, 202],
    refuses: refusals::REQUEST_CODES,
    idempotent: true,
    ..payments::advances(handled_by!(request_payment))
};

/// The payment to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestPayment {
    /// Whom to pay.
    pub franchise_id: FranchiseId,
    /// How much; at least 1 won.
    pub amount: Money,
    /// The merchant's name for the order.
    pub order_id: OrderId,
    /// The caller's linked account to recharge a shortfall from; the one that was linked first if unsaid.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "BankAccountId")]
    pub bank_account_id: Option<BankAccountId>,
}

async fn request_payment(
    context: &Context,
    call: Call<RequestPayment>,
) -> Result<Reply<answers::Payment>, Problem> {
    let payment_id: PaymentId = call.derived_id()?;
    if call.body.amount.is_zero() {
        return Err(Problem::field("/amount/amount", "must be at least 1"));
    }
    let franchise = match open_franchise(context, &call).await? {
        Ok(franchise) => franchise,
        // A repetition is answered as the first time, whatever has become of the franchise.
        Err(refusal) => {
            return match payments::find(context, payment_id).await? {
                Some(known) => repeat(context, &call, known).await,
                None => Err(refusal.into()),
            };
        }
    };
    let payment = new_payment(context, &call, payment_id, &franchise)?;
    match lease::put_first(context, payment).await? {
        First::Ours(payment) => {
            let payment = payments::advance(context, &call, payment).await?;
            // What is paid now is in no settlement yet.
            payments::reply(&payment, answers::Payment::from(&payment))
        }
        First::Theirs(known) => repeat(context, &call, known).await,
    }
}

/// The franchise to be paid, if it takes payments.
async fn open_franchise(
    context: &Context,
    call: &Call<RequestPayment>,
) -> Result<Result<FranchiseCopy, Refusal>, Problem> {
    Ok(match replica::find(context, call, call.body.franchise_id).await? {
        Some(franchise) if franchise.state == FranchiseState::Open => Ok(franchise),
        Some(_) => Err(Refusal::FranchiseClosed),
        None => Err(Refusal::NoSuchFranchise),
    })
}

fn new_payment(
    context: &Context,
    call: &Call<RequestPayment>,
    payment_id: PaymentId,
    franchise: &FranchiseCopy,
) -> Result<Payment, Problem> {
    let payable_seconds = i64::from(Settings::of(context)?.payable_seconds);
    Ok(Payment {
        payment_id,
        membership_id: call.member()?,
        franchise_id: franchise.franchise_id,
        order_id: call.body.order_id.clone(),
        amount: call.body.amount,
        fee_bps: franchise.fee_terms.in_force(call.now),
        bank_account_id: call.body.bank_account_id,
        requested_at: call.now,
        payable_until: call.now.plus_seconds(payable_seconds),
        fingerprint: call.fingerprint.clone(),
        state: PaymentState::Requested,
        top_up: None,
        failure_reason: None,
        approved_at: None,
        entered_at: None,
        cancellations: Vec::new(),
        version: 1,
        attempts: 0,
        leased_until: lease::from(call.now),
        traceparent: call.trace.traceparent().to_owned(),
    })
}

/// Answers a repetition, and goes on with a payment whose first worker may have died.
async fn repeat(
    context: &Context,
    call: &Call<RequestPayment>,
    known: Payment,
) -> Result<Reply<answers::Payment>, Problem> {
    if known.fingerprint != call.fingerprint {
        return Err(Refusal::KeyReused.into());
    }
    let payment = take_over(context, known, call.now).await?;
    let payment = payments::advance(context, call, payment).await?;
    let outcome = payments::reply(&payment, settled::show(context, &payment).await?);
    outcome.map(Reply::replayed).map_err(|problem| Problem { replayed: true, ..problem })
}

/// Takes over the work on a payment, or says that its first worker is still at it.
async fn take_over(context: &Context, payment: Payment, now: Timestamp) -> Result<Payment, Problem> {
    if payment.state != PaymentState::Requested {
        return Ok(payment);
    }
    let leased_until = lease::take_over(payment.leased_until, now)?;
    payments::save(context, Payment { leased_until, ..payment }).await
}
