//! Says whether none of a member's franchises is open or still to be paid out. Called by membership before it lets a
//! member go; it has no route.
//!
//! The list that it reads may lag by a moment. A franchise that looks open is read as it is now; one that is not
//! listed yet is closed when membership says that its owner has left. What a closed one is owed, settlement knows.

use crate::items::{self, Franchise};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{FranchiseOwner, FranchisesClosed, SettledQuestion, VERIFY_FRANCHISE_SETTLED},
    ports::CallError,
};
use futures_util::future::try_join_all;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "verifyFranchisesClosed",
    summary: "Says whether none of a member's franchises is open or still to be paid out",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable],
    calls: &[VERIFY_FRANCHISE_SETTLED.operation],
    ..handled_by!(verify_franchises_closed)
};

/// How many franchises are looked at, and asked about, at once: membership waits for the answer, and an owner may have
/// closed many.
const AT_ONCE: usize = 20;

async fn verify_franchises_closed(
    context: &Context,
    call: Call<FranchiseOwner>,
) -> Result<Reply<FranchisesClosed>, Problem> {
    let ids = items::ids_of(context, call.body.membership_id).await?;
    let mut closed = Vec::with_capacity(ids.len());
    for some in ids.chunks(AT_ONCE) {
        let franchises = try_join_all(some.iter().map(|id| items::load(context, *id))).await?;
        for franchise in franchises.into_iter().flatten() {
            if !franchise.is_closed() {
                return Ok(Reply::ok(FranchisesClosed { all_closed: false, all_settled: false }));
            }
            closed.push(franchise);
        }
    }
    let mut all_settled = true;
    for some in closed.chunks(AT_ONCE) {
        let settled =
            try_join_all(some.iter().map(|franchise| is_settled(context, &call, franchise))).await?;
        all_settled = all_settled && settled.into_iter().all(|settled| settled);
        if !all_settled {
            break;
        }
    }
    Ok(Reply::ok(FranchisesClosed { all_closed: true, all_settled }))
}

async fn is_settled(
    context: &Context,
    call: &Call<FranchiseOwner>,
    franchise: &Franchise,
) -> Result<bool, Problem> {
    let Some(closed) = &franchise.closed else { return Ok(true) };
    let question = SettledQuestion { franchise_id: franchise.franchise_id, closed_at: closed.at };
    match context.call(&VERIFY_FRANCHISE_SETTLED, call, None, None, &question).await {
        Ok(answer) => Ok(answer.settled),
        Err(CallError::Unanswered(error)) => Err(Problem::unavailable(error)),
        Err(CallError::Refused(problem)) => Err(Problem::internal(problem)),
    }
}
