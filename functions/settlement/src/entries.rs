//! A run's entries, page by page: never a whole day in memory.

use crate::items::{Entry, EntryState, SHARDS};
use contract::{Context, Problem, outbox::KeyName};
use kernel::{OutOfRange, SeoulDay, SignedMoney, id::FranchiseId};
use store::{Condition, Query, Read, Write};

/// A franchise in a run, as of now.
pub async fn find(
    context: &Context,
    day: &SeoulDay,
    franchise: FranchiseId,
) -> Result<Option<Entry>, Problem> {
    let item = context.table.get(&Entry::key_of(day, franchise), Read::Consistent).await?;
    Ok(item.map(store::read).transpose()?)
}

/// A page of a shard of a run.
pub struct Page {
    /// The entries, by franchise.
    pub entries: Vec<Entry>,
    /// Whether there may be more.
    pub more: bool,
}

/// Reads a shard after a franchise.
pub async fn page(
    context: &Context,
    day: &SeoulDay,
    shard: u8,
    after: Option<FranchiseId>,
    limit: Option<u32>,
) -> Result<Page, Problem> {
    let partition = Entry::partition(day, shard);
    let after = after
        .map(|franchise| KeyName { partition: partition.clone(), sort: franchise.to_string() }.position());
    let page = context.table.query(&Query { after, limit, ..Query::partition(partition) }).await?;
    let entries: Result<Vec<Entry>, _> = page.items.into_iter().map(store::read).collect();
    Ok(Page { entries: entries?, more: page.next.is_some() })
}

/// Shows every entry of a run to a function.
pub async fn visit(
    context: &Context,
    day: &SeoulDay,
    mut see: impl FnMut(&Entry) -> Result<(), OutOfRange>,
) -> Result<(), Problem> {
    for shard in 0..SHARDS {
        let mut after = None;
        loop {
            let page = page(context, day, shard, after, None).await?;
            for entry in &page.entries {
                see(entry).map_err(Problem::internal)?;
            }
            after = page.entries.last().map(|entry| entry.franchise_id);
            if !page.more || after.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// How a run's franchises stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// To be settled.
    pub due: u64,
    /// Recorded, and not completed.
    pub open: u64,
    /// Settled.
    pub done: u64,
    /// Not to be paid out.
    pub failed: u64,
    /// What was paid less what was cancelled, over all lines.
    pub sales: SignedMoney,
    /// The fees.
    pub fee: SignedMoney,
    /// The tax on them.
    pub vat: SignedMoney,
    /// What was paid out, for certain.
    pub paid_out: SignedMoney,
    /// What is still to be paid out.
    pub unpaid: SignedMoney,
}

impl Tally {
    /// Counts an entry.
    pub fn count(&mut self, entry: &Entry) -> Result<(), OutOfRange> {
        let counter = match entry.state {
            EntryState::Due => &mut self.due,
            EntryState::Open => &mut self.open,
            EntryState::Done => &mut self.done,
            EntryState::Failed => &mut self.failed,
        };
        *counter = counter.checked_add(1).ok_or(OutOfRange)?;
        let Some(amounts) = entry.recorded.map(|line| line.amounts) else { return Ok(()) };
        self.sales = self.sales.plus(amounts.paid.into())?.minus(amounts.canceled.into())?;
        self.fee = self.fee.plus(amounts.fee)?;
        self.vat = self.vat.plus(amounts.vat)?;
        let sum = if entry.state == EntryState::Done { &mut self.paid_out } else { &mut self.unpaid };
        *sum = sum.plus(amounts.payout.into())?;
        Ok(())
    }
}

/// Counts a run's entries.
pub async fn tally(context: &Context, day: &SeoulDay) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    visit(context, day, |entry| tally.count(entry)).await?;
    Ok(tally)
}

/// Marks a franchise as settled by a line of another run. Whoever changes the entry meanwhile knows better.
pub async fn cover(context: &Context, entry: Entry) -> Result<(), Problem> {
    let unchanged = Condition::number("version", entry.version);
    let covered = Entry { state: EntryState::Done, version: entry.version.saturating_add(1), ..entry };
    match context.table.commit(&[Write::put(&covered, unchanged)?]).await {
        Ok(()) => Ok(()),
        Err(error) if error.is_collision() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Some of a run's franchises that are not settled.
#[derive(Default)]
pub struct Lists {
    /// Those to be settled, and those being paid out.
    pub pending: Vec<Entry>,
    /// Those that could not be paid out.
    pub failed: Vec<Entry>,
}

/// How many of each a list has at most.
const MOST_LISTED: usize = 100;

/// Counts a run's entries, and lists some that are not settled.
pub async fn survey(context: &Context, day: &SeoulDay) -> Result<(Tally, Lists), Problem> {
    let (mut tally, mut lists) = (Tally::default(), Lists::default());
    let see = |entry: &Entry| {
        let list = match entry.state {
            EntryState::Due | EntryState::Open => Some(&mut lists.pending),
            EntryState::Failed => Some(&mut lists.failed),
            EntryState::Done => None,
        };
        if let Some(list) = list.filter(|list| list.len() < MOST_LISTED) {
            list.push(entry.clone());
        }
        tally.count(entry)
    };
    visit(context, day, see).await?;
    Ok((tally, lists))
}
