//! Which facts franchise's items state, and which of them are not final.
//!
//! A franchise states its beginning, its last change, its end and the last change of its account since then; each from
//! what was kept of it, so that telling it again tells the same. A change before the last one is told only once: the last
//! one carries all that it changed.

use crate::{
    items::{Franchise, Occasion},
    on_membership_closed,
};
use contract::{
    former::FormerMember,
    outbox::{Later, Outbox},
};
use events::{
    Envelope,
    franchise::{self as facts, FranchiseClosed, FranchiseModified, FranchiseRegistered, FranchiseState},
};
use store::{Item, Record, Unreadable, kind_of, read};

/// Franchise's outbox.
pub static OUTBOX: Outbox = Outbox { facts, unfinished, republish: "franchise.republish" };

fn facts(item: &Item) -> Result<Vec<Envelope>, Unreadable> {
    if kind_of(item) != Franchise::KIND {
        return Ok(Vec::new());
    }
    let franchise: Franchise = read(item.clone())?;
    let mut facts = vec![registered(&franchise)];
    // Closing changes nothing but the state, and nothing but the account changes since: with the account that it ended
    // with, what was kept is what the last change before the end made of it.
    let at_end = facts::Franchise { bank_account_id: franchise.account_at_end(), ..franchise.replica() };
    if let Some(change) = &franchise.modified {
        let as_modified = facts::Franchise { state: FranchiseState::Open, ..at_end.clone() };
        facts.push(modified(as_modified, change));
    }
    if let Some(closed) = &franchise.closed {
        let as_closed = facts::Franchise { version: closed.version, ..at_end };
        let fact = FranchiseClosed { franchise: as_closed, closed_at: closed.at };
        facts.push(Envelope::of(&fact, "", closed.at, &closed.traceparent));
    }
    if let Some(change) = &franchise.redirected {
        facts.push(modified(franchise.replica(), change));
    }
    Ok(facts)
}

/// A change, by the version that it made.
fn modified(changed: facts::Franchise, change: &Occasion) -> Envelope {
    let franchise = facts::Franchise { version: change.version, ..changed };
    let fact = FranchiseModified { franchise, modified_at: change.at };
    Envelope::of(&fact, &change.version.to_string(), change.at, &change.traceparent)
}

/// What a former member owned is looked for again, by the same fact.
fn unfinished(item: &Item) -> Result<Option<Later>, Unreadable> {
    if kind_of(item) != FormerMember::KIND {
        return Ok(None);
    }
    let former: FormerMember = read(item.clone())?;
    Ok(former.look_again(on_membership_closed::NAME))
}

fn registered(franchise: &Franchise) -> Envelope {
    let began = &franchise.registered;
    let as_registered = facts::Franchise {
        bank_account_id: began.bank_account_id,
        fee_terms: began.fee_terms.clone(),
        settlement_cycle: began.settlement_cycle,
        state: FranchiseState::Open,
        version: 1,
        ..franchise.replica()
    };
    let fact = FranchiseRegistered { franchise: as_registered, registered_at: began.at };
    Envelope::of(&fact, "", began.at, &began.traceparent)
}
