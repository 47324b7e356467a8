//! A step of the state machine: puts an entry into the run for each franchise that is due.
//!
//! It pages through all franchises, a few pages a call, and answers where to go on. What a franchise's chain covers
//! already is not due, and a closed one is looked at once a week; an entry that is there stays as it is, so that two
//! executions enlist alike.

use crate::{
    domain::{is_due, last_day, rests},
    items::{Entry, EntryState},
    lines, runs,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{FranchisePageQuestion, LIST_FRANCHISE_TERMS, ListedFranchise},
};
use kernel::SeoulDay;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{Condition, Write};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "enlistFranchises",
    summary: "Enlists the franchises that are due in a run",
    triggers: &[Trigger::Step],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    calls: &[LIST_FRANCHISE_TERMS.operation],
    timeout_seconds: 60,
    ..handled_by!(enlist_franchises)
};

/// How many pages of franchises one call takes.
const PAGES: u32 = 4;

/// Which run, and where to go on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Order {
    /// The run's day.
    pub business_day: SeoulDay,
    /// Where the call before ended.
    #[serde(default)]
    pub after: Option<String>,
}

/// Where to go on.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Enlisted {
    /// What the next call is given; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

async fn enlist_franchises(context: &Context, call: Call<Order>) -> Result<Reply<Enlisted>, Problem> {
    let day = &call.body.business_day;
    let mut after = call.body.after.clone();
    // A step that outlives its execution adds nothing to a run that others have finished.
    if runs::find(context, day).await?.is_none_or(|run| run.is_final()) {
        return Ok(Reply::ok(Enlisted { after: None }));
    }
    for _ in 0..PAGES {
        let question = FranchisePageQuestion { after };
        let page = context.call(&LIST_FRANCHISE_TERMS, &call, None, None, &question).await;
        let page = page.map_err(Problem::unavailable)?;
        for listed in &page.franchises {
            enlist(context, day, listed).await?;
        }
        after = page.after;
        if after.is_none() {
            break;
        }
    }
    Ok(Reply::ok(Enlisted { after }))
}

async fn enlist(context: &Context, day: &SeoulDay, listed: &ListedFranchise) -> Result<(), Problem> {
    let franchise = &listed.franchise;
    let through = last_day(franchise.settlement_cycle, day);
    let registered = listed.registered_at.business_day();
    let newest = lines::newest(context, franchise.franchise_id, 1).await?;
    let before: Vec<_> = newest.iter().map(|line| line.manifest()).collect();
    let closed = listed.closed_at.map(kernel::Timestamp::business_day);
    let rests = closed.is_some_and(|day| rests(&day, franchise.settlement_cycle, &through, &before));
    if rests || !is_due(&through, &registered, &before) {
        return Ok(());
    }
    let entry = Entry {
        business_day: day.clone(),
        franchise_id: franchise.franchise_id,
        membership_id: franchise.membership_id,
        through,
        registered,
        state: EntryState::Due,
        recorded: None,
        version: 1,
    };
    match context.table.commit(&[Write::put(&entry, Condition::Absent)?]).await {
        Ok(()) => Ok(()),
        Err(error) if error.found(0).is_some() => Ok(()),
        Err(error) => Err(error.into()),
    }
}
