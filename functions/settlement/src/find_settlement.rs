//! `GET /v1/settlements/{settlementId}`: a settlement with one franchise, by its id, for the operator and the
//! franchise's owner; or a whole run, by its business day, for the operator.
//!
//! Somebody else's answers 404, as if it did not exist. A run's counts and sums are taken over its franchises as they
//! stand now.

use crate::{
    answers::{AnySettlement, LineView, Name, RunHead, RunView, Summary, hold_to_operator, hold_to_owner},
    entries::{self, Lists, Tally},
    items::{Entry, Run},
    lines, runs,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by, problem,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findSettlement",
    summary: "Shows a settlement with a franchise, or the run of a business day",
    triggers: &[Trigger::Route(Method::Get, "/v1/settlements/{settlementId}")],
    access: Access::Scopes(&[Scope::Operator, Scope::Merchant]),
    grants: &[Grant::ReadTable],
    refuses: &[&problem::NOT_FOUND],
    timeout_seconds: 20,
    ..handled_by!(find_settlement)
};

/// Which one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// The settlement's id, or the run's business day.
    pub settlement_id: Name,
}

async fn find_settlement(context: &Context, call: Call<Question>) -> Result<Reply<AnySettlement>, Problem> {
    match &call.body.settlement_id {
        Name::Line(id) => {
            let line = lines::find(context, *id).await?.ok_or(&problem::NOT_FOUND)?;
            hold_to_owner(&call, line.membership_id)?;
            Ok(Reply::ok(AnySettlement::Line(LineView::of(&line)?)))
        }
        Name::Run(day) => {
            hold_to_operator(&call)?;
            let run = runs::find(context, day).await?.ok_or(&problem::NOT_FOUND)?;
            let (tally, lists) = entries::survey(context, day).await?;
            Ok(Reply::ok(AnySettlement::Run(run_view(&run, tally, lists))))
        }
    }
}

/// A run as it stands.
pub fn run_view(run: &Run, tally: Tally, lists: Lists) -> RunView {
    let shown = |entries: Vec<Entry>| entries.iter().map(Summary::from).collect();
    RunView {
        run: RunHead::of(run),
        totals: tally.into(),
        pending: shown(lists.pending),
        failed: shown(lists.failed),
    }
}
