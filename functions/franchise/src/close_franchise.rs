//! `DELETE /v1/franchises/{franchiseId}`: closes a franchise, by its owner or an operator.
//!
//! It takes no new payments from then on; those it has are settled as before, so its terms stay, and so does its account
//! until it is given another one.
//! Closing again changes nothing and answers the same.

use crate::{answers, items, vault};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by, problem,
};
use events::{Fact, franchise::FranchiseClosed};
use kernel::id::FranchiseId;
use schemars::JsonSchema;
use serde::Deserialize;

/// How often it is tried again because somebody else changed the franchise first.
const TRIES: u32 = 4;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "closeFranchise",
    summary: "Closes a franchise: it takes no new payments",
    triggers: &[Trigger::Route(Method::Delete, "/v1/franchises/{franchiseId}")],
    access: Access::Scopes(&[Scope::Merchant, Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(vault::SECRET)],
    emits: &[FranchiseClosed::TYPE],
    refuses: &[&problem::NOT_FOUND],
    ..handled_by!(close_franchise)
};

/// Which franchise.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The franchise.
    franchise_id: FranchiseId,
}

async fn close_franchise(
    context: &Context,
    call: Call<Wanted>,
) -> Result<Reply<answers::Franchise>, Problem> {
    let key = vault::key(context).await?;
    for _ in 0..TRIES {
        let franchise = items::load(context, call.body.franchise_id).await?.ok_or(&problem::NOT_FOUND)?;
        if !call.caller.has(Scope::Operator) {
            call.caller.owns(franchise.membership_id)?;
        }
        if franchise.is_closed() {
            return answers::Franchise::reply(&franchise, &key, call.now);
        }
        let closed = franchise.ended(call.now, call.trace.traceparent());
        match context.table.commit(&[closed.in_place_of(&franchise)?]).await {
            Ok(()) => return answers::Franchise::reply(&closed, &key, call.now),
            Err(error) if error.is_collision() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable("the franchise kept changing"))
}
