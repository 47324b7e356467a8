//! The table's stream: publishes what money's items state, and sends unfinished requests to the sweeper.
//!
//! Every entry passes here once, whichever step wrote it, so this is also where it is told that money went to suspense.

use crate::{
    domain::{Account, Entry},
    outbox::OUTBOX,
    sweep_money_requests,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, Relayed, StreamBatch},
};
use store::{AttributeValue, Record, kind_of};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "relayOutbox",
    summary: "Publishes the facts that money's items state",
    triggers: &[Trigger::Stream],
    grants: &[Grant::Publish, Grant::Enqueue(sweep_money_requests::NAME), Grant::Enqueue(OUTBOX.republish)],
    timeout_seconds: 30,
    ..handled_by!(relay_outbox)
};

async fn relay_outbox(context: &Context, call: Call<StreamBatch>) -> Result<Reply<Relayed>, Problem> {
    tell_of_suspense(&call.body);
    outbox::relay(context, call, &OUTBOX).await
}

/// Certain money that no wallet could take waits for a person, who must hear of it.
fn tell_of_suspense(batch: &StreamBatch) {
    let suspense = AttributeValue::S(Account::Suspense.to_string());
    let new =
        batch.changes.iter().filter(|change| change.old.is_none()).filter_map(|change| change.new.as_ref());
    for item in new.filter(|item| kind_of(item) == Entry::KIND && item.get("credit") == Some(&suspense)) {
        // What cannot be read, the relay tells.
        let Ok(entry) = store::read::<Entry>(item.clone()) else { continue };
        let (about, suspended) = (entry.reference, entry.amount.amount());
        tracing::warn!(
            about,
            suspended,
            metrics = "suspended",
            "money that no wallet could take is in suspense"
        );
    }
}
