//! State machines: Step Functions.
//!
//! An execution's name is used once: what happens under it happens once, however often it is started. Starting a
//! name again while it runs is answered as the first time on AWS, and as "it exists" by others; what exists is
//! asked how it stands, so that both are alike.

use async_trait::async_trait;
use aws_sdk_sfn::{Client, types::ExecutionStatus};
use aws_types::SdkConfig;
use contract::ports::{Execution, Unanswered, Workflows};
use serde_json::Value;
use std::sync::OnceLock;

/// The state machines of a stack.
pub struct StepFunctions {
    config: SdkConfig,
    client: OnceLock<Client>,
    arns: String,
}

impl StepFunctions {
    /// The state machines whose ARNs start so: `arn:aws:states:us-east-1:123456789012:stateMachine:pay-`. Nothing is
    /// connected before the first call.
    pub fn new(config: SdkConfig, arns: &str) -> StepFunctions {
        StepFunctions { config, client: OnceLock::new(), arns: arns.to_owned() }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| Client::new(&self.config))
    }

    async fn standing(&self, arn: String) -> Result<Execution, Unanswered> {
        let described = self.client().describe_execution().execution_arn(arn).send().await;
        let described = described.map_err(|error| Unanswered(crate::config::reason(&error)))?;
        Ok(match described.status() {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive => Execution::Running,
            _ => Execution::Ended,
        })
    }
}

#[async_trait]
impl Workflows for StepFunctions {
    async fn start(&self, workflow: &str, execution: &str, input: &Value) -> Result<Execution, Unanswered> {
        let machine = format!("{}{workflow}", self.arns);
        let started = self
            .client()
            .start_execution()
            .state_machine_arn(&machine)
            .name(execution)
            .input(input.to_string())
            .send()
            .await;
        match started {
            Ok(_) => Ok(Execution::Running),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_execution_already_exists()) =>
            {
                self.standing(execution_arn(&machine, execution)).await
            }
            Err(error) => Err(Unanswered(crate::config::reason(&error))),
        }
    }
}

fn execution_arn(machine: &str, execution: &str) -> String {
    format!("{}:{execution}", machine.replacen(":stateMachine:", ":execution:", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_named_after_its_machine() {
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:pay-settlement";
        let execution = "arn:aws:states:us-east-1:123456789012:execution:pay-settlement:2026-11-22-1";
        assert_eq!(execution_arn(machine, "2026-11-22-1"), execution);
    }
}
