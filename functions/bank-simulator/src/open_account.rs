//! `POST /v1/accounts`: opens an account.
//!
//! Opening the same one again changes nothing, so a script may do it every time.

use crate::{
    ACCESS, ACCOUNT_EXISTS, SECRET, TIMEOUT_SECONDS,
    accounts::{self, AccountView},
};
use contract::{Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by};
use kernel::Money;
use schemars::JsonSchema;
use serde::Deserialize;
use store::{Condition, Write};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "openAccount",
    summary: "Opens an account at the simulated bank",
    triggers: &[Trigger::Route(Method::Post, "/v1/accounts")],
    access: ACCESS,
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(SECRET)],
    answers: &[201, 200],
    refuses: &[&ACCOUNT_EXISTS],
    timeout_seconds: TIMEOUT_SECONDS,
    ..handled_by!(open_account)
};

/// An account to open.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Opening {
    /// 8 to 20 digits.
    account_number: String,
    /// Whose it is.
    holder: String,
    /// What is in it.
    balance: Money,
}

async fn open_account(context: &Context, call: Call<Opening>) -> Result<Reply<AccountView>, Problem> {
    let Opening { account_number, holder, balance } = &call.body;
    accounts::check_number("/accountNumber", account_number)?;
    kernel::text::check(holder, 100).map_err(|why| Problem::field("/holder", why.to_string()))?;
    let place = format!("/v1/accounts/{account_number}");
    if accounts::find(context, account_number).await?.is_none() {
        let account = accounts::fresh(account_number, holder, *balance, call.now);
        match context.table.commit(&[Write::put(&account, Condition::Absent)?]).await {
            Ok(()) => return Ok(Reply::created(place, AccountView::from(&account))),
            Err(error) if error.is_collision() => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Another transaction may have been in the way of the put without having written an account.
    let known = accounts::find(context, account_number).await?;
    let known = known.ok_or_else(|| Problem::unavailable("a contended put"))?;
    if known.holder == *holder {
        Ok(Reply::ok(AccountView::from(&known)).replayed())
    } else {
        Err((&ACCOUNT_EXISTS).into())
    }
}
