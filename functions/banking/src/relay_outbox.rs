//! On the table's stream: publishes what committed items state, and sends what is not final to be advanced.

use crate::{inquire_firmbanking, on_membership_closed, on_register_bank_account_requested, outbox::OUTBOX};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, Relayed, StreamBatch},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "relayOutbox",
    summary: "Publishes what banking's committed items state",
    triggers: &[Trigger::Stream],
    grants: &[
        Grant::Publish,
        Grant::Enqueue("banking.republish"),
        Grant::Enqueue(inquire_firmbanking::NAME),
        Grant::Enqueue(on_register_bank_account_requested::NAME),
        Grant::Enqueue(on_membership_closed::NAME),
    ],
    timeout_seconds: 30,
    ..handled_by!(relay_outbox)
};

async fn relay_outbox(context: &Context, call: Call<StreamBatch>) -> Result<Reply<Relayed>, Problem> {
    outbox::relay(context, call, &OUTBOX).await
}
