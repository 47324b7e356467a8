//! The items of money-query's table, and where they lie. `g` is the number of a generation of the model.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | [`Generations`] | `model` | `generations` |
//! | [`Wallet`] | `g1#wal_…` | `wallet` |
//! | [`CountedLeg`] | `g1#wal_…` | `leg#` time `#` side and event id |
//! | [`CountedCell`] | `g1#seoul#3` | `day#2026-11-22`, or `total` |
//!
//! A wallet's legs are inbox and journal in one: that a leg is there says that it was counted, and a region that
//! becomes known late is counted from them. A region lies in several shards, a wallet always in the same one.

use crate::domain::{Cell, Counters, Delta, Leg, Side, Timeline, counters::Turnover};
use contract::{Context, Problem};
use kernel::{SeoulDay, Timestamp, id::WalletId};
use serde::{Deserialize, Serialize};
use store::{Condition, Key, Query, Read, Record, Sort, Write};

/// Every kind of record in the table.
pub const RECORDS: &[store::Kind] = &[
    store::Kind::of::<Generations>(),
    store::Kind::of::<Wallet>(),
    store::Kind::of::<CountedLeg>(),
    store::Kind::of::<CountedCell>(),
];

/// How many items a region's day is spread over, so that none is hot.
pub const SHARDS: u8 = 8;

/// Which generations of the model there are. A generation's number is never used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generations {
    /// The one that answers.
    pub live: u32,
    /// The one that is being built, always the next number. Facts are counted in both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<u32>,
    /// How many items could not be read when the live one was built, so that their facts are not in it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// One more with each change; 0 if it was never stored.
    pub version: u64,
}

/// Whether there is nothing to say.
pub fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record for Generations {
    const KIND: &'static str = "generations";

    fn key(&self) -> Key {
        Generations::place()
    }
}

impl Generations {
    fn place() -> Key {
        Key::new("model", "generations")
    }

    /// The generations as of now. Consistently: who counts in one generation only must have begun before the next
    /// one did.
    pub async fn load(context: &Context) -> Result<Generations, Problem> {
        let item = context.table.get(&Generations::place(), Read::Consistent).await?;
        let stored = item.map(store::read).transpose()?;
        Ok(stored.unwrap_or(Generations { live: 1, building: None, skipped: 0, version: 0 }))
    }

    /// Those in which a fact is counted.
    pub fn counting(&self) -> impl Iterator<Item = u32> {
        [self.live].into_iter().chain(self.building)
    }

    /// The write of these in place of those that were read.
    pub fn in_place_of(&self, read: &Generations) -> Result<Write, Problem> {
        let next = Generations { version: read.version.saturating_add(1), ..self.clone() };
        Ok(Write::put(&next, unchanged(read.version))?)
    }
}

/// The generation of an item, if it belongs to one.
pub fn generation_of(partition: &str) -> Option<u32> {
    partition.strip_prefix('g')?.split_once('#')?.0.parse().ok()
}

/// A wallet: where its member lived when, and what it turned over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wallet {
    /// In which generation.
    pub generation: u32,
    /// Which.
    pub wallet_id: WalletId,
    /// Where its member lived when.
    pub timeline: Timeline,
    /// What all its legs did.
    pub turnover: Turnover,
    /// The time of its youngest leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_leg_at: Option<Timestamp>,
    /// What its facts change and was not written with them, because a commit has an end. It comes before anything
    /// else is counted in this wallet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Pending>,
    /// One more with each change; 0 if it was never stored.
    pub version: u64,
}

/// A change of a cell that is still to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// Which cell.
    pub cell: Cell,
    /// By how much.
    pub delta: Delta,
}

impl Record for Wallet {
    const KIND: &'static str = "wallet";

    fn key(&self) -> Key {
        Wallet::key_of(self.generation, self.wallet_id)
    }
}

impl Wallet {
    fn key_of(generation: u32, wallet: WalletId) -> Key {
        Key::new(format!("g{generation}#{wallet}"), "wallet")
    }

    /// The wallet as of now, or a new one.
    pub async fn load(context: &Context, generation: u32, wallet_id: WalletId) -> Result<Wallet, Problem> {
        let item = context.table.get(&Wallet::key_of(generation, wallet_id), Read::Consistent).await?;
        let stored = item.map(store::read).transpose()?;
        Ok(stored.unwrap_or_else(|| Wallet {
            generation,
            wallet_id,
            timeline: Timeline::default(),
            turnover: Turnover::default(),
            last_leg_at: None,
            pending: Vec::new(),
            version: 0,
        }))
    }

    /// Whether nothing was ever counted in it.
    pub fn is_new(&self) -> bool {
        self.version == 0
    }

    /// The legs since a moment. They are as many as the wallet says: whoever adds one changes the wallet too.
    pub async fn legs_since(&self, context: &Context, since: Timestamp) -> Result<Vec<Leg>, Problem> {
        let mut legs = Vec::new();
        if self.last_leg_at.is_none_or(|last| last < since) {
            return Ok(legs);
        }
        let partition = self.key().partition;
        let sort = Sort::Between(format!("leg#{since}"), "leg#~".to_owned());
        let mut query = Query { sort, ..Query::partition(partition) };
        loop {
            let page = context.table.query(&query).await?;
            for item in page.items {
                legs.push(store::read::<CountedLeg>(item)?.leg);
            }
            if page.next.is_none() {
                return Ok(legs);
            }
            query.after = page.next;
        }
    }

    /// The shard in which it is counted.
    pub fn shard(&self) -> u8 {
        let shard = self.wallet_id.bits().checked_rem(SHARDS.into());
        shard.and_then(|shard| u8::try_from(shard).ok()).unwrap_or_default()
    }

    /// The write of this wallet in place of the one that was read.
    pub fn in_place_of(&self, read: &Wallet) -> Result<Write, Problem> {
        let next = Wallet { version: read.version.saturating_add(1), ..self.clone() };
        Ok(Write::put(&next, unchanged(read.version))?)
    }
}

/// A leg that was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountedLeg {
    /// In which generation.
    pub generation: u32,
    /// In which wallet.
    pub wallet_id: WalletId,
    /// What it does.
    #[serde(flatten)]
    pub leg: Leg,
}

impl Record for CountedLeg {
    const KIND: &'static str = "leg";

    fn key(&self) -> Key {
        let Leg { event_id, time, side, .. } = &self.leg;
        let side = match side {
            Side::Recharge | Side::Credit => "in",
            Side::Debit => "out",
        };
        let partition = Wallet::key_of(self.generation, self.wallet_id).partition;
        Key::new(partition, format!("leg#{time}#{side}#{event_id}"))
    }
}

/// A region's sums in one shard: of a day, or of all days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountedCell {
    /// In which generation.
    pub generation: u32,
    /// In which shard.
    pub shard: u8,
    /// Which region, and which day if one.
    #[serde(flatten)]
    pub cell: Cell,
    /// The sums.
    #[serde(flatten)]
    pub counters: Counters,
    /// One more with each change; 0 if it was never stored.
    pub version: u64,
}

impl Record for CountedCell {
    const KIND: &'static str = "cell";

    fn key(&self) -> Key {
        CountedCell::key_of(self.generation, self.shard, &self.cell)
    }
}

impl CountedCell {
    fn key_of(generation: u32, shard: u8, cell: &Cell) -> Key {
        let sort = cell.day.as_ref().map_or_else(|| "total".to_owned(), |day| format!("day#{day}"));
        Key::new(format!("g{generation}#{}#{shard}", cell.region), sort)
    }

    /// The cell as of now, or an empty one.
    pub async fn load(
        context: &Context,
        generation: u32,
        shard: u8,
        cell: Cell,
    ) -> Result<CountedCell, Problem> {
        let item =
            context.table.get(&CountedCell::key_of(generation, shard, &cell), Read::Consistent).await?;
        let stored = item.map(store::read).transpose()?;
        let counters = Counters::default();
        Ok(stored.unwrap_or(CountedCell { generation, shard, cell, counters, version: 0 }))
    }

    /// A region's cells in one shard: those of this day and of later ones, and at last that of all days.
    pub async fn since(
        context: &Context,
        generation: u32,
        shard: u8,
        region: &str,
        day: &SeoulDay,
    ) -> Result<Vec<CountedCell>, Problem> {
        let mut cells = Vec::new();
        let sort = Sort::Between(format!("day#{day}"), "total".to_owned());
        let mut query = Query {
            sort,
            read: Read::Eventual,
            ..Query::partition(format!("g{generation}#{region}#{shard}"))
        };
        loop {
            let page = context.table.query(&query).await?;
            for item in page.items {
                cells.push(store::read(item)?);
            }
            if page.next.is_none() {
                return Ok(cells);
            }
            query.after = page.next;
        }
    }

    /// The write of this cell with other sums.
    pub fn changed(&self, counters: Counters) -> Result<Write, Problem> {
        let version = self.version.saturating_add(1);
        let next = CountedCell { counters, version, ..self.clone() };
        Ok(Write::put(&next, unchanged(self.version))?)
    }
}

/// The item is as it was read.
fn unchanged(version: u64) -> Condition {
    if version == 0 { Condition::Absent } else { Condition::number("version", version) }
}
