//! What services ask of each other before money moves, and the audit of all that the other scenarios have left.

use super::Cast;
use crate::runner::Runner;
use anyhow::{Result, ensure};
use kernel::Timestamp;
use serde_json::json;

/// Runs the questions, each service's own audit, and the whole.
pub async fn run(runner: &mut Runner, cast: &Cast) -> Result<()> {
    let member = cast.member.id;
    let by_id = json!({ "by": "id", "membershipId": member });
    runner.direct("membership.resolveMember", "by id", "", by_id).await?;
    let by_email = json!({ "by": "email", "email": "hana@example.com" });
    runner.direct("membership.resolveMember", "by email", "", by_email).await?;
    let whose = json!({ "membershipId": member });
    runner.direct("banking.findRechargeAccount", "usual", "", whose).await?;
    runner.direct("banking.getCorporateBalance", "usual", "", json!({})).await?;
    let page = json!({ "cut": Timestamp::END, "slackSeconds": 0 });
    for audit in [
        "membership.auditMembership",
        "banking.auditBanking",
        "franchise.auditFranchise",
        "remittance.auditRemittance",
        "payment.auditPayment",
        "settlement.auditSettlement",
    ] {
        runner.direct(audit, "all of this", "", page.clone()).await?;
    }
    let audit = "money.auditLedger";
    let begun = runner.direct(audit, "the beginning", "", json!({ "slackSeconds": 0 })).await?;
    let walked = runner.direct(audit, "all wallets of this", "", json!({ "next": begun["next"] })).await?;
    ensure!(walked["found"] == 0, "the ledger is not as it must be: {walked}");
    Ok(())
}
