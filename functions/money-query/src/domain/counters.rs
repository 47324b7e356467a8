//! What is counted of a region: sums that are never negative, and by how much a fact changes them.

use super::{Leg, Side};
use kernel::OutOfRange;
use serde::{Deserialize, Serialize};

/// A region's sums: of a day, or of all days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counters {
    /// Won that came: credits, and the balances of those who moved here. What is incoming less what is outgoing is
    /// the balance.
    pub incoming: u64,
    /// Won that left: debits, and the balances of those who moved away.
    pub outgoing: u64,
    /// Won that were recharged.
    pub recharged: u64,
    /// How many recharges that were.
    pub recharges: u64,
    /// How many wallets lie here; counted over all days only.
    pub wallets: u64,
}

/// A change of counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Delta {
    /// Of what came.
    pub incoming: i64,
    /// Of what left.
    pub outgoing: i64,
    /// Of what was recharged.
    pub recharged: i64,
    /// Of the number of recharges.
    pub recharges: i64,
    /// Of the number of wallets.
    pub wallets: i64,
}

/// A counter that would leave its range: something was taken back that had never been counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a counter leaves its range")]
pub struct OutOfCount;

impl From<OutOfRange> for OutOfCount {
    fn from(_: OutOfRange) -> OutOfCount {
        OutOfCount
    }
}

impl Counters {
    /// The counters after a change.
    pub fn plus(self, delta: Delta) -> Result<Counters, OutOfCount> {
        let add = |counter: u64, change: i64| counter.checked_add_signed(change).ok_or(OutOfCount);
        Ok(Counters {
            incoming: add(self.incoming, delta.incoming)?,
            outgoing: add(self.outgoing, delta.outgoing)?,
            recharged: add(self.recharged, delta.recharged)?,
            recharges: add(self.recharges, delta.recharges)?,
            wallets: add(self.wallets, delta.wallets)?,
        })
    }
}

impl Delta {
    /// What a leg changes where and when it happens.
    pub fn of(leg: &Leg) -> Result<Delta, OutOfCount> {
        let amount = signed(leg.amount.amount())?;
        Ok(match leg.side {
            Side::Recharge => Delta { incoming: amount, recharged: amount, recharges: 1, ..Delta::default() },
            Side::Credit => Delta { incoming: amount, ..Delta::default() },
            Side::Debit => Delta { outgoing: amount, ..Delta::default() },
        })
    }

    /// Both changes.
    pub fn plus(self, other: Delta) -> Result<Delta, OutOfCount> {
        let add = |one: i64, other: i64| one.checked_add(other).ok_or(OutOfCount);
        Ok(Delta {
            incoming: add(self.incoming, other.incoming)?,
            outgoing: add(self.outgoing, other.outgoing)?,
            recharged: add(self.recharged, other.recharged)?,
            recharges: add(self.recharges, other.recharges)?,
            wallets: add(self.wallets, other.wallets)?,
        })
    }

    /// The change that takes this one back.
    pub fn reversed(self) -> Result<Delta, OutOfCount> {
        let turn = |one: i64| one.checked_neg().ok_or(OutOfCount);
        Ok(Delta {
            incoming: turn(self.incoming)?,
            outgoing: turn(self.outgoing)?,
            recharged: turn(self.recharged)?,
            recharges: turn(self.recharges)?,
            wallets: turn(self.wallets)?,
        })
    }
}

/// What a wallet was credited and debited: all of it, or up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turnover {
    /// Won that came.
    pub credited: u64,
    /// Won that left.
    pub debited: u64,
}

impl Turnover {
    /// The turnover with one more leg.
    pub fn with(self, leg: &Leg) -> Result<Turnover, OutOfCount> {
        self.of_both(Turnover::of(leg), u64::checked_add)
    }

    /// The turnover without these legs.
    pub fn without<'a>(self, legs: impl IntoIterator<Item = &'a Leg>) -> Result<Turnover, OutOfCount> {
        legs.into_iter().try_fold(self, |left, leg| left.of_both(Turnover::of(leg), u64::checked_sub))
    }

    /// What leaves a region when it moves away.
    pub fn leaving(self) -> Result<Delta, OutOfCount> {
        let (incoming, outgoing) = (signed(self.debited)?, signed(self.credited)?);
        Ok(Delta { incoming, outgoing, ..Delta::default() })
    }

    /// What comes to a region when it moves there.
    pub fn arriving(self) -> Result<Delta, OutOfCount> {
        let (incoming, outgoing) = (signed(self.credited)?, signed(self.debited)?);
        Ok(Delta { incoming, outgoing, ..Delta::default() })
    }

    /// Of one leg.
    pub fn of(leg: &Leg) -> Turnover {
        let amount = leg.amount.amount();
        match leg.side {
            Side::Recharge | Side::Credit => Turnover { credited: amount, debited: 0 },
            Side::Debit => Turnover { credited: 0, debited: amount },
        }
    }

    fn of_both(self, other: Turnover, sum: fn(u64, u64) -> Option<u64>) -> Result<Turnover, OutOfCount> {
        Ok(Turnover {
            credited: sum(self.credited, other.credited).ok_or(OutOfCount)?,
            debited: sum(self.debited, other.debited).ok_or(OutOfCount)?,
        })
    }
}

fn signed(amount: u64) -> Result<i64, OutOfCount> {
    i64::try_from(amount).map_err(|_| OutOfCount)
}
