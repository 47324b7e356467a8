//! The facts that membership's items state: how the relay and republish tell them.

use crate::{
    items::{Member, Modified, Move},
    sweep_memberships,
};
use contract::outbox::{Later, Outbox, delay_seconds};
use events::{
    Envelope,
    membership::{MembershipClosed, MembershipModified, MembershipRegistered, RegisterMembershipRequested},
};
use kernel::id::MembershipId;
use serde_json::json;
use store::{Item, Record, Unreadable, kind_of, read};

/// Membership's outbox.
pub static OUTBOX: Outbox = Outbox { facts, unfinished, republish: "membership.republish" };

/// The first message comes when whoever began it has stopped; later ones ever more slowly.
const FIRST_DELAY_SECONDS: u32 = 25;
/// A try that is younger is left to whoever began it.
const WORK_SECONDS: i64 = 60;

/// A member states that it was requested, that it began, its last change and its end, each from what was kept of it;
/// a move states itself. So a later change of the member does not change what is told again.
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
    if let Some(closed) = &member.closed {
        let fact = MembershipClosed { membership_id, region: member.region.clone(), closed_at: closed.at };
        facts.push(Envelope::of(&fact, "", closed.at, &closed.traceparent));
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

/// A member on the way out is advanced; a request is handled by its fact.
fn unfinished(item: &Item) -> Result<Option<Later>, Unreadable> {
    if kind_of(item) != Member::KIND {
        return Ok(None);
    }
    let member: Member = read(item.clone())?;
    Ok(member.closing.map(|closing| Later {
        operation: sweep_memberships::NAME,
        body: json!({ "membershipId": member.membership_id, "attempts": closing.asked }),
        delay_seconds: delay_seconds(FIRST_DELAY_SECONDS, closing.asked),
        busy_until: closing.birth.plus_seconds(WORK_SECONDS),
    }))
}
