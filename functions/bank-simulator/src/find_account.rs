//! `GET /v1/accounts/{accountNumber}`: an account with its balance, for people and tests who want to look.

use crate::{
    ACCESS, ACCOUNT_NOT_FOUND, SECRET, TIMEOUT_SECONDS,
    accounts::{self, AccountView},
};
use contract::{Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by};
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findAccount",
    summary: "Shows an account of the simulated bank",
    triggers: &[Trigger::Route(Method::Get, "/v1/accounts/{accountNumber}")],
    access: ACCESS,
    // The client's own account is opened when it is first asked for.
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(SECRET)],
    refuses: &[&ACCOUNT_NOT_FOUND],
    timeout_seconds: TIMEOUT_SECONDS,
    ..handled_by!(find_account)
};

/// Which account.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// Its number.
    account_number: String,
}

async fn find_account(context: &Context, call: Call<Wanted>) -> Result<Reply<AccountView>, Problem> {
    let account = accounts::need(context, &call.body.account_number).await?;
    Ok(Reply::ok(AccountView::from(&account)))
}
