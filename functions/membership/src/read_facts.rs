//! Called by a read model that is built anew: answers the facts that membership's items state, page by page.
//!
//! They are the facts that the relay published, under the same ids, so that a reader that has one can skip it.

use crate::facts::OUTBOX;
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    outbox::{self, FactsRead, ReadFacts},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "readFacts",
    summary: "Answers the facts that membership's items state, for a read model that is built anew",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadTable, Grant::ScanTable],
    ..handled_by!(read_facts)
};

async fn read_facts(context: &Context, call: Call<ReadFacts>) -> Result<Reply<FactsRead>, Problem> {
    outbox::read_facts(context, call, &OUTBOX).await
}
