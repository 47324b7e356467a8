//! `POST /v1/money/decreases`: withdraws from the caller's wallet to a linked bank account (출금).
//!
//! The same saga as a recharge, the other way: the money is held, the bank moves it from the corporate account, and
//! then it leaves the wallet. If the bank has not answered by then, the answer is 202 and the money stays held.

use crate::money_requests;
use contract::{
    Access, Call, Context, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    peers::{Direction, MoneyOrder, MoneyRequestView},
};
use events::{Fact, money::MoneyDecreased};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "decreaseMoneyRequest",
    summary: "Withdraws from the wallet to a linked bank account",
    triggers: &[Trigger::Route(Method::Post, "/v1/money/decreases")],
    access: Access::Scopes(&[Scope::Member]),
    emits: &[MoneyDecreased::TYPE],
    answers: &[201, 202],
    refuses: crate::refusals::WITHDRAWAL_CODES,
    idempotent: true,
    timeout_seconds: 15,
    ..money_requests::advances(handled_by!(decrease_money_request))
};

async fn decrease_money_request(
    context: &Context,
    call: Call<MoneyOrder>,
) -> Result<Reply<MoneyRequestView>, Problem> {
    money_requests::request(context, call, Direction::Withdrawal).await
}
