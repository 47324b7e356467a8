//! Money-query's operations: what counting a fact costs, and what building the model anew costs per page.

use crate::runner::{Caller, Runner, request};
use anyhow::Result;
use serde_json::{Value, json};

const COUNT: &str = "money-query.onCountedFact";
const REBUILD: &str = "money-query.rebuildReadModel";

/// Counts a fact of each kind, asks, and builds the model anew.
pub async fn run(runner: &mut Runner, operator: &Caller) -> Result<()> {
    runner.fact(COUNT, "a registration", "membership.registered.v1").await?;
    runner.fact(COUNT, "a recharge, new wallet", "money.increased.v1").await?;
    runner.fact(COUNT, "a recharge that was counted", "money.increased.v1").await?;
    runner.fact(COUNT, "a withdrawal", "money.decreased.v1").await?;
    runner.fact(COUNT, "a transfer, one wallet new", "money.transferred.v1").await?;
    let path = "/v1/money/regions/seoul/sum";
    let ask = request("GET", path, Some(operator), "", &Value::Null);
    runner.route("money-query.queryMoneySumByRegion", "30 days", ask, 200).await?;
    runner.plain(REBUILD, "begin", json!({ "task": "begin" })).await?;
    runner.message(REBUILD, "membership's facts").await?;
    runner.message(REBUILD, "money's facts, some pages").await?;
    runner.direct("membership.readFacts", "one page", "", json!({})).await?;
    runner.direct("money.readFacts", "one page", "", json!({})).await?;
    Ok(())
}
