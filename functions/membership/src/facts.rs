//! The facts that membership's items state: how the relay and republish tell them.

use crate::items::Member;
use contract::outbox::Outbox;
use events::{
    Envelope,
    membership::{MembershipModified, MembershipRegistered, RegisterMembershipRequested},
};
use store::{Item, Record, Unreadable, kind_of, read};

/// Membership's outbox. Nothing in it waits to be advanced: a request is handled by its fact.
pub static OUTBOX: Outbox = Outbox { facts, unfinished: |_| Ok(None), republish: "membership.republish" };

/// A member states that it was requested, that it began, and its last change; each from what was kept of it, so that
/// a later change of the member does not change what is told again.
fn facts(item: &Item) -> Result<Vec<Envelope>, Unreadable> {
    if kind_of(item) != Member::KIND {
        return Ok(Vec::new());
    }
    let member: Member = read(item.clone())?;
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
    if let Some(modified) = &member.modified {
        let fact = MembershipModified {
            membership_id,
            region: member.region.clone(),
            version: modified.version,
            modified_at: modified.at,
        };
        let occasion = modified.version.to_string();
        facts.push(Envelope::of(&fact, &occasion, modified.at, &modified.traceparent));
    }
    Ok(facts)
}
