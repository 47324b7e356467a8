//! How a franchise's lines follow each other: what one owes, the next takes off.

use crate::domain::Reckoning;
use kernel::{Money, OutOfRange, SignedMoney};

/// What becomes of a line's net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carry {
    /// What the franchise owed before.
    pub carried_in: Money,
    /// What is paid out to it.
    pub payout: Money,
    /// What it owes now.
    pub carried_out: Money,
}

/// Takes what the franchise owed before off its net: the rest is paid out, or owed on.
pub fn carry(net: SignedMoney, carried_in: Money) -> Result<Carry, OutOfRange> {
    let total = net.minus(carried_in.into())?;
    Ok(Carry { carried_in, payout: total.above_zero(), carried_out: total.below_zero() })
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something is to be paid out.
    PayOut,
    /// The franchise owes something, which the next line takes off.
    Carried,
    /// Nothing was paid, nothing was cancelled, and nothing was owed.
    Empty,
    /// It comes to nothing exactly.
    Settled,
}

/// What a line comes to.
pub fn outcome(reckoning: &Reckoning, carry: &Carry) -> Outcome {
    if !carry.payout.is_zero() {
        Outcome::PayOut
    } else if !carry.carried_out.is_zero() {
        Outcome::Carried
    } else if reckoning.payments == 0 && reckoning.cancellations == 0 {
        Outcome::Empty
    } else {
        Outcome::Settled
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test's own arithmetic")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// All that a chain of lines nets is paid out or still owed at its end, and nobody is paid while owing.
        #[test]
        fn a_chain_pays_out_what_it_nets(nets in prop::collection::vec(-1_000_000_i64..1_000_000, 0..30)) {
            let (mut owed, mut paid) = (Money::ZERO, 0_i64);
            for net in &nets {
                let line = carry(SignedMoney::try_won(*net).unwrap(), owed).unwrap();
                prop_assert_eq!(line.carried_in, owed);
                prop_assert!(line.payout.is_zero() || line.carried_out.is_zero());
                paid += i64::try_from(line.payout.amount()).unwrap();
                owed = line.carried_out;
            }
            prop_assert_eq!(paid - i64::try_from(owed.amount()).unwrap(), nets.iter().sum::<i64>());
        }
    }

    #[test]
    fn outcomes() {
        for (payments, net, owed, expected) in [
            (0, 0, 0, Outcome::Empty),
            (2, 0, 0, Outcome::Settled),
            (2, 500, 500, Outcome::Settled),
            (2, 500, 499, Outcome::PayOut),
            (2, 500, 501, Outcome::Carried),
            (0, 0, 7, Outcome::Carried),
            (2, -500, 0, Outcome::Carried),
        ] {
            let net = SignedMoney::try_won(net).unwrap();
            let reckoning = Reckoning { payments, net, ..Reckoning::default() };
            let line = carry(net, Money::won(owed)).unwrap();
            assert_eq!(outcome(&reckoning, &line), expected, "{payments} {net} {owed}");
        }
    }
}
