//! The saga that ends a membership: the wallet's last entry → the person forgotten.
//!
//! The member's own item is the record, and it is put before money is asked. Money's answer stands as an entry under
//! a reference that derives from the item, so [`advance`] may be run again, by anybody, at any time: the request, a
//! repetition of it, the relay's message and the sweeper all run the same function, possibly at the same time. What
//! tells who the member was is destroyed only after the wallet is closed; if money refuses to close it, the member is
//! active again, as before.

use crate::items::{self, Closing, EmailOwner, Member, MembershipState};
use contract::{
    Call, Context, Problem,
    peers::{CLOSE_MEMBER_MONEY, MoneyClosing, WalletOwner, WhatIsLeft},
    ports::CallError,
};
use store::{Condition, Write};

/// How often a change is made anew because another executor was first.
const TRIES: u32 = 6;

/// How far a membership's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has ended.
    Closed,
    /// It goes on, because of this.
    Kept(WhatIsLeft),
    /// Money has not answered yet: it goes on later.
    Waiting,
}

/// Begins the end of a membership as it was read; none if it was changed meanwhile.
pub async fn begin<I>(context: &Context, call: &Call<I>, member: Member) -> Result<Option<Member>, Problem> {
    let unchanged = Condition::number("version", member.version);
    let leaving = member.leaving(call.now, call.trace.traceparent());
    match context.table.commit(&[Write::put(&leaving, unchanged)?]).await {
        Ok(()) => Ok(Some(leaving)),
        Err(error) if error.is_collision() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Brings a membership that is being closed as far as it will go now. Safe to run again and at once with others.
pub async fn advance<I>(
    context: &Context,
    call: &Call<I>,
    member: Member,
    closing: &Closing,
) -> Result<Progress, Problem> {
    let id = member.membership_id;
    let call = &call.in_trace_of(&member.traceparent);
    let (owner, reference) = (WalletOwner { membership_id: id }, closing.reference(id));
    let asked = context.call(&CLOSE_MEMBER_MONEY, call, Some(id), Some(reference), &owner).await;
    match asked {
        Ok(MoneyClosing::Closed { .. }) => {
            let at = call.now.max(closing.birth);
            change(context, member, closing, |member| member.left(at)).await?;
            Ok(Progress::Closed)
        }
        Ok(MoneyClosing::Refused { reason }) => {
            change(context, member, closing, Member::staying).await?;
            Ok(Progress::Kept(reason))
        }
        Err(error) => {
            match error {
                CallError::Refused(problem) => {
                    tracing::error!(code = %problem.code, "money refused to say whether a wallet is closed");
                }
                CallError::Unanswered(error) => tracing::warn!(cause = %error, "money did not answer"),
            }
            change(context, member, closing, Member::waiting).await?;
            Ok(Progress::Waiting)
        }
    }
}

/// Changes a member while this very try to leave is under way. If it is not, another executor has heard the same
/// answer and was first.
async fn change(
    context: &Context,
    mut member: Member,
    closing: &Closing,
    how: impl Fn(Member) -> Member,
) -> Result<(), Problem> {
    for _ in 0..TRIES {
        match context.table.commit(&writes(&member, how(member.clone()))?).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_collision() => {}
            Err(error) => return Err(error.into()),
        }
        let key = items::member_key(&member.membership_id.to_string());
        let found: Option<Member> = items::load(&*context.table, &key).await?;
        let same =
            |member: &Member| member.closing.as_ref().is_some_and(|found| found.attempt == closing.attempt);
        match found.filter(same) {
            Some(found) => member = found,
            None => return Ok(()),
        }
    }
    Err(Problem::unavailable("the member kept changing"))
}

/// The member at the version that was read; and, of one who has left, the email given back.
fn writes(member: &Member, changed: Member) -> Result<Vec<Write>, Problem> {
    let mut writes = vec![Write::put(&changed, Condition::number("version", member.version))?];
    if let (MembershipState::Closed, Some(email_index)) = (changed.state, &member.email_index) {
        let own = Condition::text("membershipId", member.membership_id.to_string());
        writes.push(Write::Delete(EmailOwner::key_of(email_index), own));
    }
    Ok(writes)
}
