//! Banking's operations. The bank's own units are counted apart.

use super::{Cast, HOLDER, NUMBER, text, won};
use crate::runner::{Caller, Runner, request};
use anyhow::Result;
use kernel::id::BankAccountId;
use serde_json::{Value, json};

/// Links the member's account and moves money as an operator; answers the account.
pub async fn run(runner: &mut Runner, member: &Caller, operator: &Caller) -> Result<BankAccountId> {
    for number in [NUMBER, "11012345678902"] {
        let body = json!({ "accountNumber": number, "holder": HOLDER, "balance": won(100_000_000) });
        runner.world.tell_bank("POST", "/v1/accounts", &body).await?;
    }
    let body = json!({ "accountNumber": NUMBER, "holder": HOLDER });
    let link = request("POST", "/v1/bank-accounts", Some(member), "link-1", &body);
    let operation = "banking.registerBankAccount";
    let answer = runner.route(operation, "new account", link.clone(), 201).await?;
    runner.route(operation, "repeated", link, 201).await?;
    let account: BankAccountId = text(&answer, "bankAccountId")?.parse()?;
    accounts(runner, member, account).await?;
    firmbankings(runner, member, operator, account).await?;
    Ok(account)
}

async fn accounts(runner: &mut Runner, member: &Caller, account: BankAccountId) -> Result<()> {
    let body = json!({ "accountNumber": "11012345678902", "holder": HOLDER });
    let link = request("POST", "/v1/bank-accounts/by-event", Some(member), "link-2", &body);
    let answer = runner.route("banking.registerBankAccountByEvent", "new account", link, 202).await?;
    let fact = "banking.accountRegistrationRequested.v1";
    runner.fact("banking.onRegisterBankAccountRequested", "usual", fact).await?;
    let find = "banking.findBankAccount";
    let one = format!("/v1/bank-accounts/{account}");
    runner.route(find, "one", request("GET", &one, Some(member), "", &Value::Null), 200).await?;
    let list = request("GET", "/v1/bank-accounts", Some(member), "", &Value::Null);
    runner.route(find, "list of two", list, 200).await?;
    let claim = json!({ "bankAccountId": account, "membershipId": member.id });
    runner.direct("banking.verifyBankAccountOwner", "the owner's", "", claim).await?;
    let second = format!("/v1/bank-accounts/{}", text(&answer, "bankAccountId")?);
    let unlink = request("DELETE", &second, Some(member), "", &Value::Null);
    runner.route("banking.unlinkBankAccount", "usual", unlink, 204).await?;
    Ok(())
}

async fn firmbankings(
    runner: &mut Runner,
    member: &Caller,
    operator: &Caller,
    account: BankAccountId,
) -> Result<()> {
    let linked = json!({ "kind": "linked", "bankAccountId": account, "membershipId": member.id });
    let order = json!({ "source": linked, "destination": { "kind": "corporate" }, "amount": won(10_000) });
    let ask = request("POST", "/v1/firmbankings", Some(operator), "firmbanking-1", &order);
    let operation = "banking.requestFirmbanking";
    let answer = runner.route(operation, "by an operator", ask.clone(), 201).await?;
    runner.route(operation, "repeated", ask, 201).await?;
    runner.direct(operation, "called by a service", "bench/firmbanking/2", order.clone()).await?;
    let ask = request("POST", "/v1/firmbankings/by-event", Some(operator), "firmbanking-3", &order);
    runner.route("banking.requestFirmbankingByEvent", "usual", ask, 202).await?;
    let fact = "banking.firmbankingRequested.v1";
    runner.fact("banking.onFirmbankingRequested", "usual", fact).await?;
    let find = "banking.findFirmbanking";
    let one = format!("/v1/firmbankings/{}", text(&answer, "firmbankingId")?);
    runner.route(find, "one", request("GET", &one, Some(member), "", &Value::Null), 200).await?;
    let list = format!("/v1/firmbankings?bankAccountId={account}");
    runner
        .route(find, "an account's newest", request("GET", &list, Some(member), "", &Value::Null), 200)
        .await?;
    let all = request("GET", "/v1/firmbankings", Some(operator), "", &Value::Null);
    runner.route(find, "everybody's newest", all, 200).await?;
    Ok(())
}

/// What only the end of the story can show: inquiries that scan, and republishing.
pub async fn run_after_money(runner: &mut Runner, cast: &Cast) -> Result<()> {
    runner.plain("banking.inquireFirmbanking", "scan, nothing forgotten", json!({})).await?;
    let body = json!({ "keys": [{ "partition": format!("account#{}", cast.account), "sort": "head" }] });
    runner.direct("banking.republish", "one item", "", body).await?;
    Ok(())
}
