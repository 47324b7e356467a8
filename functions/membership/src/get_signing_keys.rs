//! `GET /.well-known/jwks.json`: the public keys that verify Pay's access tokens (RFC 7517).
//!
//! Previous, current and next are always there, because a verifier may keep the answer for two hours. The secret is
//! read afresh: a key counts as published from the moment when it is in the secret.

use crate::{
    domain::signing_keys::{self, JsonWebKey},
    get_membership_by_jwt_token::Nothing,
    signing,
};
use contract::{
    Access, Call, Context, Grant, Method, Operation, Problem, Reply, Trigger, handled_by, ports::Stage,
};
use schemars::JsonSchema;
use serde::Serialize;

/// getSigningKeys
pub const OPERATION: Operation = Operation {
    name: "getSigningKeys",
    summary: "The public keys that verify Pay's access tokens, as a JSON Web Key Set",
    triggers: &[Trigger::Route(Method::Get, "/.well-known/jwks.json")],
    access: Access::Public,
    grants: &[Grant::ReadSecret(signing_keys::SECRET)],
    ..handled_by!(get_signing_keys)
};

/// A JSON Web Key Set.
#[derive(Serialize, JsonSchema)]
pub struct JsonWebKeySet {
    /// The keys, the signing one first.
    pub keys: Vec<JsonWebKey>,
}

async fn get_signing_keys(context: &Context, _: Call<Nothing>) -> Result<Reply<JsonWebKeySet>, Problem> {
    let set = signing::current_keys(context, Stage::CurrentFresh).await?;
    Ok(Reply::ok(JsonWebKeySet { keys: set.published().into_iter().cloned().collect() }))
}
