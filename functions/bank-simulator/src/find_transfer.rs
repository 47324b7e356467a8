//! `GET /v1/transfers/{transferId}`: what became of a transfer id.
//!
//! 404 says that the bank has not seen it so far; it may still come.

use crate::{
    ACCESS, BANK_DOWN, SECRET, TIMEOUT_SECONDS, TRANSFER_NOT_FOUND, accounts, make_transfer::TransferView,
};
use contract::{Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by};
use schemars::JsonSchema;
use serde::Deserialize;

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "findTransfer",
    summary: "Says what became of a transfer id",
    triggers: &[Trigger::Route(Method::Get, "/v1/transfers/{transferId}")],
    access: ACCESS,
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(SECRET)],
    refuses: &[&TRANSFER_NOT_FOUND, &BANK_DOWN],
    timeout_seconds: TIMEOUT_SECONDS,
    ..handled_by!(find_transfer)
};

/// Which transfer.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The client's id.
    transfer_id: String,
}

async fn find_transfer(context: &Context, call: Call<Wanted>) -> Result<Reply<TransferView>, Problem> {
    let id = &call.body.transfer_id;
    accounts::check_transfer_id(id)?;
    let transfer = accounts::transfer(context, id).await?;
    let terms = transfer.as_ref().and_then(|transfer| transfer.terms.as_ref());
    let numbers = terms.map_or(vec![], |terms| vec![terms.source.as_str(), terms.destination.as_str()]);
    accounts::hold_to_up(context, &numbers).await?;
    let transfer = transfer.ok_or(&TRANSFER_NOT_FOUND)?;
    Ok(Reply::ok(transfer.into()))
}
