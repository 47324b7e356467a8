//! On `RegisterBankAccountRequested`: asks the bank, and links or refuses the account whose request is stored.
//!
//! The event may come twice, late, or again from the relay: only an account that is still requested is changed, by a
//! write on condition of its version. While the bank does not answer, the account stays requested; counting that is
//! a change, so the relay sends the next event, later each time.

use crate::{
    bank::{self, Bank},
    items::{self, BankAccount, BankAccountState},
    refusals, registration,
    settings::Settings,
    vault,
};
use contract::{Call, Code, Context, Grant, Operation, Problem, Reply, Trigger, handled_by, problem};
use events::{
    Envelope, Fact,
    banking::{BankAccountRegistered, RegisterBankAccountRequested},
};
use store::{CommitError, Condition, Write};

/// The operation's full name.
pub const NAME: &str = "banking.onRegisterBankAccountRequested";

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "onRegisterBankAccountRequested",
    summary: "Links or refuses a bank account that was asked for by event",
    triggers: &[Trigger::Fact(RegisterBankAccountRequested::TYPE), Trigger::Queue],
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ReadSecret(vault::SECRET),
        Grant::ReadSecret(bank::SECRET),
    ],
    emits: &[BankAccountRegistered::TYPE],
    answers: &[204],
    ..handled_by!(on_register_bank_account_requested)
};

async fn on_register_bank_account_requested(
    context: &Context,
    call: Call<Envelope<RegisterBankAccountRequested>>,
) -> Result<Reply<()>, Problem> {
    let id = call.body.data.bank_account_id;
    // The event is relayed from this very item, so a missing one is a fault that the dead-letter queue must show.
    let account: BankAccount = items::load(context, &BankAccount::key_of(id))
        .await?
        .ok_or_else(|| Problem::internal(format!("{id} was requested and is not stored")))?;
    if account.state != BankAccountState::Requested {
        return Ok(Reply::done());
    }
    let key = vault::key(context).await?;
    let (Some(number), Some(holder)) =
        (vault::open_number(&key, &account)?, vault::open_holder(&key, &account)?)
    else {
        return Err(Problem::internal(format!("{id} is requested without number or holder")));
    };
    let bank = Bank::of(context, &Settings::of(context)?, &call.trace).await?;
    match registration::ask(&bank, &number, &holder).await {
        Ok(None) => link(context, &call, &account).await?,
        Ok(Some(code)) => refuse(context, &account, code).await?,
        Err(problem) if problem.is(&problem::TEMPORARILY_UNAVAILABLE) => wait(context, &account).await?,
        Err(problem) => return Err(problem),
    }
    Ok(Reply::done())
}

async fn link<I>(context: &Context, call: &Call<I>, account: &BankAccount) -> Result<(), Problem> {
    let (linked, claim) = registration::linked(account, call.now)
        .ok_or_else(|| Problem::internal("a requested account has no number"))?;
    let writes = [account.change(linked)?, Write::put(&claim, Condition::Absent)?];
    match context.table.commit(&writes).await {
        Ok(()) => Ok(()),
        // The number was linked in between. If this account was changed too, the next write does nothing.
        Err(error) if error.found(1).is_some() => refuse(context, account, &refusals::ALREADY_LINKED).await,
        Err(error) => settled(Err(error)),
    }
}

async fn refuse(context: &Context, account: &BankAccount, code: &Code) -> Result<(), Problem> {
    let refused = BankAccount {
        state: BankAccountState::Refused,
        sealed: None,
        failure_reason: Some(code.code.to_owned()),
        ..account.clone()
    };
    settled(context.table.commit(&[account.change(refused)?]).await)
}

async fn wait(context: &Context, account: &BankAccount) -> Result<(), Problem> {
    let inquiries = account.inquiries.saturating_add(1);
    settled(context.table.commit(&[account.change(BankAccount { inquiries, ..account.clone() })?]).await)
}

/// A refused write says that another has handled the event at the same time.
fn settled(outcome: Result<(), CommitError>) -> Result<(), Problem> {
    match outcome {
        Ok(()) | Err(CommitError::Refused(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
