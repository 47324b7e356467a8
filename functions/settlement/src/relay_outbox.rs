//! The table's stream: publishes what settlement's items state, and sends unfinished runs and lines to the sweeper.

use crate::{outbox::OUTBOX, sweep_settlements};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, Relayed, StreamBatch},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "relayOutbox",
    summary: "Publishes the facts that settlement's items state",
    triggers: &[Trigger::Stream],
    grants: &[Grant::Publish, Grant::Enqueue(sweep_settlements::NAME), Grant::Enqueue(OUTBOX.republish)],
    timeout_seconds: 30,
    ..handled_by!(relay_outbox)
};

async fn relay_outbox(context: &Context, call: Call<StreamBatch>) -> Result<Reply<Relayed>, Problem> {
    outbox::relay(context, call, &OUTBOX).await
}
