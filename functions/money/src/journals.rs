//! Reading and growing franchises' journals.
//!
//! As with wallets, a step is decided on a journal read back to the step's birth, and appended by one conditional put;
//! whoever loses decides again. Only settlement writes here, at most a few entries a day for each franchise.

use crate::{
    domain::{Journal, JournalEntry, JournalOrder, journal},
    items::journal_name,
    links, refusals,
};
use contract::{Context, Problem};
use kernel::id::FranchiseId;

/// Takes a step on a franchise's journal, once. Nothing refuses it but other terms under its reference.
pub async fn append(
    context: &Context,
    franchise_id: FranchiseId,
    order: &JournalOrder,
) -> Result<JournalEntry, Problem> {
    let birth = order.reference.birth;
    links::check_birth(context, birth)?;
    let name = journal_name(franchise_id);
    let mut journal = Journal { franchise_id, entries: links::load(context, &name, birth).await? };
    for _ in 0..links::ATTEMPTS {
        let booking = journal::decide(&journal, order, context.clock.now()).map_err(links::broken)?;
        let entry = match booking {
            journal::Booking::Done(entry) => return Ok(entry),
            journal::Booking::OtherTerms => return Err((&refusals::OTHER_TERMS).into()),
            journal::Booking::Append(entry) => entry,
        };
        if links::put(context, &[&entry]).await? {
            return Ok(entry);
        }
        journal.entries = links::reload(context, &name, birth).await?;
    }
    Err(Problem::unavailable("others are writing to this journal"))
}
