//! On MoneyDecreaseRequested: runs the withdrawal that is stored under the event's id.
//!
//! Delivery is at least once and in any order: a withdrawal that is done already is left as it is.

use crate::money_requests;
use contract::{Call, Context, Operation, Problem, Reply, Trigger, handled_by};
use events::{Envelope, Fact, money::MoneyDecreaseRequested};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onMoneyDecreaseRequested",
    summary: "Carries out a withdrawal that was stored for an event",
    triggers: &[Trigger::Fact(MoneyDecreaseRequested::TYPE)],
    ..money_requests::advances(handled_by!(on_money_decrease_requested))
};

async fn on_money_decrease_requested(
    context: &Context,
    call: Call<Envelope<MoneyDecreaseRequested>>,
) -> Result<Reply<()>, Problem> {
    money_requests::advance_announced(context, &call, call.body.data.money_request_id).await?;
    Ok(Reply::done())
}
