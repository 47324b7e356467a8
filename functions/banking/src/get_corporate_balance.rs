//! Called by money's audit: what is on Pay's own account, as the bank says now.

use crate::{
    bank::{self, Bank},
    settings::Settings,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by,
    peers::{CorporateBalance, CorporateQuestion},
};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "getCorporateBalance",
    summary: "Asks the bank what is on Pay's own account",
    triggers: &[Trigger::Call],
    grants: &[Grant::ReadSecret(bank::SECRET)],
    ..handled_by!(get_corporate_balance)
};

async fn get_corporate_balance(
    context: &Context,
    call: Call<CorporateQuestion>,
) -> Result<Reply<CorporateBalance>, Problem> {
    let bank = Bank::of(context, &Settings::of(context)?, &call.trace).await?;
    let balance =
        bank.corporate_balance().await.ok_or_else(|| Problem::unavailable("the bank did not answer"))?;
    Ok(Reply::ok(CorporateBalance { balance }))
}
