//! On the table's stream: publishes the facts that committed items state.

use crate::{outbox::OUTBOX, sweep_payments};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, Relayed, StreamBatch},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "relayOutbox",
    summary: "Publishes what payment's committed items state",
    triggers: &[Trigger::Stream],
    grants: &[Grant::Publish, Grant::Enqueue(sweep_payments::NAME), Grant::Enqueue(OUTBOX.republish)],
    timeout_seconds: 30,
    ..handled_by!(relay_outbox)
};

async fn relay_outbox(context: &Context, call: Call<StreamBatch>) -> Result<Reply<Relayed>, Problem> {
    outbox::relay(context, call, &OUTBOX).await
}
