//! Which facts franchise's items state, and which of them are not final.
//!
//! A franchise states its beginning, its last change and its end; each from what was kept of it, so that telling it
//! again tells the same. A change before the last one is told only once: the last one carries all that it changed.

use crate::{items::Franchise, on_membership_closed};
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
    // Closing changes nothing but the state, so what was kept is what the last change made of it.
    if let Some(modified) = &franchise.modified {
        let as_modified = facts::Franchise {
            state: FranchiseState::Open,
            version: modified.version,
            ..franchise.replica()
        };
        let fact = FranchiseModified { franchise: as_modified, modified_at: modified.at };
        let occasion = modified.version.to_string();
        facts.push(Envelope::of(&fact, &occasion, modified.at, &modified.traceparent));
    }
    if let Some(closed) = &franchise.closed {
        // What comes after the end changes nothing that others keep.
        let as_closed = facts::Franchise { version: closed.version, ..franchise.replica() };
        let fact = FranchiseClosed { franchise: as_closed, closed_at: closed.at };
        facts.push(Envelope::of(&fact, "", closed.at, &closed.traceparent));
    }
    Ok(facts)
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
