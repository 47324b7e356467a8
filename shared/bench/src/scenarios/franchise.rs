//! Franchise's operations.

use super::{Cast, text};
use crate::runner::{Caller, Runner, request};
use anyhow::Result;
use serde_json::{Value, json};

/// Opens, changes, reads and closes a franchise of the member, as an operator.
pub async fn run(runner: &mut Runner, cast: &Cast, operator: &Caller) -> Result<()> {
    let contact = json!({ "name": "김하나", "email": "hana@shop.example", "phone": "02-1234-5678" });
    let body = json!({
        "membershipId": cast.member.id, "name": "하나상점", "contact": contact,
        "bankAccountId": cast.account, "feeBps": 250, "settlementCycle": { "kind": "daily" },
    });
    let open = request("POST", "/v1/franchises", Some(operator), "franchise-1", &body);
    let operation = "franchise.registerFranchise";
    let opened = runner.route(operation, "by an operator", open.clone(), 201).await?;
    runner.route(operation, "repeated", open, 201).await?;
    let path = format!("/v1/franchises/{}", text(&opened, "franchiseId")?);
    let ask =
        |method: &'static str, path: &str, body: &Value| request(method, path, Some(operator), "", body);
    let fee = json!({ "feeBps": 220, "feeFrom": "2027-01-01" });
    runner.route("franchise.modifyFranchise", "fee", ask("PATCH", &path, &fee), 200).await?;
    runner.route("franchise.findFranchise", "usual", ask("GET", &path, &Value::Null), 200).await?;
    let find = "franchise.findFranchises";
    let own = format!("/v1/franchises?membershipId={}", cast.member.id);
    runner.route(find, "an owner's", ask("GET", &own, &Value::Null), 200).await?;
    runner.route(find, "everybody's", ask("GET", "/v1/franchises", &Value::Null), 200).await?;
    runner.route("franchise.closeFranchise", "usual", ask("DELETE", &path, &Value::Null), 200).await?;
    let terms = json!({ "franchiseId": text(&opened, "franchiseId")? });
    runner.direct("franchise.findFranchiseTerms", "usual", "", terms).await?;
    runner.direct("franchise.listFranchiseTerms", "a page", "", json!({})).await?;
    let partition = format!("franchise#{}", text(&opened, "franchiseId")?);
    let body = json!({ "keys": [{ "partition": partition, "sort": "head" }] });
    runner.direct("franchise.republish", "one item", "", body).await?;
    Ok(())
}
