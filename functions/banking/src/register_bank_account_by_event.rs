//! `POST /v1/bank-accounts/by-event`: stores the request to link a bank account, for an event handler to carry out.
//!
//! Number and holder are sealed at once; the event carries the account's id only.

use crate::{
    items::BankAccountView,
    refusals,
    registration::{Outcome, RegisterBankAccount, Registration},
    vault,
};
use contract::{Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by};
use events::{Fact, banking::RegisterBankAccountRequested};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "registerBankAccountByEvent",
    summary: "Asks to link a bank account of the caller; its state tells how that went",
    triggers: &[Trigger::Route(Method::Post, "/v1/bank-accounts/by-event")],
    access: Access::Scopes(&[Scope::Member, Scope::Merchant]),
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(vault::SECRET)],
    emits: &[RegisterBankAccountRequested::TYPE],
    answers: &[202],
    refuses: &[&refusals::ALREADY_LINKED, &refusals::MEMBER_LEFT],
    idempotent: true,
    key_optional: true,
    ..handled_by!(register_bank_account_by_event)
};

async fn register_bank_account_by_event(
    context: &Context,
    call: Call<RegisterBankAccount>,
) -> Result<Reply<BankAccountView>, Problem> {
    let registration = Registration::of(context, &call).await?;
    let account = registration.requested(context, &call, true)?;
    if let Some(known) = registration.repeated(context).await? {
        return Ok(Reply::accepted(known.location(), BankAccountView::from(&known)).replayed());
    }
    registration.hold_to_free(context, &call.body.account_number).await?;
    Ok(match registration.commit(context, account, None).await? {
        Outcome::Stored(account) => Reply::accepted(account.location(), BankAccountView::from(&account)),
        Outcome::Repeated(known) => {
            Reply::accepted(known.location(), BankAccountView::from(&known)).replayed()
        }
    })
}
