//! `POST /v1/firmbankings/by-event`: stores a transfer for an event handler to carry out.
//!
//! It takes its place in the account's chain at once, so the account cannot be unlinked before it is final.

use crate::{
    bank,
    firmbankings::{Stored, Teller},
    refusals, vault,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    peers::{self, FirmbankingOrder, FirmbankingState},
};
use events::{Fact, banking::FirmbankingRequested};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "requestFirmbankingByEvent",
    summary: "Asks for a transfer at the bank; its state tells how that went",
    triggers: &[Trigger::Route(Method::Post, "/v1/firmbankings/by-event")],
    access: Access::Scopes(&[Scope::Operator]),
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ReadSecret(vault::SECRET),
        Grant::ReadSecret(bank::SECRET),
    ],
    emits: &[FirmbankingRequested::TYPE],
    answers: &[202],
    refuses: &[&refusals::BANK_ACCOUNT_NOT_FOUND, &refusals::NOT_WITH_CORPORATE],
    idempotent: true,
    ..handled_by!(request_firmbanking_by_event)
};

async fn request_firmbanking_by_event(
    context: &Context,
    call: Call<FirmbankingOrder>,
) -> Result<Reply<peers::Firmbanking>, Problem> {
    let mut teller = Teller::of(context, &call.trace).await?;
    Ok(match teller.store(&call, FirmbankingState::Requested).await? {
        Stored::New(entry) => Reply::accepted(entry.location(), entry.view_for(&call.caller)),
        Stored::Known(entry) => Reply::accepted(entry.location(), entry.view_for(&call.caller)).replayed(),
    })
}
