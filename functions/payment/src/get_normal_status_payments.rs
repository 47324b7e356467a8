//! `GET /v1/payments/normal`: what a franchise was paid and has not settled yet, for its merchant or an operator.
//!
//! The window is of approvals. A payment that is settled leaves the list; a new one may appear only where the order
//! puts it, so that paging neither skips nor repeats whatever is paid meanwhile. A page looks at a hundred payments at
//! most: where nearly all are settled it is short, or empty, and `nextCursor` says that there is more.

use crate::{
    answers,
    lists::{self, Asked, Shown, Window},
    replica,
};
use contract::{
    Access, Call, Context, Limit, Listing, Method, Operation, Problem, Reply, Scope, Trigger, handled_by,
};
use kernel::{Timestamp, id::FranchiseId};
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "getNormalStatusPayments",
    summary: "Lists a franchise's payments that are approved and not settled yet",
    triggers: &[Trigger::Route(Method::Get, "/v1/payments/normal")],
    access: Access::Scopes(&[Scope::Operator, Scope::Merchant]),
    ..lists::lists(handled_by!(get_normal_status_payments))
};

/// Whose payments, when, and which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The franchise.
    franchise_id: FranchiseId,
    /// Approved from this moment on.
    from: Timestamp,
    /// Approved before this moment; at most 31 days later.
    to: Timestamp,
    /// How many.
    #[serde(default)]
    limit: Limit,
    /// Where the page before ended.
    cursor: Option<String>,
}

async fn get_normal_status_payments(
    context: &Context,
    call: Call<Wanted>,
) -> Result<Reply<Listing<answers::Payment>>, Problem> {
    let Wanted { franchise_id, from, to, limit, cursor } = &call.body;
    let window = Window::of_franchise(Some(*from), Some(*to), call.now)?;
    if !call.caller.has(Scope::Operator) {
        replica::hold_to_owner(context, &call, *franchise_id).await?;
    }
    let (caller, whose) = (call.caller.to_string(), franchise_id.to_string());
    let query = [OPERATION.name, &caller, &whose, &from.to_string(), &to.to_string()];
    let asked = Asked { query: &query, limit: limit.get(), cursor: cursor.as_deref() };
    Ok(Reply::ok(lists::of_franchise(context, *franchise_id, Shown::NotSettled, window, &asked).await?))
}
