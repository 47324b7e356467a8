//! `POST /v1/accounts/verifications`: does this account exist, and is it this holder's?
//!
//! The number travels in the body, because paths end up in logs. The bank says yes or no; it never names a holder.

use crate::{ACCESS, SECRET, TIMEOUT_SECONDS, accounts};
use contract::{Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "verifyAccount",
    summary: "Says whether an account exists and is a holder's",
    triggers: &[Trigger::Route(Method::Post, "/v1/accounts/verifications")],
    access: ACCESS,
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(SECRET)],
    refuses: &[&crate::BANK_DOWN],
    timeout_seconds: TIMEOUT_SECONDS,
    ..handled_by!(verify_account)
};

/// What to verify.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// 8 to 20 digits.
    account_number: String,
    /// Who is said to hold it.
    holder: String,
}

/// The bank's word.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Whether there is such an account.
    exists: bool,
    /// Whether it is the holder's.
    holder_matches: bool,
}

async fn verify_account(context: &Context, call: Call<Question>) -> Result<Reply<Verification>, Problem> {
    let Question { account_number, holder } = &call.body;
    accounts::check_number("/accountNumber", account_number)?;
    accounts::hold_to_up(context, &[account_number]).await?;
    let account = accounts::find(context, account_number).await?;
    let holder_matches = account.as_ref().is_some_and(|account| account.holder == *holder);
    Ok(Reply::ok(Verification { exists: account.is_some(), holder_matches }))
}
