//! Keeps money of a wallet for something on its way. Called by other services; it has no route.
//!
//! The money stays in the balance and cannot be spent, until the hold is posted or released. Limits are counted now,
//! so that what is held can always be posted. A hold never expires by itself: a bank call may be open.

use crate::{domain::Step, holds, refusals};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{HoldEntry, HoldOrder},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "holdMoney",
    summary: "Keeps money in a wallet for something on its way",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    refuses: &[
        &refusals::OTHER_TERMS,
        &refusals::BORN_LATER,
        &refusals::HOLD_CLOSED,
        &refusals::EXPIRED,
        &refusals::WALLET_CLOSED,
        &refusals::EACH_LIMIT_EXCEEDED,
        &refusals::INSUFFICIENT_BALANCE,
        &refusals::DAY_LIMIT_EXCEEDED,
        &refusals::MONTH_LIMIT_EXCEEDED,
    ],
    ..handled_by!(hold_money)
};

async fn hold_money(context: &Context, call: Call<HoldOrder>) -> Result<Reply<HoldEntry>, Problem> {
    let HoldOrder { membership_id, amount, expires_at } = call.body;
    let amount = holds::at_least_one(amount)?;
    holds::take(context, &call, membership_id, Step::Hold(amount), expires_at).await
}
