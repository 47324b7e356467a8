//! `GET /v1/payments`: what the caller has paid, or, with `franchiseId`, what the caller's franchise was paid
//! (결제 내역 조회).
//!
//! It lists what was approved, settled ones too; a payment that is on its way or failed is found by its id.

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
    name: "findPaymentHistory",
    summary: "Lists the caller's payments, or those to a franchise of the caller",
    triggers: &[Trigger::Route(Method::Get, "/v1/payments")],
    access: Access::Scopes(&[Scope::Member, Scope::Merchant]),
    ..lists::lists(handled_by!(find_payment_history))
};

/// Whose payments, and which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// A franchise of the caller; the caller's own payments if unsaid.
    franchise_id: Option<FranchiseId>,
    /// Approved from this moment on; a franchise's list begins seven days before its end if unsaid.
    from: Option<Timestamp>,
    /// Approved before this moment. A franchise's list spans at most 31 days.
    to: Option<Timestamp>,
    /// How many.
    #[serde(default)]
    limit: Limit,
    /// Where the page before ended.
    cursor: Option<String>,
}

async fn find_payment_history(
    context: &Context,
    call: Call<Wanted>,
) -> Result<Reply<Listing<answers::Payment>>, Problem> {
    let Wanted { franchise_id, from, to, limit, cursor } = &call.body;
    let written = |moment: &Option<Timestamp>| moment.map(|moment| moment.to_string()).unwrap_or_default();
    let whose = franchise_id.map(|id| id.to_string()).unwrap_or_default();
    let query = [OPERATION.name, &call.caller.to_string(), &whose, &written(from), &written(to)];
    let asked = Asked { query: &query, limit: limit.get(), cursor: cursor.as_deref() };
    let listing = match franchise_id {
        None => {
            let window = Window::of_payer(*from, *to)?;
            lists::of_payer(context, call.caller.member()?, window, &asked).await?
        }
        Some(franchise) => {
            let window = Window::of_franchise(*from, *to, call.now)?;
            replica::hold_to_owner(context, &call, *franchise).await?;
            lists::of_franchise(context, *franchise, Shown::Approved, window, &asked).await?
        }
    };
    Ok(Reply::ok(listing))
}
