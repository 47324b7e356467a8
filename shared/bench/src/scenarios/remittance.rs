//! Remittance's operations: to a member and to an account at the bank, with everything that they call.

use super::{Cast, HOLDER, NUMBER, text, won};
use crate::runner::{Runner, request};
use anyhow::Result;
use serde_json::{Value, json};

/// The remittance's operation.
pub const REMIT: &str = "remittance.requestRemittance";
/// To a member by id, enough balance: the case that the budget is about.
pub const FAST: &str = "to a member, enough balance";

/// The bank's answer to the member's own account, which is here the one remitted to.
async fn set_bank(runner: &Runner, mode: &str) -> Result<()> {
    let path = format!("/v1/accounts/{NUMBER}/mode");
    runner.world.tell_bank("PUT", &path, &json!({ "mode": mode, "transfers": 1 })).await
}

/// Does all that remittance can.
pub async fn run(runner: &mut Runner, cast: &Cast) -> Result<()> {
    runner.world.pass_seconds(86_400);
    let ask = |key: &str, to: &Value, amount: u64| {
        let body = json!({ "to": to, "amount": won(amount) });
        request("POST", "/v1/remittances", Some(&cast.member), key, &body)
    };
    let member = json!({ "kind": "member", "membershipId": cast.other.id });
    let sent = runner.route(REMIT, FAST, ask("remit-1", &member, 1_000), 201).await?;
    runner.route(REMIT, "repeated", ask("remit-1", &member, 1_000), 201).await?;
    let account = json!({ "kind": "bankAccount", "accountNumber": NUMBER, "holder": HOLDER });
    runner.route(REMIT, "to a bank account", ask("remit-2", &account, 1_000), 201).await?;
    runner.route(REMIT, "to a bank account, known", ask("remit-3", &account, 1_000), 201).await?;
    set_bank(runner, "decline").await?;
    runner.route(REMIT, "the bank declines", ask("remit-4", &account, 1_000), 422).await?;
    runner.fact("remittance.onFirmbankingFailed", "already done", "banking.firmbankingFailed.v1").await?;
    set_bank(runner, "timeout").await?;
    runner.route(REMIT, "the bank is silent", ask("remit-5", &account, 1_000), 202).await?;
    runner.world.pass_seconds(60);
    runner.message("banking.inquireFirmbanking", "a silent bank had paid a remittance").await?;
    let succeeded = "banking.firmbankingSucceeded.v1";
    runner.fact("remittance.onFirmbankingSucceeded", "after the silent bank", succeeded).await?;
    runner.message("remittance.sweepRemittances", "one, already done").await?;
    runner.plain("remittance.sweepRemittances", "scan, nothing forgotten", json!({})).await?;

    let get = |path: &str| request("GET", path, Some(&cast.member), "", &Value::Null);
    let path = format!("/v1/remittances/{}", text(&sent, "remittanceId")?);
    runner.route("remittance.findRemittance", "usual", get(&path), 200).await?;
    let history = "remittance.findRemittanceHistory";
    runner.route(history, "both directions", get("/v1/remittances"), 200).await?;
    runner.route(history, "sent", get("/v1/remittances?direction=sent"), 200).await?;
    let payee = json!({ "membershipId": cast.member.id, "accountNumber": NUMBER, "holder": HOLDER });
    runner.direct("banking.registerPayee", "known", "", payee).await?;
    let key = json!({ "partition": text(&sent, "remittanceId")?, "sort": "remittance" });
    runner.direct("remittance.republish", "one item", "", json!({ "keys": [key] })).await?;
    Ok(())
}
