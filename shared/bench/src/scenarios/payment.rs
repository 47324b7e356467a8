//! Payment's operations: above all the payment from a wallet that has enough.

use super::{Cast, text, won};
use crate::runner::{Caller, Runner, request};
use anyhow::Result;
use serde_json::{Value, json};

/// The payment's operation.
pub const PAY: &str = "payment.requestPayment";
/// The payment that the budget is about.
pub const ENOUGH: &str = "enough balance";

/// Opens a franchise, pays it, takes back, lists and settles.
pub async fn run(runner: &mut Runner, cast: &Cast, operator: &Caller) -> Result<()> {
    let contact = json!({ "name": "김하나", "email": "hana@shop.example", "phone": "02-1234-5678" });
    let body = json!({
        "membershipId": cast.member.id, "name": "하나상점", "contact": contact,
        "bankAccountId": cast.account, "feeBps": 250, "settlementCycle": { "kind": "daily" },
    });
    let open = request("POST", "/v1/franchises", Some(operator), "franchise-2", &body);
    let opened = runner.route("franchise.registerFranchise", "to be paid", open, 201).await?;
    let franchise = text(&opened, "franchiseId")?;
    let first = order(cast, &franchise, "payment-0", 1_000);
    runner.route(PAY, "before the first fact", first, 201).await?;
    copies(runner).await?;

    let usual = order(cast, &franchise, "payment-1", 1_000);
    let paid = runner.route(PAY, ENOUGH, usual.clone(), 201).await?;
    runner.route(PAY, "repeated", usual, 201).await?;
    let path = format!("/v1/payments/{}", text(&paid, "paymentId")?);
    reads(runner, cast, operator, &franchise, &path).await?;

    let cancellations = format!("{path}/cancellations");
    let part = json!({ "amount": won(400) });
    let cancel = |key: &str, body: &Value| request("POST", &cancellations, Some(&cast.member), key, body);
    let operation = "payment.cancelPayment";
    runner.route(operation, "a part", cancel("cancellation-1", &part), 201).await?;
    runner.route(operation, "the rest", cancel("cancellation-2", &json!({})), 201).await?;
    settle(runner, operator, &franchise, &path, text(&paid, "businessDay")?).await?;
    runner.plain("payment.sweepPayments", "scan, nothing forgotten", json!({})).await?;
    let key = json!({ "partition": text(&paid, "paymentId")?, "sort": "payment" });
    runner.direct("payment.republish", "one item", "", json!({ "keys": [key] })).await?;
    Ok(())
}

/// What settlement asks of payment for one franchise and day, and what is shown of it then.
async fn settle(
    runner: &mut Runner,
    operator: &Caller,
    franchise: &str,
    path: &str,
    day: String,
) -> Result<()> {
    let name = json!({ "sequence": 1, "through": day });
    let order = json!({ "franchiseId": franchise, "name": name, "from": day, "settled": [] });
    let collect = "payment.collectManifest";
    runner.direct(collect, "a small day", "", order.clone()).await?;
    runner.direct(collect, "again", "", order).await?;
    let now = contract::ports::Clock::now(&*runner.world);
    let group = json!({
        "franchiseId": franchise, "name": name, "settledAt": now,
        "settlementId": kernel::id::SettlementId::derive(&["bench", franchise]),
    });
    runner.direct("payment.finishPayments", "usual", "", group).await?;
    let page = json!({ "franchiseId": franchise, "name": name });
    runner.direct("payment.listManifest", "a small day", "", page).await?;
    let finish = request("POST", &format!("{path}/finish"), Some(operator), "", &json!({}));
    runner.route("payment.finishPayment", "usual", finish, 200).await?;
    Ok(())
}

/// The facts of the franchises that were opened, changed and closed before.
async fn copies(runner: &mut Runner) -> Result<()> {
    runner.fact("payment.onFranchiseRegistered", "known already", "franchise.registered.v1").await?;
    runner.fact("payment.onFranchiseModified", "usual", "franchise.modified.v1").await?;
    runner.fact("payment.onFranchiseClosed", "usual", "franchise.closed.v1").await
}

async fn reads(
    runner: &mut Runner,
    cast: &Cast,
    operator: &Caller,
    franchise: &str,
    path: &str,
) -> Result<()> {
    let ask = |path: &str, caller: &Caller| request("GET", path, Some(caller), "", &Value::Null);
    runner.route("payment.findPayment", "one's own", ask(path, &cast.member), 200).await?;
    let history = "payment.findPaymentHistory";
    runner.route(history, "one's own", ask("/v1/payments", &cast.member), 200).await?;
    let now = contract::ports::Clock::now(&*runner.world);
    let (from, to) = (now.plus_seconds(-86_400), now.plus_seconds(3_600));
    let normal = format!("/v1/payments/normal?franchiseId={franchise}&from={from}&to={to}");
    runner.route("payment.getNormalStatusPayments", "two days", ask(&normal, operator), 200).await?;
    Ok(())
}

fn order(cast: &Cast, franchise: &str, key: &str, amount: u64) -> contract::http::Request {
    let body = json!({ "franchiseId": franchise, "amount": won(amount), "orderId": key });
    request("POST", "/v1/payments", Some(&cast.member), key, &body)
}
