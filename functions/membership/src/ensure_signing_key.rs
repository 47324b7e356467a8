//! Called when Pay is deployed: makes the first set of signing keys, if there is none.
//!
//! The gateway's authorizer reads the keys when it is created, so they must be there before it; asking again changes
//! nothing. Answers key ids only, never keys.

use crate::{
    domain::signing_keys::{self, KeyIds, KeySet},
    get_membership_by_jwt_token::Nothing,
    publication, signing,
};
use contract::{Call, Context, Grant, Operation, Problem, Reply, Trigger, handled_by, ports::Stage};

/// ensureSigningKey
pub const OPERATION: Operation = Operation {
    name: "ensureSigningKey",
    summary: "Makes the first set of signing keys, if there is none",
    triggers: &[Trigger::Call],
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ReadSecret(signing_keys::SECRET),
        Grant::WriteSecret(signing_keys::SECRET),
    ],
    memory_mb: 1024,
    timeout_seconds: 60,
    ..handled_by!(ensure_signing_key)
};

async fn ensure_signing_key(context: &Context, call: Call<Nothing>) -> Result<Reply<KeyIds>, Problem> {
    if signing::key_set(context, Stage::CurrentFresh).await?.is_none() {
        // Everybody who makes a first set gives it this version, so that of two at once the second changes nothing.
        let first =
            KeySet::first(&store::seal::digest(&["first signing keys"])).map_err(Problem::internal)?;
        signing::write_keys(context, &first, Stage::Current).await?;
    }
    let set = signing::current_keys(context, Stage::CurrentFresh).await?;
    publication::note(context, &set.next.public.kid, call.now).await?;
    Ok(Reply::ok(set.ids()))
}
