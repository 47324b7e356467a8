//! On `MembershipClosed`: unlinks every bank account of a member who has left, so that no number can be read any more.
//!
//! First it is noted that the member has left, and from then on nothing can be linked in their name. The list of
//! their accounts may lag behind, and an account whose firmbanking is not final must wait, so the relay sends the same
//! fact again a quarter of an hour later: only a look that long after the note, which leaves nothing over, settles it.
//! The fact may come twice or late; an account that is unlinked is left alone.

use crate::{
    chain,
    items::{self, BankAccountState},
    unlink_bank_account::unlinking,
};
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, former, handled_by};
use events::{Envelope, Fact, membership::MembershipClosed};
use kernel::{Timestamp, id::BankAccountId};

/// The operation's full name.
pub const NAME: &str = "banking.onMembershipClosed";

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onMembershipClosed",
    summary: "Unlinks and forgets the bank accounts of a member who has left",
    triggers: &[Trigger::Fact(MembershipClosed::TYPE), Trigger::Queue],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    answers: &[204],
    timeout_seconds: 30,
    ..handled_by!(on_membership_closed)
};

/// How often it is decided again because something took an account's place in between.
const TRIES: u32 = 6;

async fn on_membership_closed(
    context: &Context,
    call: Call<Envelope<MembershipClosed>>,
) -> Result<Reply<()>, Problem> {
    let Some(former) = former::heard(context, &call).await? else { return Ok(Reply::done()) };
    let mut all_forgotten = true;
    for id in items::ids_of(context, former.fact.membership_id).await? {
        all_forgotten &= forget(context, id, call.now).await?;
    }
    former.looked(context, all_forgotten, call.now).await?;
    Ok(Reply::done())
}

/// Unlinks an account with everything that is kept of its request; false if a firmbanking of it is not final yet.
async fn forget(context: &Context, id: BankAccountId, now: Timestamp) -> Result<bool, Problem> {
    for _ in 0..TRIES {
        let whole = chain::whole(context, id).await?;
        let Some(account) = whole.account.filter(|account| account.state != BankAccountState::Unlinked)
        else {
            return Ok(true);
        };
        if whole.open > 0 {
            return Ok(false);
        }
        match context.table.commit(&unlinking(&account, &whole.tip, now, None)?).await {
            Ok(()) => return Ok(true),
            Err(error) if error.is_collision() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("the account kept changing"))
}
