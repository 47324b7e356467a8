//! The chain of an account's firmbankings: reading its end, and all of it.
//!
//! Every decision reads consistently from the newest entry back. Entries' times never go back, so that an entry from
//! before a reference's birth is the end of the search for that reference, whatever clocks say.

use crate::items::{self, BankAccount, Closing, Firmbanking, partition_of};
use contract::{Context, Problem, Reference};
use kernel::{Timestamp, id::BankAccountId};
use store::{Item, Order, Query, Record, Sort, kind_of};

/// What one read looks at: the account and its newest entries, within 4 KB.
const NEWEST: u32 = 6;

/// The newest entry of a chain, or what stands for it in an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its place; 0 if there is none.
    pub sequence: u64,
    /// Its time.
    pub requested_at: Timestamp,
    /// Whether the account is unlinked.
    pub closed: bool,
}

impl Tip {
    const NONE: Tip = Tip { sequence: 0, requested_at: Timestamp::EPOCH, closed: false };
}

/// The end of a chain, and what was looked for.
pub struct Chain {
    /// The account; none if nobody has asked to link it.
    pub account: Option<BankAccount>,
    /// The newest entry.
    pub tip: Tip,
    /// The firmbanking that the reference asked for.
    pub known: Option<Firmbanking>,
}

/// A whole chain, counted.
pub struct Whole {
    /// The account.
    pub account: Option<BankAccount>,
    /// The newest entry.
    pub tip: Tip,
    /// How many firmbankings are not final.
    pub open: usize,
}

/// An item of an account's partition.
enum Link {
    Account(Box<BankAccount>),
    Firmbanking(Box<Firmbanking>),
    Closing(Closing),
}

impl Link {
    fn read(item: Item) -> Result<Link, Problem> {
        Ok(match kind_of(&item) {
            BankAccount::KIND => Link::Account(Box::new(store::read(item)?)),
            Closing::KIND => Link::Closing(store::read(item)?),
            _ => Link::Firmbanking(Box::new(store::read(item)?)),
        })
    }

    fn tip(&self) -> Option<Tip> {
        match self {
            Link::Account(_) => None,
            Link::Firmbanking(entry) => {
                let Firmbanking { sequence, requested_at, closed, .. } = **entry;
                Some(Tip { sequence, requested_at, closed })
            }
            Link::Closing(Closing { sequence, requested_at, .. }) => {
                Some(Tip { sequence: *sequence, requested_at: *requested_at, closed: true })
            }
        }
    }
}

/// Reads an account's partition from its end, until the closure has seen enough or the beginning is reached.
async fn walk(
    context: &Context,
    id: BankAccountId,
    page: Option<u32>,
    mut enough: impl FnMut(Link) -> bool,
) -> Result<(), Problem> {
    // The account's sort key is greater than its entries': it comes first.
    let mut query = Query { order: Order::Descending, limit: page, ..Query::partition(partition_of(id)) };
    loop {
        let found = context.table.query(&query).await?;
        for item in found.items {
            if enough(Link::read(item)?) {
                return Ok(());
            }
        }
        query.after = found.next;
        if query.after.is_none() {
            return Ok(());
        }
    }
}

/// Reads the end of an account's chain, back to before the reference's birth.
pub async fn end(context: &Context, id: BankAccountId, reference: &Reference) -> Result<Chain, Problem> {
    let mut chain = Chain { account: None, tip: Tip::NONE, known: None };
    walk(context, id, Some(NEWEST), |link| {
        let tip = link.tip();
        if let Some(tip) = tip.filter(|tip| tip.sequence > chain.tip.sequence) {
            chain.tip = tip;
        }
        match link {
            Link::Account(account) => chain.account = Some(*account),
            Link::Firmbanking(entry) if entry.reference == reference.id => chain.known = Some(*entry),
            Link::Firmbanking(_) | Link::Closing(_) => {}
        }
        chain.known.is_some() || tip.is_some_and(|tip| tip.requested_at < reference.birth)
    })
    .await?;
    Ok(chain)
}

/// Reads the whole of an account's chain.
pub async fn whole(context: &Context, id: BankAccountId) -> Result<Whole, Problem> {
    let mut whole = Whole { account: None, tip: Tip::NONE, open: 0 };
    walk(context, id, None, |link| {
        if let Some(tip) = link.tip().filter(|tip| tip.sequence > whole.tip.sequence) {
            whole.tip = tip;
        }
        match link {
            Link::Account(account) => whole.account = Some(*account),
            Link::Firmbanking(entry) if !entry.is_final() => whole.open = whole.open.saturating_add(1),
            Link::Firmbanking(_) | Link::Closing(_) => {}
        }
        false
    })
    .await?;
    Ok(whole)
}

/// The sequence of the last entry from before a moment, by halving: entries' times never go back.
pub async fn last_before(
    context: &Context,
    id: BankAccountId,
    newest: Tip,
    moment: Timestamp,
) -> Result<u64, Problem> {
    let (mut before, mut after) = (0_u64, newest.sequence.saturating_add(1));
    while after.saturating_sub(before) > 1 {
        let middle = before.midpoint(after);
        match entry_time(context, id, middle).await? {
            Some(time) if time < moment => before = middle,
            _ => after = middle,
        }
    }
    Ok(before)
}

async fn entry_time(
    context: &Context,
    id: BankAccountId,
    sequence: u64,
) -> Result<Option<Timestamp>, Problem> {
    let item = context.table.get(&items::entry_key(id, sequence), store::Read::Consistent).await?;
    let link = item.map(Link::read).transpose()?;
    Ok(link.and_then(|link| link.tip()).map(|tip| tip.requested_at))
}

/// A page of an account's firmbankings up to a sequence, newest first; the position of the next one.
pub async fn page(
    context: &Context,
    id: BankAccountId,
    up_to: u64,
    limit: u32,
    after: Option<Item>,
) -> Result<(Vec<Firmbanking>, Option<Item>), Problem> {
    let query = Query {
        sort: Sort::Between(items::entry_sort(0), items::entry_sort(up_to)),
        order: Order::Descending,
        limit: Some(limit),
        after,
        ..Query::partition(partition_of(id))
    };
    let found = context.table.query(&query).await?;
    let mut entries = Vec::new();
    for item in found.items {
        if let Link::Firmbanking(entry) = Link::read(item)? {
            entries.push(*entry);
        }
    }
    Ok((entries, found.next))
}
