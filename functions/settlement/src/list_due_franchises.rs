//! A step of the state machine: lists some franchises of a shard of the run that are still to be settled.

use crate::{
    entries,
    items::{EntryState, SHARDS},
};
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by};
use kernel::{SeoulDay, id::FranchiseId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "listDueFranchises",
    summary: "Lists franchises of a run that are still to be settled",
    triggers: &[Trigger::Step],
    grants: &[Grant::ReadTable],
    timeout_seconds: 30,
    ..handled_by!(list_due_franchises)
};

/// How many franchises one answer names: what an Express execution settles within its five minutes.
const MOST: usize = 20;
/// How many entries are looked at in one read, and how many reads there are in one call.
const LOOKED_AT: u32 = 100;
const READS: u32 = 20;

/// Which shard of which run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// The run's day.
    pub business_day: SeoulDay,
    /// The shard: 0 to 15.
    pub shard: u8,
    /// The last franchise that the call before has looked at.
    #[serde(default)]
    pub after: Option<FranchiseId>,
}

/// Some franchises that are due.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Due {
    /// They.
    pub franchises: Vec<DueFranchise>,
    /// What the next call is given; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<FranchiseId>,
}

/// A franchise that is due.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DueFranchise {
    /// Which.
    pub franchise_id: FranchiseId,
}

async fn list_due_franchises(context: &Context, call: Call<Question>) -> Result<Reply<Due>, Problem> {
    let Question { business_day, shard, mut after } = call.body;
    if shard >= SHARDS {
        return Err(Problem::field("/shard", format!("must be below {SHARDS}")));
    }
    let mut franchises = Vec::new();
    for _ in 0..READS {
        let page = entries::page(context, &business_day, shard, after, Some(LOOKED_AT)).await?;
        for entry in page.entries {
            after = Some(entry.franchise_id);
            if entry.state == EntryState::Due {
                franchises.push(DueFranchise { franchise_id: entry.franchise_id });
            }
            if franchises.len() == MOST {
                return Ok(Reply::ok(Due { franchises, after }));
            }
        }
        if !page.more {
            return Ok(Reply::ok(Due { franchises, after: None }));
        }
    }
    Ok(Reply::ok(Due { franchises, after }))
}
