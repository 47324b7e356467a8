//! `POST /v1/firmbankings`, and called by money and settlement: moves money between a linked account and the
//! corporate account at the external bank.
//!
//! Asking again under the same reference is asking once: what is final is answered again, what is not is advanced.
//! A bank that does not answer in time leaves the firmbanking unknown, and the answer says so; inquiries find out.

use crate::{
    bank,
    domain::Last,
    firmbankings::{self, Stored, Teller},
    refusals, vault,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    peers::{self, FirmbankingOrder, FirmbankingState},
};
use events::{
    Fact,
    banking::{FirmbankingFailed, FirmbankingSucceeded},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "requestFirmbanking",
    summary: "Moves money between a linked account and the corporate account at the bank",
    triggers: &[Trigger::Route(Method::Post, "/v1/firmbankings"), Trigger::Call],
    access: Access::Scopes(&[Scope::Operator]),
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ReadSecret(vault::SECRET),
        Grant::ReadSecret(bank::SECRET),
    ],
    emits: &[FirmbankingSucceeded::TYPE, FirmbankingFailed::TYPE],
    answers: &[201, 202],
    refuses: &[&refusals::BANK_ACCOUNT_NOT_FOUND, &refusals::NOT_WITH_CORPORATE],
    idempotent: true,
    timeout_seconds: 15,
    ..handled_by!(request_firmbanking)
};

async fn request_firmbanking(
    context: &Context,
    call: Call<FirmbankingOrder>,
) -> Result<Reply<peers::Firmbanking>, Problem> {
    let mut teller = Teller::of(context, &call.trace).await?;
    Ok(match teller.store(&call, FirmbankingState::Sent).await? {
        Stored::New(entry) => firmbankings::reply(&teller.advance(entry, Last::Claimed).await?, &call.caller),
        Stored::Known(entry) => {
            firmbankings::reply(&teller.advance(entry, Last::Found).await?, &call.caller).replayed()
        }
    })
}
