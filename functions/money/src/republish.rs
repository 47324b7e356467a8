//! Publishes facts again from the stored items, under their old ids: by hand, or for what the relay could not read.

use crate::outbox::OUTBOX;
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, Republish, Republished},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "republish",
    summary: "Publishes facts again from the stored items",
    triggers: &[Trigger::Call, Trigger::Queue],
    grants: &[Grant::ReadTable, Grant::ScanTable, Grant::Publish],
    timeout_seconds: 60,
    ..handled_by!(republish)
};

async fn republish(context: &Context, call: Call<Republish>) -> Result<Reply<Republished>, Problem> {
    outbox::republish(context, call, &OUTBOX).await
}
