//! Money's operations: above all the recharge, with everything that it calls.

use super::{Cast, NUMBER, text, won};
use crate::runner::{Runner, request};
use anyhow::Result;
use kernel::id::FranchiseId;
use serde_json::{Value, json};

/// The recharge's operation.
pub const RECHARGE: &str = "money.increaseMoneyRequest";
/// The recharge that the budget is about.
pub const FAST: &str = "fast path";
/// The same on a wallet whose newest page is full.
pub const FULL_PAGE: &str = "fast path, 12 entries and more";
/// The balance's operation and its usual case.
pub const BALANCE: &str = "money.getBalanceRequest";
/// Now.
pub const NOW: &str = "now";

/// Does with the cast's wallets all that money can.
pub async fn run(runner: &mut Runner, cast: &Cast) -> Result<()> {
    wallets(runner, cast).await?;
    let first = recharge(runner, cast, FAST, "recharge-1", 201).await?;
    let replay = order(cast, "recharge-1");
    runner.route(RECHARGE, "repeated", replay, 201).await?;
    bad_days(runner, cast).await?;
    by_event(runner, cast).await?;
    for day in 0..6 {
        runner.world.pass_seconds(86_400);
        recharge(runner, cast, &format!("another, {day}"), &format!("recharge-2{day}"), 201).await?;
    }
    recharge(runner, cast, FULL_PAGE, "recharge-30", 201).await?;
    runner.rows.retain(|row| !row.case.starts_with("another, "));
    reads(runner, cast, &first).await?;
    let transfer = json!({
        "debit": { "kind": "member", "membershipId": cast.member.id },
        "credit": { "kind": "member", "membershipId": cast.other.id },
        "amount": won(5_000),
    });
    runner.direct("money.transferMoney", "usual", "bench/transfer/1", transfer.clone()).await?;
    runner.direct("money.transferMoney", "usual, chains of many", "bench/transfer/2", transfer).await?;
    fee(runner).await?;
    withdrawals(runner, cast).await?;
    holds(runner, cast).await?;
    runner.plain("money.sweepMoneyRequests", "scan, nothing forgotten", json!({})).await?;
    let key = json!({ "partition": text(&first, "moneyRequestId")?, "sort": "request" });
    runner.direct("money.republish", "one item", "", json!({ "keys": [key] })).await?;
    Ok(())
}

async fn wallets(runner: &mut Runner, cast: &Cast) -> Result<()> {
    let open = request("POST", "/v1/money/wallets", Some(&cast.member), "", &Value::Null);
    runner.route("money.createMemberMoney", "new wallet", open.clone(), 201).await?;
    runner.route("money.createMemberMoney", "wallet is there", open, 200).await?;
    runner.fact("money.onMembershipRegistered", "new wallet", "membership.registered.v1").await?;
    runner.fact("money.onMembershipRegistered", "wallet is there", "membership.registered.v1").await
}

fn order(cast: &Cast, key: &str) -> contract::http::Request {
    let body = json!({ "bankAccountId": cast.account, "amount": won(10_000) });
    request("POST", "/v1/money/increases", Some(&cast.member), key, &body)
}

async fn recharge(runner: &mut Runner, cast: &Cast, case: &str, key: &str, status: u16) -> Result<Value> {
    runner.route(RECHARGE, case, order(cast, key), status).await
}

async fn set_bank(runner: &Runner, mode: &str, transfers: u32) -> Result<()> {
    let path = format!("/v1/accounts/{NUMBER}/mode");
    runner.world.tell_bank("PUT", &path, &json!({ "mode": mode, "transfers": transfers })).await
}

/// The bank declines; the bank moves the money and never says so.
async fn bad_days(runner: &mut Runner, cast: &Cast) -> Result<()> {
    set_bank(runner, "decline", 1).await?;
    recharge(runner, cast, "the bank declines", "recharge-2", 422).await?;
    let failed = "banking.firmbankingFailed.v1";
    runner.fact("money.onFirmbankingFailed", "already done", failed).await?;
    set_bank(runner, "timeout", 1).await?;
    recharge(runner, cast, "the bank is silent", "recharge-3", 202).await?;
    runner.world.pass_seconds(60);
    runner.message("banking.inquireFirmbanking", "the silent bank had moved it").await?;
    let succeeded = "banking.firmbankingSucceeded.v1";
    runner.fact("money.onFirmbankingSucceeded", "after the silent bank", succeeded).await?;
    runner.message("money.sweepMoneyRequests", "one, already done").await
}

async fn by_event(runner: &mut Runner, cast: &Cast) -> Result<()> {
    let body = json!({ "bankAccountId": cast.account, "amount": won(10_000) });
    let order = request("POST", "/v1/money/increases/by-event", Some(&cast.member), "recharge-4", &body);
    runner.route("money.increaseMoneyRequestByEvent", "usual", order, 202).await?;
    runner.fact("money.onMoneyIncreaseRequested", "usual", "money.increaseRequested.v1").await
}

/// To the linked account, directly and by event.
async fn withdrawals(runner: &mut Runner, cast: &Cast) -> Result<()> {
    let body = json!({ "bankAccountId": cast.account, "amount": won(3_000) });
    let order = |path: &str, key: &str| request("POST", path, Some(&cast.member), key, &body);
    let direct = "money.decreaseMoneyRequest";
    let path = "/v1/money/decreases";
    runner.route(direct, FAST, order(path, "withdrawal-1"), 201).await?;
    runner.route(direct, "repeated", order(path, "withdrawal-1"), 201).await?;
    set_bank(runner, "decline", 1).await?;
    runner.route(direct, "the bank declines", order(path, "withdrawal-2"), 422).await?;
    let order = order("/v1/money/decreases/by-event", "withdrawal-3");
    runner.route("money.decreaseMoneyRequestByEvent", "usual", order, 202).await?;
    runner.fact("money.onMoneyDecreaseRequested", "usual", "money.decreaseRequested.v1").await
}

/// Settlement keeps a fee of what a franchise is owed.
async fn fee(runner: &mut Runner) -> Result<()> {
    let franchise = FranchiseId::derive(&["bench"]);
    let order = json!({
        "debit": { "kind": "franchise", "franchiseId": franchise },
        "credit": { "kind": "feeRevenue" },
        "amount": won(300),
    });
    let birth = contract::ports::Clock::now(&*runner.world);
    let reference = contract::Reference { id: "bench/fee/1".to_owned(), birth };
    let caller = "settlement.payOutSettlement";
    let transfer = "money.transferMoney";
    runner.step_of(caller, transfer, "a settlement's fee", Some(&reference), order).await?;
    Ok(())
}

/// A hold that is posted in part, and one that is given up.
async fn holds(runner: &mut Runner, cast: &Cast) -> Result<()> {
    let member = cast.member.id;
    let hold = json!({ "membershipId": member, "amount": won(2_000) });
    let credit = json!({ "kind": "feeRevenue" });
    let post = json!({ "membershipId": member, "amount": won(1_500), "credit": credit });
    let release = json!({ "membershipId": member });
    for (number, operation, case, close) in
        [(1, "money.postHold", "a part of it", post), (2, "money.releaseHold", "usual", release)]
    {
        let birth = contract::ports::Clock::now(&*runner.world);
        let reference = contract::Reference { id: format!("bench/hold/{number}"), birth };
        runner.step("money.holdMoney", "usual", Some(&reference), hold.clone()).await?;
        runner.step(operation, case, Some(&reference), close).await?;
    }
    let mut first = false;
    // The same case twice: one row is enough.
    runner.rows.retain(|row| row.operation != "money.holdMoney" || !std::mem::replace(&mut first, true));
    Ok(())
}

async fn reads(runner: &mut Runner, cast: &Cast, first: &Value) -> Result<()> {
    let get = |path: &str| request("GET", path, Some(&cast.member), "", &Value::Null);
    let path = format!("/v1/money/requests/{}", text(first, "moneyRequestId")?);
    runner.route("money.findMoneyRequest", "usual", get(&path), 200).await?;
    let wallet = format!("/v1/money/wallets/{}", cast.member.id);
    runner.route(BALANCE, NOW, get(&format!("{wallet}/balance")), 200).await?;
    let then = text(first, "completedAt")?;
    let past = get(&format!("{wallet}/balance?at={then}"));
    runner.route(BALANCE, "at a past time, among 20 entries", past, 200).await?;
    let history = get(&format!("{wallet}/transactions?limit=20"));
    runner.route("money.findMoneyHistory", "a page of 20", history, 200).await?;
    Ok(())
}
