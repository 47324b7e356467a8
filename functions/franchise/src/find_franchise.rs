//! `GET /v1/franchises/{franchiseId}`: a franchise, for its owner or an operator.
//!
//! Somebody else's answers 404, as if it did not exist.

use crate::{answers, items, vault};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Scope, Trigger, handled_by, problem,
};
use kernel::id::FranchiseId;
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findFranchise",
    summary: "Shows a franchise to its owner or to an operator",
    triggers: &[Trigger::Route(Method::Get, "/v1/franchises/{franchiseId}")],
    access: Access::Scopes(&[Scope::Merchant, Scope::Operator]),
    grants: &[Grant::ReadTable, Grant::ReadSecret(vault::SECRET)],
    refuses: &[&problem::NOT_FOUND],
    ..handled_by!(find_franchise)
};

/// Which franchise.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The franchise.
    franchise_id: FranchiseId,
}

async fn find_franchise(context: &Context, call: Call<Wanted>) -> Result<Reply<answers::Franchise>, Problem> {
    let franchise = items::load(context, call.body.franchise_id).await?.ok_or(&problem::NOT_FOUND)?;
    if !call.caller.has(Scope::Operator) {
        call.caller.owns(franchise.membership_id)?;
    }
    answers::Franchise::reply(&franchise, &vault::key(context).await?, call.now)
}
