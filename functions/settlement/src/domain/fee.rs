//! The fee, the tax on it, and what is left for the franchise.
//!
//! A line's fee is reckoned once per fee rate, on what was paid less what was cancelled under that rate, with what is
//! less than a won cut off toward zero. Toward zero, because a day on which everything is taken back then gives back
//! exactly the fee that the payments cost; and cut off, because Pay then never keeps more than was agreed. Once per
//! rate and line, because every further rounding is another won that payments and pay-outs could disagree by: so
//! paid − cancelled = fee + VAT + net, to the won.

use contract::peers::FeeTotals;
use kernel::{BasisPoints, Money, OutOfRange, SignedMoney, money::won, signed_money::signed_won};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the payments and cancellations of a line come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reckoning {
    /// How many payments.
    pub payments: u64,
    /// Their sum.
    #[serde(with = "won")]
    #[schemars(with = "u64")]
    pub paid: Money,
    /// How many cancellations.
    pub cancellations: u64,
    /// Their sum.
    #[serde(with = "won")]
    #[schemars(with = "u64")]
    pub canceled: Money,
    /// Pay's fee: below zero if more was cancelled than paid.
    #[serde(with = "signed_won")]
    #[schemars(with = "i64")]
    pub fee: SignedMoney,
    /// The value-added tax on the fee.
    #[serde(with = "signed_won")]
    #[schemars(with = "i64")]
    pub vat: SignedMoney,
    /// What is left for the franchise.
    #[serde(with = "signed_won")]
    #[schemars(with = "i64")]
    pub net: SignedMoney,
}

/// What was paid less what was cancelled under one fee.
fn sales_of(totals: &FeeTotals) -> Result<SignedMoney, OutOfRange> {
    SignedMoney::from(totals.paid).minus(totals.canceled.into())
}

/// The fee of what was paid and cancelled under one rate.
pub fn fee_of(totals: &FeeTotals) -> Result<SignedMoney, OutOfRange> {
    Ok(sales_of(totals)?.share(totals.fee_bps))
}

/// Reckons a line from its totals by fee rate.
pub fn reckon(totals: &[FeeTotals], vat_bps: BasisPoints) -> Result<Reckoning, OutOfRange> {
    let mut sum = Reckoning::default();
    let mut sales = SignedMoney::ZERO;
    for totals in totals {
        sum.payments = sum.payments.checked_add(totals.payments).ok_or(OutOfRange)?;
        sum.cancellations = sum.cancellations.checked_add(totals.cancellations).ok_or(OutOfRange)?;
        sum.paid = sum.paid.plus(totals.paid)?;
        sum.canceled = sum.canceled.plus(totals.canceled)?;
        sum.fee = sum.fee.plus(fee_of(totals)?)?;
        sales = sales.plus(sales_of(totals)?)?;
    }
    sum.vat = sum.fee.share(vat_bps);
    sum.net = sales.minus(sum.fee)?.minus(sum.vat)?;
    Ok(sum)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test's own arithmetic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bps(share: u16) -> BasisPoints {
        BasisPoints::try_new(share).unwrap()
    }

    fn totals(fee: u16, paid: u64, canceled: u64) -> FeeTotals {
        FeeTotals {
            fee_bps: bps(fee),
            payments: u64::from(paid > 0),
            paid: Money::try_won(paid).unwrap(),
            cancellations: u64::from(canceled > 0),
            canceled: Money::try_won(canceled).unwrap(),
        }
    }

    fn some_totals() -> impl Strategy<Value = Vec<FeeTotals>> {
        let one = (0..=10_000_u16, 0..1_000_000_000_000_u64, 0..1_000_000_000_000_u64);
        prop::collection::vec(one.prop_map(|(fee, paid, canceled)| totals(fee, paid, canceled)), 0..5)
    }

    proptest! {
        #[test]
        fn what_was_paid_is_fee_and_tax_and_net_to_the_won(totals in some_totals(), vat in 0..=10_000_u16) {
            let sum = reckon(&totals, bps(vat)).unwrap();
            let sales = SignedMoney::from(sum.paid).minus(sum.canceled.into()).unwrap();
            prop_assert_eq!(sum.fee.plus(sum.vat).unwrap().plus(sum.net).unwrap(), sales);
        }

        #[test]
        fn a_day_taken_back_gives_back_exactly_what_it_cost(totals in some_totals(), vat in 0..=10_000_u16) {
            let back: Vec<FeeTotals> = totals
                .iter()
                .map(|t| FeeTotals { paid: t.canceled, canceled: t.paid, ..t.clone() })
                .collect();
            let (cost, returned) = (reckon(&totals, bps(vat)).unwrap(), reckon(&back, bps(vat)).unwrap());
            for (one, other) in [(cost.fee, returned.fee), (cost.vat, returned.vat), (cost.net, returned.net)] {
                prop_assert_eq!(one.plus(other).unwrap(), SignedMoney::ZERO);
            }
        }

        #[test]
        fn no_more_is_kept_than_was_agreed(fee in 0..=10_000_u16, paid in 0..=9_007_199_254_740_991_u64) {
            let kept = fee_of(&totals(fee, paid, 0)).unwrap().amount();
            let exact = i128::from(paid) * i128::from(fee);
            prop_assert!(i128::from(kept) * 10_000 <= exact && exact < (i128::from(kept) + 1) * 10_000);
        }
    }

    #[test]
    fn examples() {
        for (given, vat, fee, tax, net) in [
            (vec![], 1_000, 0, 0, 0),
            (vec![totals(250, 10_000, 0)], 1_000, 250, 25, 9_725),
            // 2.5 % of 1 039 is 25.975, and a tenth of 25 is 2.5.
            (vec![totals(250, 1_039, 0)], 1_000, 25, 2, 1_012),
            (vec![totals(250, 0, 1_039)], 1_000, -25, -2, -1_012),
            // Each rate is rounded for itself: 0.5 + 0.5 is 0.
            (vec![totals(50, 100, 0), totals(25, 200, 0)], 1_000, 0, 0, 300),
            (vec![totals(250, 10_000, 10_000)], 1_000, 0, 0, 0),
            (vec![totals(10_000, 500, 0)], 0, 500, 0, 0),
        ] {
            let sum = reckon(&given, bps(vat)).unwrap();
            assert_eq!((sum.fee.amount(), sum.vat.amount(), sum.net.amount()), (fee, tax, net), "{given:?}");
        }
    }

    #[test]
    fn what_cannot_be_represented_is_refused() {
        let most = Money::MAX.amount();
        assert_eq!(reckon(&[totals(0, most, 0), totals(1, 1, 0)], bps(0)), Err(OutOfRange));
    }
}
