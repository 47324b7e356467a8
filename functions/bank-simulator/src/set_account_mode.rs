//! `PUT /v1/accounts/{accountNumber}/mode`: tells the bank how to treat an account's transfers from now on.

use crate::{
    ACCESS, ACCOUNT_NOT_FOUND, SECRET, TIMEOUT_SECONDS,
    accounts::{self, AccountView},
    domain::{MOST_DELAY_MILLIS, Mode, USUAL_DELAY_MILLIS},
    items::Account,
};
use contract::{Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by};
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "setAccountMode",
    summary: "Tells the simulated bank how to treat an account's transfers",
    triggers: &[Trigger::Route(Method::Put, "/v1/accounts/{accountNumber}/mode")],
    access: ACCESS,
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(SECRET)],
    refuses: &[&ACCOUNT_NOT_FOUND],
    timeout_seconds: TIMEOUT_SECONDS,
    ..handled_by!(set_account_mode)
};

/// How often a mode is set against others who move the same account.
const ATTEMPTS: usize = 20;

/// A mode to set.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Setting {
    /// Which account.
    account_number: String,
    /// How to treat its transfers.
    mode: Mode,
    /// For how many transfer requests; until changed, if absent.
    transfers: Option<u32>,
    /// How long to hold answers back in the modes that do, at most 15 000; 7 000 if absent.
    delay_millis: Option<u32>,
}

async fn set_account_mode(context: &Context, call: Call<Setting>) -> Result<Reply<AccountView>, Problem> {
    let Setting { account_number, mode, transfers, delay_millis } = call.body;
    let delay_millis = delay_millis.unwrap_or(USUAL_DELAY_MILLIS);
    if delay_millis > MOST_DELAY_MILLIS {
        return Err(Problem::field("/delayMillis", format!("must be at most {MOST_DELAY_MILLIS}")));
    }
    if transfers == Some(0) {
        return Err(Problem::field("/transfers", "must be at least 1"));
    }
    for _ in 0..ATTEMPTS {
        let account = accounts::need(context, &account_number).await?;
        let told = Account { mode, mode_transfers: transfers, delay_millis, ..account };
        match context.table.commit(&[accounts::changed(&told)?]).await {
            Ok(()) => return Ok(Reply::ok(AccountView::from(&told))),
            Err(error) => accounts::step_back(context, error).await?,
        }
    }
    Err(Problem::unavailable("the account is too busy"))
}
