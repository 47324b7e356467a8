//! `PATCH /v1/franchises/{franchiseId}`: changes a franchise, by its owner or an operator.
//!
//! What is not given stays as it is. A change of the fee holds from a business day on and is an operator's; past
//! payments keep theirs. Without If-Match, a change made at the same time is kept beside this one; with it, the
//! version must be the one that the caller has seen.
//!
//! A closed franchise takes one change: another account to be paid out to. Otherwise what it is still owed could never
//! be paid out once its account is gone, and its owner could never leave.

use crate::{
    answers, bank_accounts,
    domain::{Contact, Name, Refusal, fees},
    items::{self, Franchise},
    refusals,
    settings::Settings,
    vault,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, call::given, handled_by,
    peers, problem,
};
use events::{
    Fact,
    franchise::{FranchiseModified, SettlementCycle},
};
use kernel::{
    BasisPoints, SeoulDay,
    id::{BankAccountId, FranchiseId},
};
use schemars::JsonSchema;
use serde::Deserialize;
use store::seal::ServiceKey;

/// How often it is decided again because somebody else changed the franchise first.
const TRIES: u32 = 4;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "modifyFranchise",
    summary: "Changes a franchise's name, contact, settlement account or cycle, or, by an operator, its fee",
    triggers: &[Trigger::Route(Method::Patch, "/v1/franchises/{franchiseId}")],
    access: Access::Scopes(&[Scope::Merchant, Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(vault::SECRET)],
    calls: &[peers::VERIFY_BANK_ACCOUNT_OWNER.operation],
    emits: &[FranchiseModified::TYPE],
    refuses: &[
        &problem::NOT_FOUND,
        &problem::PRECONDITION_FAILED,
        &refusals::FEE_SET_BY_OPERATOR,
        &refusals::FRANCHISE_CLOSED,
        &refusals::TOO_MANY_FEE_CHANGES,
        &refusals::BANK_ACCOUNT_NOT_FOUND,
    ],
    ..handled_by!(modify_franchise)
};

/// What to change: only what is given.
// No Debug, so that it cannot be logged.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModifyFranchise {
    /// Which franchise.
    pub franchise_id: FranchiseId,
    /// A new name.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Name")]
    pub name: Option<Name>,
    /// A new contact, whole.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Contact")]
    pub contact: Option<Contact>,
    /// Another linked account of the owner. By itself, it is all that a closed franchise still takes.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "BankAccountId")]
    pub bank_account_id: Option<BankAccountId>,
    /// Another cycle.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "SettlementCycle")]
    pub settlement_cycle: Option<SettlementCycle>,
    /// Another fee; only an operator may say it, with the day from which it holds.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "BasisPoints")]
    pub fee_bps: Option<BasisPoints>,
    /// The business day from which the fee holds; if it has begun, from now on. It holds until the next one planned.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "SeoulDay")]
    pub fee_from: Option<SeoulDay>,
}

async fn modify_franchise(
    context: &Context,
    call: Call<ModifyFranchise>,
) -> Result<Reply<answers::Franchise>, Problem> {
    check_fee(&call, &Settings::of(context)?)?;
    let key = vault::key(context).await?;
    for _ in 0..TRIES {
        let franchise = items::load(context, call.body.franchise_id).await?.ok_or(&problem::NOT_FOUND)?;
        if !call.caller.has(Scope::Operator) {
            call.caller.owns(franchise.membership_id)?;
        }
        if franchise.is_closed() && !may_redirect(&call.body, &franchise) {
            return Err(Refusal::Closed.into());
        }
        if !call.may_change(franchise.version) {
            return Err(Refusal::Changed.into());
        }
        let Some(modified) = modify(context, &call, &key, &franchise)? else {
            return answers::Franchise::reply(&franchise, &key, call.now);
        };
        if modified.bank_account_id != franchise.bank_account_id {
            let owner = franchise.membership_id;
            bank_accounts::hold_to_owner(context, &call, owner, modified.bank_account_id).await?;
        }
        match context.table.commit(&[modified.in_place_of(&franchise)?]).await {
            Ok(()) => return answers::Franchise::reply(&modified, &key, call.now),
            Err(error) if error.is_repetition(0, &modified) => {
                return answers::Franchise::reply(&modified, &key, call.now);
            }
            Err(error) if error.is_collision() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("the franchise kept changing"))
}

/// Holds a change of the fee to who may make it, how much it may be and when it may begin.
fn check_fee(call: &Call<ModifyFranchise>, settings: &Settings) -> Result<(), Refusal> {
    let ModifyFranchise { fee_bps, fee_from, .. } = &call.body;
    if (fee_bps.is_some() || fee_from.is_some()) && !call.caller.has(Scope::Operator) {
        return Err(Refusal::FeeByMerchant);
    }
    match (fee_bps, fee_from) {
        (None, None) => Ok(()),
        (Some(fee), Some(from)) => {
            fees::check(*fee, settings.most_fee_bps)?;
            fees::check_day(from, call.now)
        }
        (Some(_), None) => {
            Err(Refusal::Invalid("/feeFrom", "must say from when on the fee holds".to_owned()))
        }
        (None, Some(_)) => {
            Err(Refusal::Invalid("/feeBps", "must say which fee holds from then on".to_owned()))
        }
    }
}

/// Whether a closed franchise takes this: another account, and nothing else. Whose owner has left is owed nothing.
fn may_redirect(wanted: &ModifyFranchise, franchise: &Franchise) -> bool {
    let is_of_the_account_alone = matches!(
        wanted,
        ModifyFranchise {
            franchise_id: _,
            name: None,
            contact: None,
            bank_account_id: Some(_),
            settlement_cycle: None,
            fee_bps: None,
            fee_from: None,
        }
    );
    is_of_the_account_alone && !franchise.is_forgotten()
}

/// The franchise with the changes, or none if there is nothing to change.
fn modify(
    context: &Context,
    call: &Call<ModifyFranchise>,
    key: &ServiceKey,
    franchise: &Franchise,
) -> Result<Option<Franchise>, Problem> {
    let ModifyFranchise { name, contact, bank_account_id, settlement_cycle, fee_bps, fee_from, .. } =
        &call.body;
    let occasion = franchise.next_occasion(call.now, call.trace.traceparent());
    let fee_terms = match (fee_bps, fee_from) {
        (Some(fee), Some(from)) => fees::change(&franchise.fee_terms, *fee, from, occasion.at)?,
        _ => franchise.fee_terms.clone(),
    };
    let changed = Franchise {
        details: Some(vault::change(context, key, franchise, name.as_ref(), contact.as_ref())?),
        bank_account_id: bank_account_id.unwrap_or(franchise.bank_account_id),
        settlement_cycle: settlement_cycle.unwrap_or(franchise.settlement_cycle),
        fee_terms,
        ..franchise.clone()
    };
    Ok((changed != *franchise).then(|| franchise.changed_to(changed, occasion)))
}
