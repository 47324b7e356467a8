//! `POST /v1/money/decreases/by-event`: stores a withdrawal and answers 202; an event handler does the rest.
//!
//! The stored record is the command: the relay publishes MoneyDecreaseRequested from it, and the handler runs the
//! same saga as the direct operation.

use crate::money_requests;
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    peers::{Direction, MoneyOrder, MoneyRequestView},
};
use events::{Fact, money::MoneyDecreaseRequested};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "decreaseMoneyRequestByEvent",
    summary: "Stores a withdrawal from the wallet, to be carried out by an event",
    triggers: &[Trigger::Route(Method::Post, "/v1/money/decreases/by-event")],
    access: Access::Scopes(&[Scope::Member]),
    grants: &[Grant::ReadTable, Grant::WriteTable],
    emits: &[MoneyDecreaseRequested::TYPE],
    answers: &[202],
    idempotent: true,
    ..handled_by!(decrease_money_request_by_event)
};

async fn decrease_money_request_by_event(
    context: &Context,
    call: Call<MoneyOrder>,
) -> Result<Reply<MoneyRequestView>, Problem> {
    money_requests::request_by_event(context, call, Direction::Withdrawal).await
}
