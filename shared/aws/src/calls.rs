//! Direct calls: Lambda invocations, answered at once.
//!
//! A call is made once and never repeated here: after silence nobody knows whether the callee acted, and only the
//! saga that asked may ask again, under the same reference. A function's error is silence too, because it may come
//! after its commit.

use async_trait::async_trait;
use aws_sdk_lambda::{Client, config::Builder, config::retry::RetryConfig, config::timeout::TimeoutConfig};
use aws_types::SdkConfig;
use contract::ports::{Calls, DirectAnswer, DirectCall, Unanswered};
use std::{sync::OnceLock, time::Duration};

/// The alias that deployments move.
const ALIAS: &str = "live";
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_000);

/// Other services' functions.
pub struct Lambda {
    config: SdkConfig,
    client: OnceLock<Client>,
    prefix: String,
}

impl Lambda {
    /// The functions whose names start so. Nothing is connected before the first call.
    pub fn new(config: SdkConfig, prefix: &str) -> Lambda {
        Lambda { config, client: OnceLock::new(), prefix: prefix.to_owned() }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            // Only the caller's own limit counts: a callee may take longer than AWS's other endpoints.
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .disable_operation_attempt_timeout()
                .disable_operation_timeout()
                .disable_read_timeout()
                .build();
            let config = Builder::from(&self.config)
                .retry_config(RetryConfig::disabled())
                .timeout_config(timeouts)
                .build();
            Client::from_conf(config)
        })
    }

    async fn ask(&self, call: &DirectCall) -> Result<DirectAnswer, Unanswered> {
        let payload = serde_json::to_vec(call).map_err(|error| Unanswered(error.to_string()))?;
        let answer = self
            .client()
            .invoke()
            .function_name(function_name(&self.prefix, &call.operation))
            .payload(payload.into())
            .send()
            .await
            .map_err(|error| Unanswered(crate::config::reason(&error)))?;
        if answer.function_error().is_some() {
            return Err(Unanswered("the callee failed".to_owned()));
        }
        let payload = answer.payload().map(AsRef::as_ref).unwrap_or_default();
        serde_json::from_slice(payload).map_err(|_| Unanswered("the answer could not be read".to_owned()))
    }
}

#[async_trait]
impl Calls for Lambda {
    async fn invoke(&self, call: &DirectCall, timeout_ms: u32) -> Result<DirectAnswer, Unanswered> {
        let limit = Duration::from_millis(timeout_ms.into());
        let answer = tokio::time::timeout(limit, self.ask(call)).await;
        answer.unwrap_or_else(|_| Err(Unanswered(format!("no answer within {timeout_ms} ms"))))
    }
}

/// The alias is part of the name, as it is part of the ARN that the caller's role is granted.
fn function_name(prefix: &str, operation: &str) -> String {
    format!("{}:{ALIAS}", crate::queues::resource_name(prefix, operation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callee_is_named_with_its_alias() {
        assert_eq!(function_name("pay", "banking.requestFirmbanking"), "pay-banking-requestFirmbanking:live");
    }
}
