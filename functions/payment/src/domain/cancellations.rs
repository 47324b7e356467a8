//! Taking a payment back, in whole or in parts.
//!
//! The parts live in the payment's own item, and whoever adds one does so on the version that was decided on: so the
//! sum of the parts never passes the amount, however many ask at once. The last part that there is room for must be
//! all that is left, so that a payment can always be taken back in full.

use crate::{
    domain::Refusal,
    items::{Cancellation, Payment},
};
use kernel::Money;

/// How many parts a payment can be cancelled in.
pub const MOST: usize = 20;

/// What of a payment was cancelled, or is being cancelled.
pub fn canceled(payment: &Payment) -> Money {
    let sum = |sum: Money, part: &Cancellation| sum.plus(part.amount).unwrap_or(Money::MAX);
    payment.cancellations.iter().fold(Money::ZERO, sum)
}

/// What of it is left.
pub fn left(payment: &Payment) -> Money {
    payment.amount.minus_or_zero(canceled(payment))
}

/// The payment with one more cancellation: of this amount, or of all that is left. None if it has this one already.
pub fn add(
    payment: &Payment,
    wanted: &Cancellation,
    amount: Option<Money>,
) -> Result<Option<Payment>, Refusal> {
    let id = wanted.cancellation_id;
    if let Some(known) = payment.cancellations.iter().find(|known| known.cancellation_id == id) {
        return if known.fingerprint == wanted.fingerprint { Ok(None) } else { Err(Refusal::KeyReused) };
    }
    if !payment.is_approved() {
        return Err(Refusal::NotApproved);
    }
    let left = left(payment);
    if left.is_zero() {
        return Err(Refusal::NothingLeft);
    }
    let amount = amount.unwrap_or(left);
    if amount > left {
        return Err(Refusal::MoreThanIsLeft);
    }
    let is_last = payment.cancellations.len().saturating_add(1) >= MOST;
    if is_last && amount < left {
        return Err(Refusal::TooManyParts);
    }
    let mut changed = payment.clone();
    changed.cancellations.push(Cancellation { amount, ..wanted.clone() });
    Ok(Some(changed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Moved, OrderId, lifecycle},
        items::PaymentState,
    };
    use kernel::{BasisPoints, Id, Timestamp};

    /// A payment that waits for its wallet.
    fn requested(amount: u32) -> Payment {
        let now = events::example_time();
        Payment {
            payment_id: Id::derive(&["payment"]),
            membership_id: Id::derive(&["payer"]),
            franchise_id: Id::derive(&["shop"]),
            order_id: OrderId::parse("order-1").unwrap(),
            amount: Money::won(amount),
            fee_bps: BasisPoints::try_new(250).unwrap(),
            bank_account_id: None,
            requested_at: now,
            payable_until: now.plus_seconds(60),
            fingerprint: "payment".to_owned(),
            state: PaymentState::Requested,
            top_up: None,
            failure_reason: None,
            approved_at: None,
            entered_at: None,
            cancellations: Vec::new(),
            version: 1,
            attempts: 3,
            leased_until: now,
            traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
        }
    }

    fn moved(at: Timestamp) -> Moved {
        Moved::recorded(at, at)
    }

    fn paid(amount: u32, parts: &[u32]) -> Payment {
        let mut payment = lifecycle::approved(&requested(amount), moved(events::example_time()));
        for (number, part) in parts.iter().enumerate() {
            let part = Cancellation { amount: Money::won(*part), ..wanted(&number.to_string()) };
            payment.cancellations.push(part);
        }
        payment
    }

    fn wanted(name: &str) -> Cancellation {
        Cancellation {
            cancellation_id: Id::derive(&[name]),
            amount: Money::ZERO,
            reason: None,
            requested_at: events::example_time(),
            refunded_at: None,
            entered_at: None,
            fingerprint: name.to_owned(),
            traceparent: events::EXAMPLE_TRACEPARENT.to_owned(),
        }
    }

    /// What one more cancellation leaves of the payment.
    fn cancel(payment: &Payment, amount: Option<u32>) -> Result<u64, Refusal> {
        let changed = add(payment, &wanted("new"), amount.map(Money::won))?.unwrap();
        assert_eq!(changed.cancellations.last().unwrap().fingerprint, "new");
        Ok(left(&changed).amount())
    }

    #[test]
    fn no_more_is_taken_back_than_is_left() {
        for (parts, amount, left) in [
            (&[][..], None, Ok(0)),
            (&[], Some(1_000), Ok(0)),
            (&[], Some(999), Ok(1)),
            (&[], Some(1_001), Err(Refusal::MoreThanIsLeft)),
            (&[300, 600], None, Ok(0)),
            (&[300, 600], Some(100), Ok(0)),
            (&[300, 600], Some(101), Err(Refusal::MoreThanIsLeft)),
            (&[300, 700], None, Err(Refusal::NothingLeft)),
            (&[300, 700], Some(1), Err(Refusal::NothingLeft)),
        ] {
            assert_eq!(cancel(&paid(1_000, parts), amount), left, "{parts:?} {amount:?}");
        }
        assert_eq!(canceled(&paid(1_000, &[300, 600])), Money::won(900));
        assert_eq!(cancel(&requested(1_000), None), Err(Refusal::NotApproved));
    }

    #[test]
    fn the_last_part_takes_all_that_is_left() {
        for (parts, amount, left) in [
            (MOST - 2, Some(1), Ok(981)),
            (MOST - 1, Some(1), Err(Refusal::TooManyParts)),
            (MOST - 1, Some(981), Ok(0)),
            (MOST - 1, None, Ok(0)),
        ] {
            assert_eq!(cancel(&paid(1_000, &vec![1; parts]), amount), left, "{parts} {amount:?}");
        }
    }

    #[test]
    fn a_cancellation_is_added_once_and_its_key_is_for_nothing_else() {
        let payment = paid(1_000, &[1_000]);
        assert_eq!(add(&payment, &wanted("0"), Some(Money::won(1))), Ok(None));
        let other = Cancellation { fingerprint: "another body".to_owned(), ..wanted("0") };
        assert_eq!(add(&payment, &other, None), Err(Refusal::KeyReused));
    }

    #[test]
    fn a_payment_ends_as_paid_or_as_failed() {
        let (asked, at) = (requested(1_000), events::example_time().plus_seconds(5));
        let done = lifecycle::approved(&asked, moved(at));
        assert_eq!((done.state, done.approved_at, done.attempts), (PaymentState::Normal, Some(at), 0));
        let failed = lifecycle::failed(&asked, "insufficient_balance");
        assert_eq!((failed.state, failed.approved_at), (PaymentState::Failed, None));
        assert_eq!(failed.failure_reason.as_deref(), Some("insufficient_balance"));
    }
}
