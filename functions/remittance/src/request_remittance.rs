//! `POST /v1/remittances`: sends the caller's money to a member or to an account at the bank (송금).
//!
//! The record is stored under the id of the idempotency key, then the saga runs inline as far as it can. What the
//! balance lacks is recharged first. If the bank has not answered by then, the answer is 202 and the same saga goes on
//! behind it.

use crate::{KEY, answers::RemittanceView, receivers::RequestRemittance, refusals, remittances};
use contract::{Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "requestRemittance",
    summary: "Sends money to a member or to an account at the bank",
    triggers: &[Trigger::Route(Method::Post, "/v1/remittances")],
    access: Access::Scopes(&[Scope::Member]),
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(KEY)],
    calls: remittances::REQUEST_CALLS,
    answers: &[201, 202],
    refuses: refusals::CODES,
    idempotent: true,
    ..remittances::advances(handled_by!(request_remittance))
};

async fn request_remittance(
    context: &Context,
    call: Call<RequestRemittance>,
) -> Result<Reply<RemittanceView>, Problem> {
    remittances::request(context, call).await
}
