//! On `FirmbankingRequested`: carries out the firmbanking that is stored.
//!
//! It runs the same `advance` as the API call, so a repeated or late event changes nothing.

use crate::{bank, domain::Last, find_firmbanking, firmbankings::Teller, vault};
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by};
use events::{
    Envelope, Fact,
    banking::{FirmbankingFailed, FirmbankingRequested, FirmbankingSucceeded},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onFirmbankingRequested",
    summary: "Carries out a transfer that was asked for by event",
    triggers: &[Trigger::Fact(FirmbankingRequested::TYPE)],
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ReadSecret(vault::SECRET),
        Grant::ReadSecret(bank::SECRET),
    ],
    emits: &[FirmbankingSucceeded::TYPE, FirmbankingFailed::TYPE],
    answers: &[204],
    timeout_seconds: 20,
    ..handled_by!(on_firmbanking_requested)
};

async fn on_firmbanking_requested(
    context: &Context,
    call: Call<Envelope<FirmbankingRequested>>,
) -> Result<Reply<()>, Problem> {
    let id = call.body.data.firmbanking_id;
    // The event is relayed from this very item, so a missing one is a fault that the dead-letter queue must show.
    let entry = find_firmbanking::by_id(context, id)
        .await?
        .ok_or_else(|| Problem::internal(format!("{id} was requested and is not stored")))?;
    Teller::of(context, &call.trace).await?.advance(entry, Last::Found).await?;
    Ok(Reply::done())
}
