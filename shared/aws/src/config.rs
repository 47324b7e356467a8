//! What a function is told by its environment, and the one configuration of all AWS clients.
//!
//! Lambda puts region and credentials into the environment, so the SDK's chain of providers is left out: it is most
//! of a start's cost. Certificates of AWS are checked against Amazon's own embedded roots for the same reason
//! (docs/decisions/0003).

use aws_sdk_dynamodb::{
    config::{
        BehaviorVersion, Credentials, Region, SharedCredentialsProvider, SharedHttpClient,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnectorSettings, SharedHttpConnector},
    runtime_components::RuntimeComponents,
};
use aws_types::SdkConfig;
use contract::Settings;
use serde_json::Value;
use std::time::Duration;

/// Amazon Root CA 1 to 4 and Starfield Services Root CA G2: every public AWS endpoint's chain ends in one of them.
pub const AMAZON_ROOTS: &[u8] = include_bytes!("roots/amazon.pem");

/// How often a call of AWS is tried in all.
const ATTEMPTS: u32 = 3;
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_000);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2_000);
const OPERATION_TIMEOUT: Duration = Duration::from_millis(5_000);

/// Why a function cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// A setting is missing.
    #[error("the environment variable {0} is missing or not valid")]
    Variable(&'static str),
    /// The embedded root certificates cannot be read.
    #[error("the embedded root certificates cannot be read")]
    Roots,
    /// `_HANDLER` names no operation.
    #[error("the service {service} has no operation named {handler}")]
    Handler {
        /// The service.
        service: &'static str,
        /// The name.
        handler: String,
    },
    /// The runtime of asynchronous work cannot be made.
    #[error("the asynchronous runtime does not start")]
    Runtime,
}

/// Everything that a function reads from its environment.
pub struct Environment {
    /// The operation's name; none outside Lambda.
    pub handler: Option<String>,
    /// What the names of functions, queues and secrets start with.
    pub prefix: String,
    /// The service's table.
    pub table: String,
    /// The bus.
    pub bus: String,
    /// What the URLs of queues start with.
    pub queues: String,
    /// What the ARNs of state machines start with.
    pub workflows: String,
    /// What operations may know.
    pub settings: Settings,
    region: String,
    access_key: String,
    secret_key: String,
    session_token: Option<String>,
    endpoint: Option<String>,
}

impl Environment {
    /// Reads the environment of this process.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn of_process() -> Result<Environment, Unready> {
        Environment::read(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// Reads an environment. Local clouds need no real credentials, so none are no error.
    pub fn read(variable: impl Fn(&'static str) -> Option<String>) -> Result<Environment, Unready> {
        let text = |name| variable(name).unwrap_or_default();
        let handler = variable("_HANDLER");
        if handler.is_none() && variable("LAMBDA_TASK_ROOT").is_some() {
            return Err(Unready::Variable("_HANDLER"));
        }
        let config = match variable("PAY_CONFIG") {
            Some(json) => serde_json::from_str(&json).map_err(|_| Unready::Variable("PAY_CONFIG"))?,
            None => Value::Null,
        };
        let published = text("PAY_PUBLISHED").split(',').map(str::trim).map(str::to_owned).collect();
        Ok(Environment {
            handler,
            prefix: variable("PAY_PREFIX").unwrap_or_else(|| "pay".to_owned()),
            table: text("PAY_TABLE"),
            bus: text("PAY_BUS"),
            queues: text("PAY_QUEUES"),
            workflows: text("PAY_WORKFLOWS"),
            settings: Settings {
                issuer: text("PAY_ISSUER"),
                audience: variable("PAY_AUDIENCE").unwrap_or_else(|| "pay".to_owned()),
                bank_endpoint: text("PAY_BANK_ENDPOINT"),
                published,
                config,
            },
            region: variable("AWS_REGION").ok_or(Unready::Variable("AWS_REGION"))?,
            access_key: text("AWS_ACCESS_KEY_ID"),
            secret_key: text("AWS_SECRET_ACCESS_KEY"),
            session_token: variable("AWS_SESSION_TOKEN"),
            endpoint: variable("AWS_ENDPOINT_URL"),
        })
    }

    /// The configuration of every AWS client. Lambda renews a function's credentials by starting it anew.
    pub fn sdk_config(&self) -> Result<SdkConfig, Unready> {
        let credentials = Credentials::new(
            self.access_key.clone(),
            self.secret_key.clone(),
            self.session_token.clone(),
            None,
            "environment",
        );
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let mut builder = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts);
        builder.set_http_client(Some(https()?));
        builder.set_endpoint_url(self.endpoint.clone());
        Ok(builder.build())
    }
}

/// The HTTPS client of all AWS clients. Its cryptography is named, so that another crate's choice changes nothing.
fn https() -> Result<SharedHttpClient, Unready> {
    let trust = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let context = TlsContext::builder().with_trust_store(trust).build().map_err(|_| Unready::Roots)?;
    let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context);
    Ok(SharedHttpClient::new(Untried(client.build_https())))
}

/// The SDK's own client without its trial. When a client of a service is made, it would read all root certificates
/// only to see that they are readable, and read them again for the first call.
#[derive(Debug)]
struct Untried(SharedHttpClient);

impl HttpClient for Untried {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }
}

/// Why a call of AWS failed, by its code alone: messages may quote values.
pub fn reason<E: ProvideErrorMetadata + std::fmt::Debug>(error: &SdkError<E>) -> String {
    match error {
        SdkError::ServiceError(_) => error.code().unwrap_or("an error without a code").to_owned(),
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => "no connection in time".to_owned(),
        SdkError::DispatchFailure(_) => "the connection failed".to_owned(),
        SdkError::ResponseError(_) => "the answer could not be read".to_owned(),
        _ => "the request could not be made".to_owned(),
    }
}
