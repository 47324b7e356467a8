//! `POST /v1/transfers/{transferId}/void`: makes sure that nothing will come under an id, if nothing has.
//!
//! An id that has its outcome keeps it, and the answer tells it: voiding what is done answers that it is done.

use crate::{
    ACCESS, BANK_DOWN, SECRET, TIMEOUT_SECONDS, accounts, domain::TransferState, items::Transfer,
    make_transfer::TransferView,
};
use contract::{Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by};
use schemars::JsonSchema;
use serde::Deserialize;
use store::{Condition, Write};

/// The declaration.
pub const OPERATION: Operation = Operation {
    name: "voidTransfer",
    summary: "Voids a transfer id under which nothing has come",
    triggers: &[Trigger::Route(Method::Post, "/v1/transfers/{transferId}/void")],
    access: ACCESS,
    grants: &[Grant::ReadTable, Grant::WriteTable, Grant::ReadSecret(SECRET)],
    refuses: &[&BANK_DOWN],
    timeout_seconds: TIMEOUT_SECONDS,
    ..handled_by!(void_transfer)
};

/// Which id.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The client's id.
    transfer_id: String,
}

async fn void_transfer(context: &Context, call: Call<Wanted>) -> Result<Reply<TransferView>, Problem> {
    let id = call.body.transfer_id;
    accounts::check_transfer_id(&id)?;
    accounts::hold_to_up(context, &[]).await?;
    let voided = Transfer {
        transfer_id: id,
        state: TransferState::Voided,
        reason: None,
        terms: None,
        ended_at: call.now,
    };
    match context.table.commit(&[Write::put(&voided, Condition::Absent)?]).await {
        Ok(()) => Ok(Reply::ok(voided.into())),
        Err(error) if error.is_collision() => {
            let known = accounts::need_transfer(context, &voided.transfer_id).await;
            // A transfer that was just being written is not there yet: the client asks again.
            Ok(Reply::ok(known.map_err(Problem::unavailable)?.into()))
        }
        Err(error) => Err(error.into()),
    }
}
