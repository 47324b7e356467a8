//! Moves what is held, or a part of it, to an account that is no wallet. Called by other services; it has no route.
//!
//! The rest is free again in the same entry, and its limits are given back. Nothing can refuse this but a hold that
//! is not there or is smaller, so that money which is certain elsewhere is always booked.

use crate::{domain::Step, holds, refusals};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{HoldEntry, PostOrder},
};
use events::{Fact, money::MoneyTransferred};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "postHold",
    summary: "Moves held money out of a wallet and frees the rest",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    emits: &[MoneyTransferred::TYPE],
    refuses: &[&refusals::OTHER_TERMS, &refusals::BORN_LATER, &refusals::NOT_HELD],
    ..handled_by!(post_hold)
};

async fn post_hold(context: &Context, call: Call<PostOrder>) -> Result<Reply<HoldEntry>, Problem> {
    let PostOrder { membership_id, amount, credit } = call.body;
    let amount = holds::at_least_one(amount)?;
    holds::take(context, &call, membership_id, Step::Post(amount, credit), None).await
}
