//! Which facts payment's items state, and which payments are not at rest.

use crate::{
    items::{Cancellation, Payment, SettledGroup},
    sweep_payments,
};
use contract::outbox::{Later, Outbox, delay_seconds};
use events::{
    Envelope,
    payment::{PaymentApproved, PaymentCanceled, PaymentFinished},
};
use serde_json::json;
use store::{Item, Record, Unreadable, kind_of, read};

/// Payment's outbox.
pub const OUTBOX: Outbox = Outbox { facts, unfinished, republish: "payment.republish" };

/// The first message comes when the first worker's lease is over; later ones ever more slowly.
const FIRST_DELAY_SECONDS: u32 = 25;

fn facts(item: &Item) -> Result<Vec<Envelope>, Unreadable> {
    match kind_of(item) {
        Payment::KIND => {
            let payment: Payment = read(item.clone())?;
            let canceled = payment.cancellations.iter().filter_map(|part| canceled(&payment, part));
            Ok(approved(&payment).into_iter().chain(canceled).collect())
        }
        SettledGroup::KIND => Ok(vec![finished(&read(item.clone())?)]),
        _ => Ok(Vec::new()),
    }
}

fn approved(payment: &Payment) -> Option<Envelope> {
    let approved_at = payment.approved_at?;
    let fact = PaymentApproved {
        payment_id: payment.payment_id,
        membership_id: payment.membership_id,
        franchise_id: payment.franchise_id,
        amount: payment.amount,
        fee_bps: payment.fee_bps,
        requested_at: payment.requested_at,
        approved_at,
        business_day: approved_at.business_day(),
    };
    Some(Envelope::of(&fact, "", approved_at, &payment.traceparent))
}

fn canceled(payment: &Payment, part: &Cancellation) -> Option<Envelope> {
    let refunded_at = part.refunded_at?;
    let fact = PaymentCanceled {
        cancellation_id: part.cancellation_id,
        payment_id: payment.payment_id,
        membership_id: payment.membership_id,
        franchise_id: payment.franchise_id,
        amount: part.amount,
        fee_bps: payment.fee_bps,
        requested_at: part.requested_at,
        refunded_at,
        business_day: refunded_at.business_day(),
    };
    Some(Envelope::of(&fact, &part.cancellation_id.to_string(), refunded_at, &part.traceparent))
}

fn finished(group: &SettledGroup) -> Envelope {
    let fact = PaymentFinished {
        franchise_id: group.franchise_id,
        settlement_id: group.settlement_id,
        through: group.through.clone(),
        payments: group.payments,
        paid: group.paid,
        cancellations: group.cancellations,
        canceled: group.canceled,
        settled_at: group.settled_at,
    };
    Envelope::of(&fact, "", group.settled_at, &group.traceparent)
}

fn unfinished(item: &Item) -> Result<Option<Later>, Unreadable> {
    if kind_of(item) != Payment::KIND {
        return Ok(None);
    }
    let payment: Payment = read(item.clone())?;
    Ok((!payment.is_at_rest()).then(|| Later {
        operation: sweep_payments::NAME,
        body: json!({ "paymentId": payment.payment_id, "attempts": payment.attempts }),
        delay_seconds: delay_seconds(FIRST_DELAY_SECONDS, payment.attempts),
        busy_until: payment.leased_until,
    }))
}
