//! `POST /v1/settlements`: opens the settlement of a business day; and daily, ten minutes after the day has ended.
//!
//! A business day ends at 23:30 in Seoul, and the last one that has ended is settled if none is named. The same day
//! twice is the same run: it answers 202 while that works, and 200 once it is finished. A run whose work was
//! interrupted is taken up again.

use crate::{
    answers::RunHead,
    items::location,
    runs,
    settings::{Settings, last_closed},
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, call::given, handled_by,
};
use events::{Fact, settlement::SettlementStarted};
use kernel::SeoulDay;
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "startSettlement",
    summary: "Starts the settlement of a business day",
    triggers: &[
        Trigger::Route(Method::Post, "/v1/settlements"),
        // Schedules run by Seoul's clock.
        Trigger::Schedule("cron(40 23 * * ? *)"),
    ],
    access: Access::Scopes(&[Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::StartWorkflow(runs::WORKFLOW)],
    emits: &[SettlementStarted::TYPE],
    answers: &[202, 200],
    timeout_seconds: 20,
    ..handled_by!(start_settlement)
};

/// Which day.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Order {
    /// The business day; the last one that has ended if unsaid.
    #[serde(deserialize_with = "given")]
    business_day: Option<SeoulDay>,
}

async fn start_settlement(context: &Context, call: Call<Order>) -> Result<Reply<RunHead>, Problem> {
    let day = call.body.business_day.clone().unwrap_or_else(|| last_closed(call.now));
    let last = Settings::of(context)?.last_day(call.now);
    if day > last {
        return Err(Problem::field("/businessDay", format!("must be over: at most {last}")));
    }
    let run = runs::open(context, day, call.now, &call.trace).await?;
    let run = runs::start(context, run, call.now).await?;
    let reply = Reply::accepted(location(&run.business_day), RunHead::of(&run));
    Ok(if run.is_final() { Reply { status: 200, ..reply } } else { reply })
}
