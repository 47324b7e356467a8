//! `POST /v1/money/increases`: recharges the caller's wallet from a linked bank account (충전).
//!
//! Remittance and payment call it for what a member is short of. The record is stored under the id of the idempotency key, then the saga runs inline as far as it can. If the bank
//! has not answered by then, the answer is 202 and the same saga goes on behind it.

use crate::money_requests;
use contract::{
    Access, Call, Context, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    peers::{Direction, MoneyOrder, MoneyRequestView},
};
use events::{Fact, money::MoneyIncreased};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "increaseMoneyRequest",
    summary: "Recharges the wallet from a linked bank account",
    triggers: &[Trigger::Route(Method::Post, "/v1/money/increases"), Trigger::Call],
    access: Access::Scopes(&[Scope::Member]),
    emits: &[MoneyIncreased::TYPE],
    answers: &[201, 202],
    refuses: crate::refusals::RECHARGE_CODES,
    idempotent: true,
    timeout_seconds: 15,
    ..money_requests::advances(handled_by!(increase_money_request))
};

async fn increase_money_request(
    context: &Context,
    call: Call<MoneyOrder>,
) -> Result<Reply<MoneyRequestView>, Problem> {
    money_requests::request(context, call, Direction::Recharge).await
}
