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

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "verifyFranchisesClosed",
    summary: "Says whether none of a member's franchises is open or still to be paid out",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable],
    calls: &[VERIFY_FRANCHISE_SETTLED.operation],
    ..handled_by!(verify_franchises_closed)
};

async fn verify_franchises_closed(
    context: &Context,
    call: Call<FranchiseOwner>,
) -> Result<Reply<FranchisesClosed>, Problem> {
    let mut closed = Vec::new();
    for id in items::ids_of(context, call.body.membership_id).await? {
        match items::load(context, id).await? {
            Some(franchise) if franchise.is_closed() => closed.push(franchise),
            Some(_) => return Ok(Reply::ok(FranchisesClosed { all_closed: false, all_settled: false })),
            None => {}
        }
    }
    for franchise in &closed {
        if !is_settled(context, &call, franchise).await? {
            return Ok(Reply::ok(FranchisesClosed { all_closed: true, all_settled: false }));
        }
    }
    Ok(Reply::ok(FranchisesClosed { all_closed: true, all_settled: true }))
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
