//! Operations' queues: SQS.
//!
//! Each operation that takes messages has one queue, named after it. A message carries the operation's name and the
//! trace, so that the function that gets it needs to know nothing of the queue.

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_types::SdkConfig;
use contract::{
    Trace,
    ports::{MOST_DELAY_SECONDS, Queues, Unanswered},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::OnceLock;

/// A message as it lies in a queue.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The operation's full name.
    pub operation: String,
    /// The trace that it belongs to.
    pub traceparent: String,
    /// The operation's input.
    pub body: Value,
}

/// The queues of a stack.
pub struct Sqs {
    config: SdkConfig,
    client: OnceLock<Client>,
    urls: String,
    prefix: String,
}

impl Sqs {
    /// The queues whose URLs start so. Nothing is connected before the first call.
    pub fn new(config: SdkConfig, urls: &str, prefix: &str) -> Sqs {
        Sqs { config, client: OnceLock::new(), urls: urls.to_owned(), prefix: prefix.to_owned() }
    }
}

#[async_trait]
impl Queues for Sqs {
    async fn send(
        &self,
        operation: &str,
        body: &Value,
        delay_seconds: u32,
        trace: &Trace,
    ) -> Result<(), Unanswered> {
        let message = Message {
            operation: operation.to_owned(),
            traceparent: trace.traceparent().to_owned(),
            body: body.clone(),
        };
        let text = serde_json::to_string(&message).map_err(|error| Unanswered(error.to_string()))?;
        let delay = i32::try_from(delay_seconds.min(MOST_DELAY_SECONDS)).unwrap_or_default();
        self.client
            .get_or_init(|| Client::new(&self.config))
            .send_message()
            .queue_url(format!("{}/{}", self.urls, resource_name(&self.prefix, operation)))
            .message_body(text)
            .delay_seconds(delay)
            .send()
            .await
            .map(drop)
            .map_err(|error| Unanswered(crate::config::reason(&error)))
    }
}

/// The name of an operation's function and queue: `pay-banking-requestFirmbanking` of `banking.requestFirmbanking`.
pub fn resource_name(prefix: &str, operation: &str) -> String {
    format!("{prefix}-{}", operation.replacen('.', "-", 1))
}
