//! Members who have left, as the services that keep something of theirs note them.
//!
//! The note comes first, and whatever is written in a member's name from then on checks it in the same commit. Then
//! what is theirs is looked for and forgotten. Lists may lag behind their table, so the same fact comes again a
//! quarter of an hour later: only a look that long after the note settles it.

use crate::{Call, Context, Problem, outbox::Later, ports::MOST_DELAY_SECONDS};
use events::{Envelope, membership::MembershipClosed};
use kernel::{Timestamp, id::MembershipId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{CommitError, Condition, Key, Read, Record, Write};

/// Later than a list lags, and the most that a queue can delay.
const LOOK_AGAIN_SECONDS: u32 = MOST_DELAY_SECONDS;

/// A member who has left. Whatever names them as owner is refused from then on, and what lists did not show yet when
/// it was noted is looked for once more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerMember {
    /// What membership said.
    pub fact: MembershipClosed,
    /// When it was heard.
    pub noted_at: Timestamp,
    /// When everything of theirs was last looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// Whether nothing of theirs can be left.
    pub settled: bool,
    /// Counts its changes; a change is conditional on it.
    pub version: u64,
    /// The trace of the fact.
    pub traceparent: String,
}

impl Record for FormerMember {
    const KIND: &'static str = "formerMember";

    fn key(&self) -> Key {
        FormerMember::key_of(self.fact.membership_id)
    }
}

impl FormerMember {
    /// How long a list may lag behind its table, in seconds; after that, a look at it has seen everything.
    const LISTS_LAG_SECONDS: i64 = 600;

    /// A fact that comes so soon after a look, in seconds, is a repetition.
    const PAUSE_SECONDS: i64 = 300;

    /// Where it is noted that this member has left.
    pub fn key_of(member: MembershipId) -> Key {
        Key::new(format!("former#{member}"), "member")
    }

    fn noted(fact: MembershipClosed, now: Timestamp, traceparent: &str) -> FormerMember {
        let traceparent = traceparent.to_owned();
        FormerMember { fact, noted_at: now, looked_at: None, settled: false, version: 1, traceparent }
    }

    /// Whether there is nothing to look for now: all is settled, or somebody has just looked, and the relay sends the
    /// fact once more. So there is one chain of looks, however often a fact comes.
    fn is_looked_after(&self, now: Timestamp) -> bool {
        let pause = FormerMember::PAUSE_SECONDS;
        self.settled || self.looked_at.is_some_and(|looked_at| now < looked_at.plus_seconds(pause))
    }

    /// Stores that everything of theirs was looked for once more, and whether all that was found could be forgotten.
    pub async fn looked(self, context: &Context, all_forgotten: bool, now: Timestamp) -> Result<(), Problem> {
        let unchanged = Condition::number("version", self.version);
        let is_late = now >= self.noted_at.plus_seconds(FormerMember::LISTS_LAG_SECONDS);
        let looked = FormerMember {
            looked_at: Some(now),
            settled: all_forgotten && is_late,
            version: self.version.saturating_add(1),
            ..self
        };
        match context.table.commit(&[Write::put(&looked, unchanged)?]).await {
            Ok(()) => Ok(()),
            // The same fact was handled at the same time.
            Err(CommitError::Refused(_)) => Ok(()),
            // Nobody has stored a look if another transaction was only in the way, and no other look would follow: the
            // fact has to come again.
            Err(error) => Err(error.into()),
        }
    }

    /// When the relay's message for the next look comes.
    fn looks_again_at(&self) -> Timestamp {
        self.looked_at.unwrap_or(self.noted_at).plus_seconds(i64::from(LOOK_AGAIN_SECONDS))
    }

    /// The same fact again, for the handler of this name to look once more; none if all is settled.
    pub fn look_again(&self, handler: &'static str) -> Option<Later> {
        let fact = Envelope::of(&self.fact, "", self.fact.closed_at, &self.traceparent);
        let body = json!(fact);
        (!self.settled).then(|| Later {
            operation: handler,
            body,
            delay_seconds: LOOK_AGAIN_SECONDS,
            busy_until: self.looks_again_at(),
        })
    }
}

/// Notes that a member has left, or finds that noted; none if there is nothing to look for now.
pub async fn heard(
    context: &Context,
    call: &Call<Envelope<MembershipClosed>>,
) -> Result<Option<FormerMember>, Problem> {
    let fact = call.body.data.clone();
    let known = context.table.get(&FormerMember::key_of(fact.membership_id), Read::Consistent).await?;
    let former = match known {
        Some(known) => store::read(known)?,
        None => {
            let former = FormerMember::noted(fact, call.now, call.trace.traceparent());
            match context.table.commit(&[Write::put(&former, Condition::Absent)?]).await {
                Ok(()) => former,
                Err(error) => match error.found(0) {
                    Some(found) => store::read(found.clone())?,
                    None => return Err(error.into()),
                },
            }
        }
    };
    Ok((!former.is_looked_after(call.now)).then_some(former))
}
