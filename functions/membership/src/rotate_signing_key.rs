//! On Secrets Manager's schedule: moves the signing keys up, in its four steps.
//!
//! `next` becomes `current` only if it was published for two hours (`keyPublishedSeconds`), because the gateway may
//! keep the published set that long; otherwise the rotation ends well and changes nothing. Every step may come again,
//! and one that was interrupted goes on. Answers key ids only, never keys.

use crate::{
    config::Config,
    domain::{
        signing_keys::{self, KeyIds, KeySet},
        tokens::{self, Claims},
    },
    publication, signing,
};
use contract::{Call, Context, Grant, Operation, Problem, Reply, Scope, Trigger, handled_by, ports::Stage};
use kernel::{Id, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

/// rotateSigningKey
pub const OPERATION: Operation = Operation {
    name: "rotateSigningKey",
    summary: "Rotates the keys that sign access tokens, in Secrets Manager's four steps",
    triggers: &[Trigger::Rotation(signing_keys::SECRET)],
    grants: &[
        Grant::ReadTable,
        Grant::WriteTable,
        Grant::ReadSecret(signing_keys::SECRET),
        Grant::WriteSecret(signing_keys::SECRET),
    ],
    memory_mb: 1024,
    timeout_seconds: 60,
    ..handled_by!(rotate_signing_key)
};

/// A step as Secrets Manager asks for it. It may add fields.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct RotationStep {
    /// Which step.
    pub step: Step,
    /// The secret's ARN. The role reaches one secret only, so it is not needed.
    #[serde(default)]
    pub secret_id: String,
    /// The id of the version that the rotation makes.
    pub client_request_token: String,
}

/// The steps of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Makes the pending version.
    CreateSecret,
    /// Nobody else has to be told of it: verifiers read the published set.
    SetSecret,
    /// Signs and verifies with it.
    TestSecret,
    /// Makes it the current one.
    FinishSecret,
}

async fn rotate_signing_key(context: &Context, call: Call<RotationStep>) -> Result<Reply<KeyIds>, Problem> {
    let RotationStep { step, client_request_token: token, .. } = &call.body;
    let set = match step {
        Step::CreateSecret => create(context, token, call.now).await?,
        Step::SetSecret => version(context, token).await?,
        Step::TestSecret => test(context, tested(context, token).await?, call.now)?,
        Step::FinishSecret => finish(context, token, call.now).await?,
    };
    Ok(Reply::ok(set.ids()))
}

/// The version of this rotation, whether it is still pending or was finished already.
async fn find_version(context: &Context, token: &str) -> Result<Option<KeySet>, Problem> {
    for stage in [Stage::CurrentFresh, Stage::Pending] {
        let set = signing::key_set(context, stage).await?;
        if let Some(set) = set.filter(|set| set.version == token) {
            return Ok(Some(set));
        }
    }
    Ok(None)
}

async fn version(context: &Context, token: &str) -> Result<KeySet, Problem> {
    find_version(context, token).await?.ok_or_else(|| Problem::internal("this rotation has no version yet"))
}

/// What a test is about: this rotation's version. When somebody sets how often to rotate, Secrets Manager asks for a test
/// alone, under a token that no version of ours has; then it is the set in use.
async fn tested(context: &Context, token: &str) -> Result<KeySet, Problem> {
    match find_version(context, token).await? {
        Some(set) => Ok(set),
        None => signing::current_keys(context, Stage::CurrentFresh).await,
    }
}

async fn create(context: &Context, token: &str, now: Timestamp) -> Result<KeySet, Problem> {
    if let Some(made) = find_version(context, token).await? {
        return Ok(made);
    }
    let current = signing::current_keys(context, Stage::CurrentFresh).await?;
    let next = &current.next.public.kid;
    let since = publication::since(context, next).await?;
    if since.is_none() {
        publication::note(context, next, now).await?;
    }
    let Config { key_published_seconds, .. } = Config::of(context)?;
    let may_sign = signing_keys::may_sign(since, now, key_published_seconds);
    let made = current.following(token, may_sign).map_err(Problem::internal)?;
    signing::write_keys(context, &made, Stage::Pending).await?;
    Ok(made)
}

/// Signs with each key and verifies with the published set.
fn test(context: &Context, set: KeySet, now: Timestamp) -> Result<KeySet, Problem> {
    let parties = signing::parties(context);
    let claims =
        Claims::new(parties, Id::derive(&["test"]), &[Scope::Member], "test", "test".to_owned(), now);
    for key in [&set.previous, &set.current, &set.next] {
        let signed = tokens::sign(&claims, key).map_err(Problem::internal)?;
        if tokens::verify(&signed, &set.published(), parties, now).as_ref() != Some(&claims) {
            return Err(Problem::internal("a new signing key does not verify"));
        }
    }
    Ok(set)
}

async fn finish(context: &Context, token: &str, now: Timestamp) -> Result<KeySet, Problem> {
    let set = version(context, token).await?;
    context.secrets.promote(signing_keys::SECRET, token).await.map_err(Problem::unavailable)?;
    publication::note(context, &set.next.public.kid, now).await?;
    Ok(set)
}
