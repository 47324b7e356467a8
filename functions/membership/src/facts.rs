//! The facts that membership's items state: how the relay and republish tell them.

use crate::items::{Member, Modified, Move};
use contract::outbox::Outbox;
use events::{
    Envelope,
    membership::{MembershipModified, MembershipRegistered, RegisterMembershipRequested},
};
use kernel::id::MembershipId;
use store::{Item, Record, Unreadable, kind_of, read};

/// Membership's outbox. Nothing in it waits to be advanced: a request is handled by its fact.
pub static OUTBOX: Outbox = Outbox { facts, unfinished: |_| Ok(None), republish: "membership.republish" };

/// A member states that it was requested, that it began, and its last change; a move states itself for ever; each from what was kept of it, so that
/// a later change of the member does not change what is told again.
fn facts(item: &Item) -> Result<Vec<Envelope>, Unreadable> {
    match kind_of(item) {
        Member::KIND => Ok(of_member(&read(item.clone())?)),
        Move::KIND => Ok(vec![of_move(&read(item.clone())?)]),
        _ => Ok(Vec::new()),
    }
}

fn of_member(member: &Member) -> Vec<Envelope> {
    let membership_id = member.membership_id;
    let mut facts = Vec::new();
    if let Some(requested) = &member.requested {
        let fact = RegisterMembershipRequested { membership_id };
        facts.push(Envelope::of(&fact, "", requested.at, &requested.traceparent));
    }
    if let Some(registered) = &member.registered {
        let fact = MembershipRegistered {
            membership_id,
            kind: member.kind,
            region: registered.region.clone(),
            registered_at: registered.at,
        };
        facts.push(Envelope::of(&fact, "", registered.at, &registered.traceparent));
    }
    // A move's own item tells the change that was one.
    if let Some(modified) = member.modified.as_ref().filter(|modified| !modified.moved) {
        facts.push(modified_fact(member.membership_id, &member.region, modified));
    }
    facts
}

fn of_move(moved: &Move) -> Envelope {
    let Move { membership_id, region, version, at, traceparent } = moved;
    let modified = Modified { at: *at, version: *version, moved: true, traceparent: traceparent.clone() };
    modified_fact(*membership_id, region, &modified)
}

fn modified_fact(membership_id: MembershipId, region: &str, modified: &Modified) -> Envelope {
    let fact = MembershipModified {
        membership_id,
        region: region.to_owned(),
        version: modified.version,
        modified_at: modified.at,
    };
    Envelope::of(&fact, &modified.version.to_string(), modified.at, &modified.traceparent)
}
