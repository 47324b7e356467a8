//! Settlement's operations: the day on which the payments' franchise was paid, step by step as the state machine
//! takes them, and the lines that the bank declines and leaves open.

use super::{Cast, NUMBER, text, won};
use crate::runner::{Caller, Runner, request};
use anyhow::{Context as _, Result};
use kernel::SeoulDay;
use serde_json::{Value, json};

async fn set_bank(runner: &Runner, mode: &str) -> Result<()> {
    let path = format!("/v1/accounts/{NUMBER}/mode");
    runner.world.tell_bank("PUT", &path, &json!({ "mode": mode, "transfers": 1 })).await
}

fn today(runner: &Runner) -> SeoulDay {
    contract::ports::Clock::now(&*runner.world).business_day()
}

/// A step, as the state machine takes it.
async fn step(runner: &mut Runner, name: &str, case: &str, input: Value) -> Result<Value> {
    let operation = format!("settlement.{name}");
    let event =
        json!({ "step": operation, "traceparent": runner.world.trace().traceparent(), "input": input });
    runner.plain(&operation, case, event).await
}

/// Opens a franchise, and settles three days of it.
pub async fn run(runner: &mut Runner, cast: &Cast, operator: &Caller) -> Result<()> {
    let contact = json!({ "name": "김하나", "email": "hana@shop.example", "phone": "02-1234-5678" });
    let body = json!({
        "membershipId": cast.member.id, "name": "하나책방", "contact": contact,
        "bankAccountId": cast.account, "feeBps": 250, "settlementCycle": { "kind": "daily" },
    });
    let open = request("POST", "/v1/franchises", Some(operator), "franchise-3", &body);
    let opened = runner.route("franchise.registerFranchise", "to be settled", open, 201).await?;
    let franchise = text(&opened, "franchiseId")?;
    let first = day(runner, cast, operator, &franchise, "one franchise paid out").await?;
    reads(runner, operator, &franchise, &first).await?;

    set_bank(runner, "decline").await?;
    let declined = day(runner, cast, operator, &franchise, "the bank declines").await?;
    runner.fact("settlement.onFirmbankingFailed", "already done", "banking.firmbankingFailed.v1").await?;
    let path = format!("/v1/settlements/{declined}/retry");
    let retry = request("POST", &path, Some(operator), "retry-1", &json!({}));
    runner.route("settlement.retrySettlement", "one line", retry, 200).await?;

    set_bank(runner, "timeout").await?;
    day(runner, cast, operator, &franchise, "the bank is silent").await?;
    runner.world.pass_seconds(60);
    runner.message("banking.inquireFirmbanking", "a silent bank had paid a franchise").await?;
    let succeeded = "banking.firmbankingSucceeded.v1";
    runner.fact("settlement.onFirmbankingSucceeded", "after the silent bank", succeeded).await?;
    runner.message("settlement.sweepSettlements", "one, already done").await?;
    runner.plain("settlement.sweepSettlements", "scan, three open runs", json!({})).await?;
    let closed = json!({ "franchiseId": franchise, "closedAt": kernel::Timestamp::EPOCH });
    runner.direct("settlement.verifyFranchiseSettled", "three lines", "", closed).await?;
    let key = json!({ "partition": format!("franchise#{franchise}"), "sort": format!("line#{:012}", 1) });
    runner.direct("settlement.republish", "one item", "", json!({ "keys": [key] })).await?;
    Ok(())
}

/// Pays a franchise, and settles the day when it is over; answers the settlement's id.
async fn day(
    runner: &mut Runner,
    cast: &Cast,
    operator: &Caller,
    franchise: &str,
    case: &str,
) -> Result<String> {
    let of = today(runner);
    let order = format!("settled-{of}");
    let body = json!({ "franchiseId": franchise, "amount": won(1_000), "orderId": order });
    let pay = request("POST", "/v1/payments", Some(&cast.member), &order, &body);
    runner.route("payment.requestPayment", &format!("settled: {case}"), pay, 201).await?;
    runner.world.pass_seconds(86_400);
    let start = request("POST", "/v1/settlements", Some(operator), "", &json!({ "businessDay": of }));
    runner.route("settlement.startSettlement", case, start, 202).await?;
    let run = json!({ "businessDay": of });
    step(runner, "enlistFranchises", case, run.clone()).await?;
    let id: kernel::id::FranchiseId = franchise.parse()?;
    let shard = id.bits().rem_euclid(16).to_string().parse::<u8>()?;
    step(runner, "listDueFranchises", case, json!({ "businessDay": of, "shard": shard })).await?;
    let place = json!({ "businessDay": of, "franchiseId": franchise });
    step(runner, "collectPayments", case, place.clone()).await?;
    let calculated = step(runner, "calculateSettlement", case, place).await?;
    let record = json!({ "businessDay": of, "calculation": calculated["calculation"] });
    let recorded = step(runner, "recordSettlement", case, record).await?;
    let settlement = recorded["settlementId"].as_str().context("nothing was recorded")?.to_owned();
    let line = json!({ "businessDay": of, "settlementId": settlement });
    step(runner, "payOutSettlement", case, line).await?;
    step(runner, "countOpenLines", case, run.clone()).await?;
    step(runner, "finishSettlement", case, run).await?;
    Ok(settlement)
}

async fn reads(runner: &mut Runner, operator: &Caller, franchise: &str, settlement: &str) -> Result<()> {
    let ask = |path: &str| request("GET", path, Some(operator), "", &Value::Null);
    let find = "settlement.findSettlement";
    runner.route(find, "a line", ask(&format!("/v1/settlements/{settlement}")), 200).await?;
    let yesterday = today(runner).plus_days(-1);
    runner.route(find, "a run", ask(&format!("/v1/settlements/{yesterday}")), 200).await?;
    let list = "settlement.findSettlements";
    let own = format!("/v1/settlements?franchiseId={franchise}");
    runner.route(list, "a franchise's", ask(&own), 200).await?;
    runner.route(list, "everybody's", ask("/v1/settlements"), 200).await?;
    let statement = format!("/v1/settlements/{settlement}/statement");
    runner.route("settlement.getSettlementStatement", "one payment", ask(&statement), 200).await?;
    Ok(())
}
