//! The facts that membership's items state: how the relay and republish tell them.

use crate::{items::Member, sweep_memberships};
use contract::outbox::{Later, Outbox};
use events::{
    Envelope,
    membership::{MembershipClosed, MembershipModified, MembershipRegistered, RegisterMembershipRequested},
};
use serde_json::json;
use store::{Item, Record, Unreadable, kind_of, read};

/// Membership's outbox.
pub static OUTBOX: Outbox = Outbox { facts, unfinished, republish: "membership.republish" };

/// The first message comes when whoever began it has stopped; later ones ever more slowly.
const FIRST_DELAY_SECONDS: u32 = 25;
const MOST_DELAY_SECONDS: u32 = 900;

/// A member states that it was requested, that it began, its last change and its end; each from what was kept of it, so that
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
    if let Some(closed) = &member.closed {
        let fact = MembershipClosed { membership_id, region: member.region.clone(), closed_at: closed.at };
        facts.push(Envelope::of(&fact, "", closed.at, &closed.traceparent));
    }
    Ok(facts)
}

/// A member on the way out is advanced; a request is handled by its fact.
fn unfinished(item: &Item) -> Result<Option<Later>, Unreadable> {
    if kind_of(item) != Member::KIND {
        return Ok(None);
    }
    let member: Member = read(item.clone())?;
    let doubled = |asked| FIRST_DELAY_SECONDS.saturating_mul(2_u32.saturating_pow(asked));
    Ok(member.closing.map(|closing| Later {
        operation: sweep_memberships::NAME,
        body: json!({ "membershipId": member.membership_id }),
        delay_seconds: doubled(closing.asked).min(MOST_DELAY_SECONDS),
    }))
}
