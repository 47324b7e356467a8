//! `POST /v1/franchises`: registers a franchise, by a merchant for themselves or by an operator for an owner.
//!
//! The id derives from caller, operation and key, so that the franchise itself is the idempotency record. Banking is
//! asked before anything is written whether the settlement account is the owner's, so a refusal leaves nothing behind
//! and its key is free; that the owner has not left is a condition of the write. A merchant's franchise begins with the usual fee: only an operator names another.

use crate::{
    answers, bank_accounts,
    domain::{Contact, Name, Refusal, fees},
    items::{self, Franchise, Registered},
    refusals,
    settings::Settings,
    vault,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, call::given,
    former::FormerMember, handled_by, peers, problem,
};
use events::{
    Fact,
    franchise::{FranchiseRegistered, FranchiseState, SettlementCycle},
};
use kernel::{
    BasisPoints, FeeSchedule, Id,
    id::{BankAccountId, FranchiseId, MembershipId},
};
use schemars::JsonSchema;
use serde::Deserialize;
use store::{Condition, Write, seal::ServiceKey};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "registerFranchise",
    summary: "Registers a franchise of the caller, or, by an operator, of another member",
    triggers: &[Trigger::Route(Method::Post, "/v1/franchises")],
    access: Access::Scopes(&[Scope::Merchant, Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(vault::SECRET)],
    calls: &[peers::VERIFY_BANK_ACCOUNT_OWNER.operation],
    emits: &[FranchiseRegistered::TYPE],
    answers: &[201],
    refuses: &[
        &problem::NOT_FOUND,
        &refusals::FEE_SET_BY_OPERATOR,
        &refusals::BANK_ACCOUNT_NOT_FOUND,
        &refusals::OWNER_LEFT,
    ],
    idempotent: true,
    ..handled_by!(register_franchise)
};

/// The franchise to be.
// No Debug, so that it cannot be logged.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterFranchise {
    /// The owner; the caller if unsaid. An operator who is no merchant must say it.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "MembershipId")]
    pub membership_id: Option<MembershipId>,
    /// Its name.
    pub name: Name,
    /// Whom to ask for.
    pub contact: Contact,
    /// A linked account of the owner, to be paid out to.
    pub bank_account_id: BankAccountId,
    /// What Pay keeps of a payment; only an operator may say it.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "BasisPoints")]
    pub fee_bps: Option<BasisPoints>,
    /// When it is paid out.
    pub settlement_cycle: SettlementCycle,
}

async fn register_franchise(
    context: &Context,
    call: Call<RegisterFranchise>,
) -> Result<Reply<answers::Franchise>, Problem> {
    let key = vault::key(context).await?;
    let id = franchise_id(&call, &key)?;
    let owner = owner(&call)?;
    let fee = fee(&call, &Settings::of(context)?)?;
    let fingerprint = key.blind("request", &call.fingerprint);
    if let Some(known) = items::load(context, id).await? {
        return repeated(&call, &key, &known, &fingerprint);
    }
    let input = &call.body;
    bank_accounts::hold_to_owner(context, &call, owner, input.bank_account_id).await?;

    let traceparent = call.trace.traceparent().to_owned();
    let fee_terms = FeeSchedule::starting(call.now, fee);
    let franchise = Franchise {
        franchise_id: id,
        membership_id: owner,
        state: FranchiseState::Open,
        details: Some(vault::seal(context, &key, id, &input.name, &input.contact)?),
        bank_account_id: input.bank_account_id,
        fee_terms: fee_terms.clone(),
        settlement_cycle: input.settlement_cycle,
        fingerprint: Some(fingerprint.clone()),
        registered: Registered {
            at: call.now,
            bank_account_id: input.bank_account_id,
            fee_terms,
            settlement_cycle: input.settlement_cycle,
            traceparent: traceparent.clone(),
        },
        modified: None,
        closed: None,
        redirected: None,
        ended_with: None,
        version: 1,
        traceparent,
    };
    let owner_is_here = Write::Check(FormerMember::key_of(owner), Condition::Absent);
    match context.table.commit(&[Write::put(&franchise, Condition::Absent)?, owner_is_here]).await {
        Ok(()) => reply(&call, &key, &franchise),
        Err(error) => match (error.found(0), error.found(1)) {
            // The same request at the same time was first.
            (Some(found), _) => repeated(&call, &key, &store::read(found.clone())?, &fingerprint),
            (None, Some(_)) => Err(Refusal::OwnerLeft.into()),
            (None, None) => Err(error.into()),
        },
    }
}

/// Derived from caller, operation and key; blinded, so that whoever guesses a key does not know an id.
fn franchise_id(call: &Call<RegisterFranchise>, key: &ServiceKey) -> Result<FranchiseId, Problem> {
    let idempotency_key = call.idempotency_key.as_ref().ok_or(&problem::IDEMPOTENCY_KEY_REQUIRED)?;
    let blinded = key.blind("registration", idempotency_key.as_str());
    Ok(Id::derive(&[&call.caller.to_string(), &call.operation, &blinded]))
}

/// Whose franchise it is to be. To a merchant, other members are not there.
fn owner(call: &Call<RegisterFranchise>) -> Result<MembershipId, Problem> {
    match call.body.membership_id {
        Some(owner) => {
            if !call.caller.has(Scope::Operator) {
                call.caller.owns(owner)?;
            }
            Ok(owner)
        }
        None if call.caller.has(Scope::Merchant) => call.caller.member(),
        None => {
            Err(Problem::field("/membershipId", "must name the owner, because the caller is no merchant"))
        }
    }
}

fn fee(call: &Call<RegisterFranchise>, settings: &Settings) -> Result<BasisPoints, Refusal> {
    match call.body.fee_bps {
        None => Ok(settings.default_fee_bps),
        Some(_) if !call.caller.has(Scope::Operator) => Err(Refusal::FeeByMerchant),
        Some(fee) => fees::check(fee, settings.most_fee_bps),
    }
}

/// The franchise that the same request made; the key of another request made another.
fn repeated(
    call: &Call<RegisterFranchise>,
    key: &ServiceKey,
    known: &Franchise,
    fingerprint: &str,
) -> Result<Reply<answers::Franchise>, Problem> {
    if known.fingerprint.as_deref() == Some(fingerprint) {
        Ok(reply(call, key, known)?.replayed())
    } else {
        Err(Refusal::KeyReused.into())
    }
}

fn reply(
    call: &Call<RegisterFranchise>,
    key: &ServiceKey,
    franchise: &Franchise,
) -> Result<Reply<answers::Franchise>, Problem> {
    let body = answers::Franchise::of(franchise, key, call.now)?;
    Ok(Reply::created(franchise.location(), body).version(franchise.version))
}
