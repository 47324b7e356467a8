//! A step of the state machine: counts what of a run is not settled, and says how long to wait before the next look.

use crate::{entries, runs, settings::Settings};
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by};
use kernel::SeoulDay;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "countOpenLines",
    summary: "Counts what of a run is not settled",
    triggers: &[Trigger::Step],
    grants: &[Grant::ReadTable],
    timeout_seconds: 60,
    ..handled_by!(count_open_lines)
};

/// Which run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// Its day.
    pub business_day: SeoulDay,
}

/// How it stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// How many franchises are still to be settled.
    pub due: u64,
    /// How many are being paid out.
    pub open: u64,
    /// How many could not be paid out.
    pub failed: u64,
    /// Whether the attempt has had its time.
    pub is_over: bool,
    /// How long to wait before the next look.
    pub wait_seconds: u32,
}

async fn count_open_lines(context: &Context, call: Call<Question>) -> Result<Reply<Counted>, Problem> {
    let settings = Settings::of(context)?;
    let run = runs::find(context, &call.body.business_day).await?;
    let Some(run) = run.filter(|run| !run.is_final()) else {
        let counted = Counted { due: 0, open: 0, failed: 0, is_over: true, wait_seconds: 1 };
        return Ok(Reply::ok(counted));
    };
    let tally = entries::tally(context, &run.business_day).await?;
    Ok(Reply::ok(Counted {
        due: tally.due,
        open: tally.open,
        failed: tally.failed,
        is_over: settings.is_over(run.attempted_at, call.now),
        wait_seconds: settings.wait_seconds(run.attempted_at, call.now),
    }))
}
