//! `GET /.well-known/openid-configuration`: where to find what verifies Pay's tokens (OpenID Connect Discovery 1.0).
//!
//! API Gateway's authorizer reads it once, when it is created.

use crate::get_membership_by_jwt_token::Nothing;
use contract::{Access, Call, Context, Method, Operation, Problem, Reply, Scope, Trigger, handled_by};
use schemars::JsonSchema;
use serde::Serialize;

/// getOpenIdConfiguration
pub const OPERATION: Operation = Operation {
    name: "getOpenIdConfiguration",
    summary: "Where to find the keys and endpoints of Pay's tokens",
    triggers: &[Trigger::Route(Method::Get, "/.well-known/openid-configuration")],
    access: Access::Public,
    ..handled_by!(get_open_id_configuration)
};

/// The issuer's metadata, with the names that OpenID Connect Discovery gives them.
#[derive(Serialize, JsonSchema)]
pub struct OpenIdConfiguration {
    /// The `iss` of every token.
    pub issuer: String,
    /// Where the keys are.
    pub jwks_uri: String,
    /// Where to log in.
    pub authorization_endpoint: String,
    /// Where to exchange a refresh token.
    pub token_endpoint: String,
    /// Where to ask whether a token holds.
    pub introspection_endpoint: String,
    /// Where to ask who one is.
    pub userinfo_endpoint: String,
    /// Where to log out.
    pub end_session_endpoint: String,
    /// The scopes that there are.
    pub scopes_supported: Vec<String>,
    /// Login gives tokens at once.
    pub response_types_supported: Vec<String>,
    /// A member has one id everywhere.
    pub subject_types_supported: Vec<String>,
    /// How tokens are signed.
    pub id_token_signing_alg_values_supported: Vec<String>,
}

async fn get_open_id_configuration(
    context: &Context,
    _: Call<Nothing>,
) -> Result<Reply<OpenIdConfiguration>, Problem> {
    let issuer = context.settings.issuer.clone();
    let base = issuer.trim_end_matches('/');
    let at = |path: &str| format!("{base}{path}");
    Ok(Reply::ok(OpenIdConfiguration {
        jwks_uri: at("/.well-known/jwks.json"),
        authorization_endpoint: at("/v1/auth/login"),
        token_endpoint: at("/v1/auth/refresh"),
        introspection_endpoint: at("/v1/auth/validate"),
        userinfo_endpoint: at("/v1/auth/membership"),
        end_session_endpoint: at("/v1/auth/logout"),
        scopes_supported: [Scope::Member, Scope::Merchant, Scope::Operator]
            .map(|scope| scope.as_str().to_owned())
            .to_vec(),
        response_types_supported: vec!["token".to_owned()],
        subject_types_supported: vec!["public".to_owned()],
        id_token_signing_alg_values_supported: vec!["RS256".to_owned()],
        issuer,
    }))
}
