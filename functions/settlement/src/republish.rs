//! Called by Pay's own people, and by the relay's queue: publishes facts again from the stored items.
//!
//! They keep their ids, so that a listener who knows them already does nothing.

use crate::outbox::OUTBOX;
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, Republish, Republished},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "republish",
    summary: "Publishes settlement's facts again from the stored items, under the same ids",
    triggers: &[Trigger::Call, Trigger::Queue],
    grants: &[Grant::ReadTable, Grant::ScanTable, Grant::Publish],
    timeout_seconds: 60,
    ..handled_by!(republish)
};

async fn republish(context: &Context, call: Call<Republish>) -> Result<Reply<Republished>, Problem> {
    outbox::republish(context, call, &OUTBOX).await
}
