//! `DELETE /v1/memberships/{membershipId}`: ends the caller's membership.
//!
//! It is refused, and nothing is changed, while money, holds or expected recharges are left or a franchise is open or
//! still to be paid out. Otherwise the wallet gets its last entry and then everything that tells who the member was is
//! destroyed: their email is free again, their refresh tokens are dead at once, and their access tokens, which live on
//! for at most ten minutes, find nothing. If money does not answer in time the answer is 202: the member is out already, and the rest
//! goes on by itself; asking again asks how far it is. Asking again after the end answers 204, as the first time, to
//! whoever still has a token.

use crate::{
    answers::location,
    closing::{self, Progress},
    domain::Refusal,
    items::{self, Member, MembershipState},
    refusals,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
    money_codes::{MONEY_HELD, RECHARGE_EXPECTED, WALLET_NOT_EMPTY},
    peers::{CLOSE_MEMBER_MONEY, FranchiseOwner, VERIFY_FRANCHISES_CLOSED},
    ports::CallError,
    problem,
};
use events::{Fact, membership::MembershipClosed};
use kernel::id::MembershipId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often it is decided again because somebody else changed the member first.
const TRIES: u32 = 4;

/// closeMembership
pub const OPERATION: Operation = Operation {
    name: "closeMembership",
    summary: "Ends the caller's membership and forgets who they were",
    triggers: &[Trigger::Route(Method::Delete, "/v1/memberships/{membershipId}")],
    access: Access::Scopes(&[Scope::Member]),
    grants: &[Grant::ReadTable, Grant::WriteTable],
    calls: &[VERIFY_FRANCHISES_CLOSED.operation, CLOSE_MEMBER_MONEY.operation],
    emits: &[MembershipClosed::TYPE],
    answers: &[204, 202],
    refuses: &[
        &problem::NOT_FOUND,
        &problem::PRECONDITION_FAILED,
        &refusals::FRANCHISE_OPEN,
        &refusals::FRANCHISE_UNSETTLED,
        &MONEY_HELD,
        &RECHARGE_EXPECTED,
        &WALLET_NOT_EMPTY,
    ],
    timeout_seconds: 20,
    ..handled_by!(close_membership)
};

/// Which membership.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Which {
    /// Its id.
    pub membership_id: MembershipId,
}

/// A membership that is being closed.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClosingMembership {
    /// Its id.
    pub membership_id: MembershipId,
    /// How far it is.
    pub state: MembershipState,
}

async fn close_membership(context: &Context, call: Call<Which>) -> Result<Reply<ClosingMembership>, Problem> {
    let membership_id = call.body.membership_id;
    call.caller.owns(membership_id)?;
    for _ in 0..TRIES {
        let key = items::member_key(&membership_id.to_string());
        let member: Member = items::load(&*context.table, &key).await?.ok_or(&problem::NOT_FOUND)?;
        let member = match member.state {
            MembershipState::Requested => return Err((&problem::NOT_FOUND).into()),
            // What is under way or done was asked for at the version that it had then.
            MembershipState::Closing | MembershipState::Closed => member,
            MembershipState::Active => {
                if !call.may_change(member.version) {
                    return Err(Refusal::Changed.into());
                }
                hold_to_closed_franchises(context, &call).await?;
                match closing::begin(context, &call, member).await? {
                    Some(leaving) => leaving,
                    None => continue,
                }
            }
        };
        let reply = |status, state| Reply { status, ..Reply::ok(ClosingMembership { membership_id, state }) };
        let Some(closing) = member.closing.clone() else {
            return Ok(reply(204, MembershipState::Closed));
        };
        return match closing::advance(context, &call, member, &closing).await? {
            Progress::Closed => Ok(reply(204, MembershipState::Closed)),
            Progress::Kept(left) => Err(Refusal::MoneyLeft(left).into()),
            Progress::Waiting => {
                Ok(Reply { location: Some(location(membership_id)), ..reply(202, MembershipState::Closing) })
            }
        };
    }
    Err(Problem::unavailable("the member kept changing"))
}

/// Asked before anything is changed. A franchise that is registered meanwhile is closed by franchise itself, when it
/// hears that its owner has left.
async fn hold_to_closed_franchises(context: &Context, call: &Call<Which>) -> Result<(), Problem> {
    let owner = FranchiseOwner { membership_id: call.body.membership_id };
    let on_behalf_of = Some(owner.membership_id);
    match context.call(&VERIFY_FRANCHISES_CLOSED, call, on_behalf_of, None, &owner).await {
        Ok(answer) if !answer.all_closed => Err(Refusal::FranchiseOpen.into()),
        Ok(answer) if !answer.all_settled => Err(Refusal::FranchiseUnsettled.into()),
        Ok(_) => Ok(()),
        Err(CallError::Unanswered(error)) => Err(Problem::unavailable(error)),
        Err(CallError::Refused(problem)) => Err(Problem::internal(problem)),
    }
}
