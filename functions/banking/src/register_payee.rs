//! Called by remittance: makes any account at the bank one that a member may remit to.
//!
//! Account numbers stay in banking, so remittance hands them over at once and keeps the id. The id derives from the
//! member and the number, so that an account is stored once however often its owner gets money; the bank is asked
//! every time, because the holder's name is not kept. A payee has no claim on its number: whoever owns the account
//! may link it.

use crate::{
    bank::{self, Bank},
    domain::{AccountNumber, Holder},
    items::{self, BankAccount, BankAccountState},
    refusals, registration,
    settings::Settings,
    vault,
};
use contract::{
    Call, Context, Grant, Operation, Problem, Reply, Trigger,
    former::FormerMember,
    handled_by,
    peers::{Payee, PayeeOrder},
    problem,
};
use kernel::{Id, id::BankAccountId};
use store::{Condition, Write};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "registerPayee",
    summary: "Keeps an account that a member remits to, once the bank has confirmed it",
    triggers: &[Trigger::Call],
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ReadSecret(vault::SECRET),
        Grant::ReadSecret(bank::SECRET),
    ],
    refuses: &[
        &problem::NOT_FOUND,
        &refusals::PAYEE_NOT_ALLOWED,
        &refusals::UNKNOWN_TO_BANK,
        &refusals::HOLDER_MISMATCH,
        &refusals::BANK_ACCOUNT_NOT_FOUND,
    ],
    ..handled_by!(register_payee)
};

async fn register_payee(context: &Context, call: Call<PayeeOrder>) -> Result<Reply<Payee>, Problem> {
    let member = call.body.membership_id;
    if call.on_behalf_of.is_some_and(|caller| caller != member) {
        return Err((&problem::NOT_FOUND).into());
    }
    let number = AccountNumber::parse(&call.body.account_number)
        .map_err(|error| Problem::field("/accountNumber", error.to_string()))?;
    let holder =
        Holder::parse(&call.body.holder).map_err(|error| Problem::field("/holder", error.to_string()))?;
    let bank = Bank::of(context, &Settings::of(context)?, &call.trace).await?;
    if number == *bank.corporate() {
        return Err((&refusals::PAYEE_NOT_ALLOWED).into());
    }
    if let Some(code) = registration::ask(&bank, &number, &holder).await? {
        return Err(code.into());
    }

    let key = vault::key(context).await?;
    let id: BankAccountId = Id::derive(&["payee", &member.to_string(), &vault::number_index(&key, &number)]);
    let payee = BankAccount {
        bank_account_id: id,
        membership_id: member,
        state: BankAccountState::Payee,
        masked_number: number.masked(),
        sealed: Some(vault::seal(context, &key, id, &number, None)?),
        failure_reason: None,
        requested_at: call.now,
        linked_at: None,
        unlinked_at: None,
        by_event: false,
        fingerprint: None,
        inquiries: 0,
        version: 1,
        traceparent: call.trace.traceparent().to_owned(),
    };
    let member_is_here = Write::Check(FormerMember::key_of(member), Condition::Absent);
    let payee = match context.table.commit(&[Write::put(&payee, Condition::Absent)?, member_is_here]).await {
        Ok(()) => payee,
        Err(error) if error.found(1).is_some() => return Err((&refusals::BANK_ACCOUNT_NOT_FOUND).into()),
        Err(error) if error.is_collision() => items::load(context, &BankAccount::key_of(id))
            .await?
            .ok_or_else(|| Problem::unavailable("another transaction was in the way"))?,
        Err(error) => return Err(error.into()),
    };
    // Its member's data has been erased, and does not come back.
    if payee.state != BankAccountState::Payee {
        return Err((&refusals::BANK_ACCOUNT_NOT_FOUND).into());
    }
    Ok(Reply::ok(Payee { bank_account_id: id, masked_account_number: payee.masked_number }))
}
