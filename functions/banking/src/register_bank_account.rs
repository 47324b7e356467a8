//! `POST /v1/bank-accounts`: links one of the caller's bank accounts.
//!
//! The bank is asked before anything is written, so a refusal, or a bank that does not answer, leaves nothing behind.

use crate::{
    bank::{self, Bank},
    items::BankAccountView,
    refusals,
    registration::{self, Outcome, RegisterBankAccount, Registration},
    settings::Settings,
    vault,
};
use contract::{Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by};
use events::{Fact, banking::BankAccountRegistered};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "registerBankAccount",
    summary: "Links a bank account of the caller, once the bank has confirmed it",
    triggers: &[Trigger::Route(Method::Post, "/v1/bank-accounts")],
    access: Access::Scopes(&[Scope::Member, Scope::Merchant]),
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ReadSecret(vault::SECRET),
        Grant::ReadSecret(bank::SECRET),
    ],
    emits: &[BankAccountRegistered::TYPE],
    answers: &[201],
    refuses: &[
        &refusals::ALREADY_LINKED,
        &refusals::MEMBER_LEFT,
        &refusals::NOT_LINKABLE,
        &refusals::UNKNOWN_TO_BANK,
        &refusals::HOLDER_MISMATCH,
    ],
    idempotent: true,
    key_optional: true,
    ..handled_by!(register_bank_account)
};

async fn register_bank_account(
    context: &Context,
    call: Call<RegisterBankAccount>,
) -> Result<Reply<BankAccountView>, Problem> {
    let registration = Registration::of(context, &call).await?;
    let account = registration.requested(context, &call, false)?;
    if let Some(known) = registration.repeated(context).await? {
        return Ok(Reply::created(known.location(), BankAccountView::from(&known)).replayed());
    }
    registration.hold_to_free(context, &call.body.account_number).await?;

    let bank = Bank::of(context, &Settings::of(context)?, &call.trace).await?;
    if let Some(code) = registration::ask(&bank, &call.body.account_number, &call.body.holder).await? {
        return Err(code.into());
    }

    let (account, claim) = registration::linked(&account, call.now)
        .ok_or_else(|| Problem::internal("a requested account has no number"))?;
    Ok(match registration.commit(context, account, Some(claim)).await? {
        Outcome::Stored(account) => Reply::created(account.location(), BankAccountView::from(&account)),
        Outcome::Repeated(known) => {
            Reply::created(known.location(), BankAccountView::from(&known)).replayed()
        }
    })
}
