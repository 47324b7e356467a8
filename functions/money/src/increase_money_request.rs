//! `POST /v1/money/increases`: recharges the caller's wallet from a linked bank account (충전).
//!
//! The record is stored under the id of the idempotency key, then the saga runs inline as far as it can. If the bank
//! has not answered by then, the answer is 202 and the same saga goes on behind it.

use crate::recharge::{self, MoneyRequestView, RechargeOrder, Stored};
use contract::{Access, Call, Context, Method, Operation, Problem, Reply, Scope, Trigger, handled_by};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "increaseMoneyRequest",
    summary: "Recharges the wallet from a linked bank account",
    triggers: &[Trigger::Route(Method::Post, "/v1/money/increases")],
    access: Access::Scopes(&[Scope::Member]),
    answers: &[201, 202],
    refuses: crate::refusals::RECHARGE_CODES,
    idempotent: true,
    timeout_seconds: 15,
    ..recharge::advances(handled_by!(increase_money_request))
};

async fn increase_money_request(
    context: &Context,
    call: Call<RechargeOrder>,
) -> Result<Reply<MoneyRequestView>, Problem> {
    match recharge::store_request(context, &call, false).await? {
        Stored::New(record) => recharge::reply(&recharge::advance(context, &call, record).await?),
        Stored::Known(record) => {
            let record = recharge::take_over(context, record, call.now).await?;
            let outcome = recharge::reply(&recharge::advance(context, &call, record).await?);
            outcome.map(Reply::replayed).map_err(|problem| Problem { replayed: true, ..problem })
        }
    }
}
