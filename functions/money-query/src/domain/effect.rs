//! What a fact changes: for each region and day by how much.
//!
//! A leg counts in the region in which the member lived at the leg's time. Each later move of the member carries its
//! amount out of the old region and into the new one, on the day of the move: so the balance moves and the history
//! stays. The order of arrival makes no difference: a leg that comes late is carried on by the moves that were counted
//! before it, and a move that comes late carries on the legs that were counted before it.

use super::{Delta, Leg, OutOfCount, Timeline, counters::Turnover, timeline::Move};
use kernel::{SeoulDay, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where something is counted: a region's day, or the region over all days.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// Which region.
    pub region: String,
    /// Which day; all of them if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<SeoulDay>,
}

/// A change of counters in some cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect(BTreeMap<Cell, Delta>);

impl Effect {
    /// What a leg changes.
    pub fn of_leg(timeline: &Timeline, leg: &Leg) -> Result<Effect, OutOfCount> {
        let mut effect = Effect::default();
        effect.add(&timeline.at(leg.time), leg.time, Delta::of(leg)?)?;
        for change in timeline.moves().iter().filter(|change| change.at > leg.time) {
            effect.carry(change, Turnover::of(leg))?;
        }
        Ok(effect)
    }

    /// What it changes that a timeline becomes another one. `opening` is what the wallet turned over before the
    /// moment from which on the two differ, and `legs` are those since then.
    pub fn of_timeline(
        before: &Timeline,
        after: &Timeline,
        opening: Turnover,
        legs: &[Leg],
    ) -> Result<Effect, OutOfCount> {
        let mut effect = Effect::default();
        let Some(since) = after.differs_from(before) else { return Ok(effect) };
        effect.merge(Effect::since(after, since, opening, legs)?)?;
        effect.merge(Effect::since(before, since, opening, legs)?.reversed()?)?;
        effect.wallet(before.now(), -1)?;
        effect.wallet(after.now(), 1)?;
        Ok(effect)
    }

    /// One wallet more in a region, or one less.
    pub fn wallet(&mut self, region: &str, wallets: i64) -> Result<(), OutOfCount> {
        self.count(Cell { region: region.to_owned(), day: None }, Delta { wallets, ..Delta::default() })
    }

    /// The cells that change, each with by how much.
    pub fn changes(self) -> impl Iterator<Item = (Cell, Delta)> {
        self.0.into_iter().filter(|(_, delta)| *delta != Delta::default())
    }

    fn since(
        timeline: &Timeline,
        since: Timestamp,
        opening: Turnover,
        legs: &[Leg],
    ) -> Result<Effect, OutOfCount> {
        let mut effect = Effect::default();
        for leg in legs {
            effect.merge(Effect::of_leg(timeline, leg)?)?;
        }
        for change in timeline.moves().iter().filter(|change| change.at >= since) {
            effect.carry(change, opening)?;
        }
        Ok(effect)
    }

    fn carry(&mut self, change: &Move, turnover: Turnover) -> Result<(), OutOfCount> {
        self.add(&change.from, change.at, turnover.leaving()?)?;
        self.add(&change.to, change.at, turnover.arriving()?)
    }

    fn add(&mut self, region: &str, time: Timestamp, delta: Delta) -> Result<(), OutOfCount> {
        self.count(Cell { region: region.to_owned(), day: Some(time.seoul_day()) }, delta)?;
        self.count(Cell { region: region.to_owned(), day: None }, delta)
    }

    fn count(&mut self, cell: Cell, delta: Delta) -> Result<(), OutOfCount> {
        let counted = self.0.entry(cell).or_default();
        *counted = counted.plus(delta)?;
        Ok(())
    }

    fn merge(&mut self, other: Effect) -> Result<(), OutOfCount> {
        other.0.into_iter().try_for_each(|(cell, delta)| self.count(cell, delta))
    }

    fn reversed(self) -> Result<Effect, OutOfCount> {
        let turned = self.0.into_iter().map(|(cell, delta)| Ok((cell, delta.reversed()?)));
        Ok(Effect(turned.collect::<Result<_, OutOfCount>>()?))
    }
}
