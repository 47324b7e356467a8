//! Runs: one a business day, carried out by executions of the state machine, one after the other.
//!
//! An execution's name is the day and the attempt, and a name is used once. So a day that is started twice is one
//! execution; and only when that has ended and the run has not, the next attempt begins, by a condition on the run.

use crate::items::{Run, RunState};
use contract::{Context, Problem, Trace, ports::Execution};
use kernel::{SeoulDay, Timestamp};
use serde_json::json;
use store::{Condition, Read, Write};

/// The state machine.
pub const WORKFLOW: &str = "settlement";

/// How often a run's next attempt is begun before it is left to the next call.
const TRIES: u32 = 3;

/// The run of a day, as of now.
pub async fn find(context: &Context, day: &SeoulDay) -> Result<Option<Run>, Problem> {
    let item = context.table.get(&Run::key_of(day), Read::Consistent).await?;
    Ok(item.map(store::read).transpose()?)
}

/// Puts the run of a day, or finds the one that is there.
pub async fn open(context: &Context, day: SeoulDay, now: Timestamp, trace: &Trace) -> Result<Run, Problem> {
    let run = Run {
        business_day: day,
        state: RunState::Started,
        attempt: 1,
        started_at: now,
        attempted_at: now,
        ended: None,
        version: 1,
        traceparent: trace.traceparent().to_owned(),
    };
    match context.table.commit(&[Write::put(&run, Condition::Absent)?]).await {
        Ok(()) => Ok(run),
        Err(error) if error.is_collision() => {
            let known = find(context, &run.business_day).await?;
            known.ok_or_else(|| Problem::unavailable("a contended put"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Sees to it that somebody works on a run, unless it is finished.
pub async fn start(context: &Context, run: Run, now: Timestamp) -> Result<Run, Problem> {
    let mut run = run;
    for _ in 0..TRIES {
        if run.is_final() {
            return Ok(run);
        }
        let input = json!({
            "businessDay": run.business_day,
            "traceparent": run.traceparent,
            "attempt": run.attempt,
        });
        let started = context.workflows.start(WORKFLOW, &run.execution(), &input).await;
        if started.map_err(Problem::unavailable)? == Execution::Running {
            return Ok(run);
        }
        // It may have finished the run with its last step.
        let found = find(context, &run.business_day).await?;
        let found = found.ok_or_else(|| Problem::internal("a run has vanished"))?;
        run = if found.is_final() || found.attempt != run.attempt {
            found
        } else {
            let attempt = found.attempt.saturating_add(1);
            save(context, Run { attempt, attempted_at: now, ..found }).await?
        };
    }
    Ok(run)
}

/// Stores a changed run, or answers what somebody else has made of it meanwhile.
pub async fn save(context: &Context, changed: Run) -> Result<Run, Problem> {
    let unchanged = Condition::number("version", changed.version);
    let changed = Run { version: changed.version.saturating_add(1), ..changed };
    match context.table.commit(&[Write::put(&changed, unchanged)?]).await {
        Ok(()) => Ok(changed),
        Err(error) if error.is_collision() => {
            let found = find(context, &changed.business_day).await?;
            found.ok_or_else(|| Problem::internal("a run has vanished"))
        }
        Err(error) => Err(error.into()),
    }
}
