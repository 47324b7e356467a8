//! A step of the state machine: reckons fee, tax and net of a franchise's next line from its stored manifest.

use crate::{
    collect_payments::{Place, collect, next_window},
    domain::{Reckoning, reckon},
    settings::Settings,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{COLLECT_MANIFEST, FeeTotals, ManifestName},
};
use kernel::{BasisPoints, id::FranchiseId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "calculateSettlement",
    summary: "Reckons what a franchise's next settlement comes to",
    triggers: &[Trigger::Step],
    grants: &[Grant::ReadTable, Grant::WriteTable],
    calls: &[COLLECT_MANIFEST.operation],
    timeout_seconds: 60,
    ..handled_by!(calculate_settlement)
};

/// What a franchise's next line comes to, but for what is carried in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Calculation {
    /// The franchise.
    pub franchise_id: FranchiseId,
    /// The line's manifest: its place in the chain is the line's.
    pub name: ManifestName,
    /// What the manifest lists, by fee.
    pub totals: Vec<FeeTotals>,
    /// The tax rate.
    pub vat_bps: BasisPoints,
    /// What it comes to.
    pub reckoning: Reckoning,
}

/// The calculation; none if there is nothing to settle any more.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Calculated {
    /// It.
    pub calculation: Option<Calculation>,
}

async fn calculate_settlement(context: &Context, call: Call<Place>) -> Result<Reply<Calculated>, Problem> {
    let Some((entry, window)) = next_window(context, &call.body).await? else {
        return Ok(Reply::ok(Calculated { calculation: None }));
    };
    let manifest = collect(context, &call, entry.franchise_id, &window).await?;
    if !manifest.complete {
        // The chain has grown since it was collected: the next round collects anew.
        return Ok(Reply::ok(Calculated { calculation: None }));
    }
    let vat_bps = Settings::of(context)?.vat_bps;
    let reckoning = reckon(&manifest.totals, vat_bps).map_err(Problem::internal)?;
    let calculation = Calculation {
        franchise_id: entry.franchise_id,
        name: window.name,
        totals: manifest.totals,
        vat_bps,
        reckoning,
    };
    Ok(Reply::ok(Calculated { calculation: Some(calculation) }))
}
