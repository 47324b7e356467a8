//! On MoneyIncreaseRequested: runs the recharge that is stored under the event's id.
//!
//! Delivery is at least once and in any order: a recharge that is done already is left as it is.

use crate::money_requests;
use contract::{Call, Context, Operation, Problem, Reply, Trigger, handled_by};
use events::{Envelope, Fact, money::MoneyIncreaseRequested};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onMoneyIncreaseRequested",
    summary: "Carries out a recharge that was stored for an event",
    triggers: &[Trigger::Fact(MoneyIncreaseRequested::TYPE)],
    ..money_requests::advances(handled_by!(on_money_increase_requested))
};

async fn on_money_increase_requested(
    context: &Context,
    call: Call<Envelope<MoneyIncreaseRequested>>,
) -> Result<Reply<()>, Problem> {
    money_requests::advance_announced(context, &call, call.body.data.money_request_id).await?;
    Ok(Reply::done())
}
