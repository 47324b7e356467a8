//! `POST /v1/money/increases/by-event`: stores a recharge and answers 202; an event handler does the rest.
//!
//! The stored record is the command: the relay publishes MoneyIncreaseRequested from it, and the handler runs the
//! same saga as the direct operation.

use crate::money_requests;
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    peers::{Direction, MoneyOrder, MoneyRequestView},
};
use events::{Fact, money::MoneyIncreaseRequested};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "increaseMoneyRequestByEvent",
    summary: "Stores a recharge of the wallet, to be carried out by an event",
    triggers: &[Trigger::Route(Method::Post, "/v1/money/increases/by-event")],
    access: Access::Scopes(&[Scope::Member]),
    grants: &[Grant::ReadTable, Grant::WriteTable],
    emits: &[MoneyIncreaseRequested::TYPE],
    answers: &[202],
    idempotent: true,
    ..handled_by!(increase_money_request_by_event)
};

async fn increase_money_request_by_event(
    context: &Context,
    call: Call<MoneyOrder>,
) -> Result<Reply<MoneyRequestView>, Problem> {
    money_requests::request_by_event(context, call, Direction::Recharge).await
}
