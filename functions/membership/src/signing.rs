//! The published keys, and tokens made with them: what login, refresh and the key operations share.

use crate::{
    answers::Tokens,
    domain::{
        signing_keys::{self, KeySet},
        tokens::{self, ACCESS_SECONDS, Claims, Parties},
    },
    items::Member,
};
use contract::{
    Context, Problem,
    ports::{SecretText, Stage},
};
use data_encoding::BASE64URL_NOPAD;

/// The set of keys in this version of the secret, if it exists.
pub async fn key_set(context: &Context, stage: Stage) -> Result<Option<KeySet>, Problem> {
    let text = context.secrets.read(signing_keys::SECRET, stage).await.map_err(Problem::unavailable)?;
    let Some(SecretText(text)) = text else { return Ok(None) };
    // What the parser says could quote the text, which is a key.
    let set =
        serde_json::from_str(&text).map_err(|_| Problem::internal("the signing keys are not readable"))?;
    Ok(Some(set))
}

/// The set in use. It is made when Pay is deployed, so a missing one passes.
pub async fn current_keys(context: &Context, stage: Stage) -> Result<KeySet, Problem> {
    key_set(context, stage).await?.ok_or_else(|| Problem::unavailable("there are no signing keys yet"))
}

/// Writes a version of the set.
pub async fn write_keys(context: &Context, set: &KeySet, stage: Stage) -> Result<(), Problem> {
    let text = serde_json::to_string(set).map_err(|_| Problem::internal("the keys cannot be written"))?;
    context
        .secrets
        .write(signing_keys::SECRET, &SecretText(text), &set.version, stage)
        .await
        .map_err(Problem::unavailable)
}

/// Issuer and audience of Pay's tokens.
pub fn parties(context: &Context) -> Parties<'_> {
    Parties { issuer: &context.settings.issuer, audience: &context.settings.audience }
}

/// 256 random bits as a text: a refresh token.
pub fn random_token(context: &Context) -> String {
    BASE64URL_NOPAD.encode(&context.random::<32>())
}

/// 128 random bits as a text: a session's or a token's id.
pub fn random_name(context: &Context) -> String {
    BASE64URL_NOPAD.encode(&context.random::<16>())
}

/// The answer of a login or an exchange: a fresh access token beside this refresh token.
pub async fn tokens(
    context: &Context,
    member: &Member,
    session_id: &str,
    refresh_token: String,
    refresh_token_expires_at: kernel::Timestamp,
) -> Result<Tokens, Problem> {
    let keys = current_keys(context, Stage::Current).await?;
    let now = context.clock.now();
    let scopes = member.scopes();
    let token_id = random_name(context);
    let claims = Claims::new(parties(context), member.membership_id, &scopes, session_id, token_id, now);
    Ok(Tokens {
        membership_id: member.membership_id,
        access_token: tokens::sign(&claims, &keys.current).map_err(Problem::internal)?,
        access_token_expires_at: now.plus_seconds(ACCESS_SECONDS),
        refresh_token,
        refresh_token_expires_at,
        token_type: "Bearer",
        expires_in: ACCESS_SECONDS,
        scope: claims.scope,
    })
}
