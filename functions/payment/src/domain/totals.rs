//! Sums of payments and cancellations, by fee: what a settlement is calculated from.

use contract::peers::{FeeTotals, ManifestRow};
use kernel::{Money, OutOfRange};

/// The totals with one more payment or cancellation; the lowest fee first.
pub fn add(totals: &mut Vec<FeeTotals>, row: &ManifestRow) -> Result<(), OutOfRange> {
    let found = totals.iter().position(|known| known.fee_bps >= row.fee_bps).unwrap_or(totals.len());
    if totals.get(found).is_none_or(|known| known.fee_bps != row.fee_bps) {
        let none = FeeTotals {
            fee_bps: row.fee_bps,
            payments: 0,
            paid: Money::ZERO,
            cancellations: 0,
            canceled: Money::ZERO,
        };
        totals.insert(found, none);
    }
    let Some(own) = totals.get_mut(found) else { return Err(OutOfRange) };
    if row.cancellation_id.is_none() {
        own.payments = own.payments.saturating_add(1);
        own.paid = own.paid.plus(row.amount)?;
    } else {
        own.cancellations = own.cancellations.saturating_add(1);
        own.canceled = own.canceled.plus(row.amount)?;
    }
    Ok(())
}

/// What totals come to under all fees together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// How many payments.
    pub payments: u64,
    /// Their sum.
    pub paid: Money,
    /// How many cancellations.
    pub cancellations: u64,
    /// Their sum.
    pub canceled: Money,
}

/// The totals of all fees together.
pub fn whole(totals: &[FeeTotals]) -> Result<Whole, OutOfRange> {
    totals.iter().try_fold(Whole::default(), |sum, fee| {
        Ok(Whole {
            payments: sum.payments.saturating_add(fee.payments),
            paid: sum.paid.plus(fee.paid)?,
            cancellations: sum.cancellations.saturating_add(fee.cancellations),
            canceled: sum.canceled.plus(fee.canceled)?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{BasisPoints, Id, Timestamp};

    #[test]
    fn each_fee_has_its_own_sums_the_lowest_first() {
        let mut totals = Vec::new();
        for (fee, amount, back) in
            [(250, 1_000, false), (0, 70, false), (250, 300, true), (10_000, 5, true), (250, 2_000, false)]
        {
            let row = ManifestRow {
                payment_id: Id::from_random(1),
                cancellation_id: back.then(|| Id::from_random(2)),
                order_id: "order".to_owned(),
                amount: Money::won(amount),
                fee_bps: BasisPoints::try_new(fee).unwrap(),
                at: Timestamp::EPOCH,
            };
            add(&mut totals, &row).unwrap();
        }
        let shown: Vec<_> = totals
            .iter()
            .map(|of| {
                (of.fee_bps.get(), of.payments, of.paid.amount(), of.cancellations, of.canceled.amount())
            })
            .collect();
        assert_eq!(shown, [(0, 1, 70, 0, 0), (250, 2, 3_000, 1, 300), (10_000, 0, 0, 1, 5)]);
        let whole = whole(&totals).unwrap();
        assert_eq!((whole.payments, whole.cancellations), (3, 2));
        assert_eq!((whole.paid, whole.canceled), (Money::won(3_070), Money::won(305)));
    }
}
