//! `DELETE /v1/bank-accounts/{bankAccountId}`: unlinks one of the caller's bank accounts.
//!
//! Unlinking takes the next place in the account's chain, on condition that nothing is there, and every firmbanking
//! before it must be final. A firmbanking that starts at the same moment wants the same place: whoever comes second
//! finds it taken and decides again. The same commit frees the number and throws the account's key away.

use crate::{
    chain::{self, Tip},
    items::{BankAccount, BankAccountState, Claim, Closing},
    refusals,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by, problem,
};
use kernel::{Timestamp, id::BankAccountId};
use schemars::JsonSchema;
use serde::Deserialize;
use store::{Condition, Record, Write};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "unlinkBankAccount",
    summary: "Unlinks a bank account of the caller and frees its number",
    triggers: &[Trigger::Route(Method::Delete, "/v1/bank-accounts/{bankAccountId}")],
    access: Access::Scopes(&[Scope::Member, Scope::Merchant]),
    grants: &[Grant::ReadTable, Grant::WriteTable],
    answers: &[204],
    refuses: &[&problem::NOT_FOUND, &refusals::IN_USE],
    ..handled_by!(unlink_bank_account)
};

/// How often it is decided again because something took the place in between.
const TRIES: u32 = 6;

/// Which account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The account.
    bank_account_id: BankAccountId,
}

async fn unlink_bank_account(context: &Context, call: Call<Wanted>) -> Result<Reply<()>, Problem> {
    let id = call.body.bank_account_id;
    for _ in 0..TRIES {
        let whole = chain::whole(context, id).await?;
        let account = whole.account.ok_or(&problem::NOT_FOUND)?;
        call.caller.owns(account.membership_id)?;
        if !account.is_own() {
            return Err((&problem::NOT_FOUND).into());
        }
        if account.state == BankAccountState::Unlinked {
            return Ok(Reply::done());
        }
        if whole.open > 0 {
            return Err((&refusals::IN_USE).into());
        }
        let writes = unlinking(&account, &whole.tip, call.now, account.fingerprint.clone())?;
        match context.table.commit(&writes).await {
            Ok(()) => return Ok(Reply::done()),
            Err(error) if error.is_collision() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("the account kept changing"))
}

/// Everything that unlinks an account as it was read, with what is kept of the request that made it.
pub fn unlinking(
    account: &BankAccount,
    tip: &Tip,
    now: Timestamp,
    fingerprint: Option<String>,
) -> Result<Vec<Write>, Problem> {
    let id = account.bank_account_id;
    let at = now.max(tip.requested_at).max(account.requested_at);
    let closing = Closing { bank_account_id: id, sequence: tip.sequence.saturating_add(1), requested_at: at };
    let mut writes = vec![Write::put(&closing, Condition::Absent)?];
    if let Some(sealed) = account.sealed.as_ref().filter(|_| account.state == BankAccountState::Linked) {
        let claim = Claim { number_index: sealed.number_index.clone(), bank_account_id: id };
        writes.push(Write::Delete(claim.key(), Condition::text("bankAccountId", id.to_string())));
    }
    let unlinked = BankAccount {
        state: BankAccountState::Unlinked,
        sealed: None,
        unlinked_at: Some(at),
        fingerprint,
        ..account.clone()
    };
    writes.push(account.change(unlinked)?);
    Ok(writes)
}
