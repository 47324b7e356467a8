//! What both ways to register a bank account do: ask the bank, then link account and number in one commit.
//!
//! They differ in one thing only: the direct one asks first and stores the answer, the other stores the request, and
//! the event handler asks. Nothing is stored for a member who has left: that is a condition of the write. A refused
//! direct request leaves nothing behind, so its key is free again.

use crate::{
    bank::{Bank, Verification},
    domain::{AccountNumber, Holder},
    items::{self, BankAccount, BankAccountState, Claim},
    refusals, vault,
};
use contract::{Call, Code, Context, Problem, former::FormerMember, problem};
use kernel::{Id, id::BankAccountId};
use schemars::JsonSchema;
use serde::Deserialize;
use store::{CommitError, Condition, Write, seal::ServiceKey};

/// How often a commit is tried that another transaction was in the way of.
const TRIES: u32 = 4;

/// The bank account to link. It has personal data, and no Debug.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterBankAccount {
    /// The account's number.
    pub account_number: AccountNumber,
    /// The holder's name, as the bank knows it.
    pub holder: Holder,
}

/// What became of a registration.
pub enum Outcome {
    /// It was stored now.
    Stored(BankAccount),
    /// It had been stored by the same request before.
    Repeated(BankAccount),
}

/// A registration in the making.
pub struct Registration {
    key: ServiceKey,
    id: BankAccountId,
    fingerprint: Option<String>,
}

impl Registration {
    /// Derives the id from caller, operation and key, so that the account is the idempotency record.
    pub async fn of(context: &Context, call: &Call<RegisterBankAccount>) -> Result<Registration, Problem> {
        let key = vault::key(context).await?;
        let fingerprint = call.idempotency_key.as_ref().map(|_| key.blind("request", &call.fingerprint));
        let id: BankAccountId = match &call.idempotency_key {
            None => context.random_id(),
            Some(idempotency_key) => {
                // Blinded, so that whoever guesses a key does not know an id.
                let blinded = key.blind("registration", idempotency_key.as_str());
                Id::derive(&[&call.caller.to_string(), &call.operation, &blinded])
            }
        };
        Ok(Registration { key, id, fingerprint })
    }

    /// The account that the same request stored before, if it did.
    pub async fn repeated(&self, context: &Context) -> Result<Option<BankAccount>, Problem> {
        let Some(known) = items::load::<BankAccount>(context, &BankAccount::key_of(self.id)).await? else {
            return Ok(None);
        };
        if known.fingerprint.is_some() && known.fingerprint == self.fingerprint {
            Ok(Some(known))
        } else {
            Err((&problem::IDEMPOTENCY_KEY_REUSED).into())
        }
    }

    /// Refuses a number that is linked already, before the bank is bothered.
    pub async fn hold_to_free(&self, context: &Context, number: &AccountNumber) -> Result<(), Problem> {
        let claim: Option<Claim> =
            items::load(context, &Claim::key_of(&vault::number_index(&self.key, number))).await?;
        // The same request at the same time may have claimed it, since the account was looked for.
        let is_taken = claim.is_some_and(|claim| claim.bank_account_id != self.id);
        if is_taken { Err((&refusals::ALREADY_LINKED).into()) } else { Ok(()) }
    }

    /// The account as requested.
    pub fn requested(
        &self,
        context: &Context,
        call: &Call<RegisterBankAccount>,
        by_event: bool,
    ) -> Result<BankAccount, Problem> {
        let RegisterBankAccount { account_number, holder } = &call.body;
        let holder = Some(holder).filter(|_| by_event);
        Ok(BankAccount {
            bank_account_id: self.id,
            membership_id: call.caller.member()?,
            state: BankAccountState::Requested,
            masked_number: account_number.masked(),
            sealed: Some(vault::seal(context, &self.key, self.id, account_number, holder)?),
            failure_reason: None,
            requested_at: call.now,
            linked_at: None,
            unlinked_at: None,
            by_event,
            fingerprint: self.fingerprint.clone(),
            inquiries: 0,
            version: 1,
            traceparent: call.trace.traceparent().to_owned(),
        })
    }

    /// Commits a new account, with the claim of its number if it is linked.
    pub async fn commit(
        &self,
        context: &Context,
        account: BankAccount,
        claim: Option<Claim>,
    ) -> Result<Outcome, Problem> {
        let member_is_here = Write::Check(FormerMember::key_of(account.membership_id), Condition::Absent);
        let mut writes = vec![Write::put(&account, Condition::Absent)?, member_is_here];
        if let Some(claim) = claim {
            writes.push(Write::put(&claim, Condition::Absent)?);
        }
        for _ in 0..TRIES {
            match context.table.commit(&writes).await {
                Ok(()) => return Ok(Outcome::Stored(account)),
                Err(CommitError::Contended) => {}
                Err(error @ CommitError::Unavailable(_)) => return Err(error.into()),
                // The same request at the same time is asked for first: it has taken the number too.
                Err(error @ CommitError::Refused(_)) => {
                    return match self.repeated(context).await? {
                        Some(known) => Ok(Outcome::Repeated(known)),
                        None if error.found(1).is_some() => Err((&refusals::MEMBER_LEFT).into()),
                        None => Err((&refusals::ALREADY_LINKED).into()),
                    };
                }
            }
        }
        Err(Problem::unavailable("other transactions were in the way"))
    }
}

/// Asks the bank: what stands against the account, or that nothing does. No answer is a problem that passes.
///
/// Pay's own account is nobody's: its number and holder stand on every member's bank statement, so the bank would
/// confirm them to anybody, and a recharge would move money from that account to itself.
pub async fn ask(
    bank: &Bank<'_>,
    number: &AccountNumber,
    holder: &Holder,
) -> Result<Option<&'static Code>, Problem> {
    if number == bank.corporate() {
        return Ok(Some(&refusals::NOT_LINKABLE));
    }
    match bank.verify(number, holder).await {
        None => Err(Problem::unavailable("the bank did not answer")),
        Some(Verification { exists: false, .. }) => Ok(Some(&refusals::UNKNOWN_TO_BANK)),
        Some(Verification { holder_matches: false, .. }) => Ok(Some(&refusals::HOLDER_MISMATCH)),
        Some(Verification { exists: true, holder_matches: true }) => Ok(None),
    }
}

/// The account as linked, and the claim of its number. The holder's name has done its duty.
pub fn linked(account: &BankAccount, now: kernel::Timestamp) -> Option<(BankAccount, Claim)> {
    let mut sealed = account.sealed.clone()?;
    sealed.holder = None;
    let claim = Claim { number_index: sealed.number_index.clone(), bank_account_id: account.bank_account_id };
    let account = BankAccount {
        state: BankAccountState::Linked,
        sealed: Some(sealed),
        linked_at: Some(now.max(account.requested_at)),
        ..account.clone()
    };
    Some((account, claim))
}
