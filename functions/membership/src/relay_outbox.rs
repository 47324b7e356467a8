//! On the table's stream: publishes the facts that committed items state, and sends members who are leaving to the
//! sweeper.

use crate::{facts::OUTBOX, sweep_memberships};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, Relayed, StreamBatch},
};

/// relayOutbox
pub const OPERATION: Operation = Operation {
    name: "relayOutbox",
    summary: "Publishes what membership's committed items state",
    triggers: &[Trigger::Stream],
    grants: &[
        Grant::Publish,
        Grant::Enqueue("membership.republish"),
        Grant::Enqueue(sweep_memberships::NAME),
    ],
    timeout_seconds: 30,
    ..handled_by!(relay_outbox)
};

async fn relay_outbox(context: &Context, call: Call<StreamBatch>) -> Result<Reply<Relayed>, Problem> {
    outbox::relay(context, call, &OUTBOX).await
}
