//! A step of the state machine: lets payment freeze what a franchise was paid into the manifest of its next line.
//!
//! Which manifest follows from the franchise's chain as it is now. A large one takes several calls of this step. If
//! another run's line has the franchise's days meanwhile, the entry is done.

use crate::{
    domain::{LINES_BEFORE, Window, window},
    entries,
    items::{Entry, EntryState},
    lines,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{COLLECT_MANIFEST, Manifest, ManifestName, ManifestOrder},
    ports::CallError,
};
use kernel::{SeoulDay, id::FranchiseId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "collectPayments",
    summary: "Collects a franchise's payments for its next settlement",
    triggers: &[Trigger::Step],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    calls: &[COLLECT_MANIFEST.operation],
    timeout_seconds: 60,
    ..handled_by!(collect_payments)
};

/// How often payment is asked in one call of the step, and until when a further time.
const CALLS: u32 = 20;
const MOST_MILLIS: i64 = 25_000;

/// Which franchise in which run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Place {
    /// The run's day.
    pub business_day: SeoulDay,
    /// The franchise.
    pub franchise_id: FranchiseId,
}

/// What to do next.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Next {
    /// Collect on.
    Collect,
    /// The manifest is complete.
    Calculate,
    /// There is nothing to settle any more.
    Done,
}

/// What to do next.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Collected {
    /// It.
    pub next: Next,
}

async fn collect_payments(context: &Context, call: Call<Place>) -> Result<Reply<Collected>, Problem> {
    let Some((_, window)) = next_window(context, &call.body).await? else {
        return Ok(Reply::ok(Collected { next: Next::Done }));
    };
    for _ in 0..CALLS {
        if collect(context, &call, call.body.franchise_id, &window).await?.complete {
            return Ok(Reply::ok(Collected { next: Next::Calculate }));
        }
        if context.clock.now().millis_since(call.now) > MOST_MILLIS {
            break;
        }
    }
    Ok(Reply::ok(Collected { next: Next::Collect }))
}

/// What the franchise's next line takes; none if its entry is not due, or is not any more by what is found here.
pub async fn next_window(context: &Context, place: &Place) -> Result<Option<(Entry, Window)>, Problem> {
    let entry = entries::find(context, &place.business_day, place.franchise_id).await?;
    let Some(entry) = entry.filter(|entry| entry.state == EntryState::Due) else { return Ok(None) };
    let newest = lines::newest(context, place.franchise_id, LINES_BEFORE).await?;
    let before: Vec<ManifestName> = newest.iter().map(|line| line.manifest()).collect();
    match window(&entry.through, &entry.registered, &before) {
        Some(window) => Ok(Some((entry, window))),
        None => {
            entries::cover(context, entry).await?;
            Ok(None)
        }
    }
}

/// Lets payment collect a part of a manifest.
pub async fn collect<I>(
    context: &Context,
    call: &Call<I>,
    franchise_id: FranchiseId,
    window: &Window,
) -> Result<Manifest, Problem> {
    let Window { name, from, settled } = window.clone();
    let order = ManifestOrder { franchise_id, name, from, settled };
    context.call(&COLLECT_MANIFEST, call, None, None, &order).await.map_err(|error| match error {
        CallError::Refused(problem) => Problem::internal(format!("payment refused to collect: {problem}")),
        CallError::Unanswered(error) => Problem::unavailable(error),
    })
}
