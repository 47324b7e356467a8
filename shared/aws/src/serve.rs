//! A function's main: `serve(&money::SERVICE)`.
//!
//! All functions of a service share one binary, and `_HANDLER` picks the operation; a name that the service does not
//! know stops the function at init, where a deployment sees it. serve() is not generic, so that it is compiled once.
//! Clients but the table's are made when an operation first needs them: a start does nothing that its operation may
//! never use.

use crate::{
    bus::EventBridge,
    calls::Lambda,
    config::{Environment, Unready},
    egress::Https,
    event::{Failure, Function},
    local::{SystemClock, SystemEntropy},
    log,
    queues::Sqs,
    secrets::SecretsManager,
    table::DynamoDb,
    workflows::StepFunctions,
};
use contract::{Context, Service};
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use std::{process::ExitCode, sync::Arc};

/// Runs the service's operations until Lambda ends the process.
pub fn serve(service: &'static Service) -> ExitCode {
    let environment = Environment::of_process();
    log::start(service.name, environment.as_ref().ok());
    log::die_on_panic();
    let started = environment.and_then(|environment| function(service, environment)).and_then(|function| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok((function, runtime.map_err(|_| Unready::Runtime)?))
    });
    match started {
        Ok((function, runtime)) => runtime.block_on(run(function)),
        Err(error) => {
            tracing::error!(cause = %error, "the function cannot start");
            ExitCode::FAILURE
        }
    }
}

fn function(service: &'static Service, environment: Environment) -> Result<Function, Unready> {
    let mut environment = environment;
    if environment.table.is_empty() {
        // On a laptop, one process environment serves every service's functions.
        environment.table = format!("{}-{}", environment.prefix, service.name);
    }
    if let Some(handler) = environment.handler.as_deref().filter(|name| service.operation(name).is_none()) {
        return Err(Unready::Handler { service: service.name, handler: handler.to_owned() });
    }
    let context = context(&environment)?;
    Ok(Function { service, name: environment.handler, prefix: environment.prefix, context })
}

/// The ports, on AWS.
pub fn context(environment: &Environment) -> Result<Context, Unready> {
    let config = environment.sdk_config()?;
    let prefix = &environment.prefix;
    let clock = Arc::new(SystemClock);
    Ok(Context {
        table: Arc::new(DynamoDb::new(config.clone(), &environment.table)),
        calls: Arc::new(Lambda::new(config.clone(), prefix)),
        bus: Arc::new(EventBridge::new(config.clone(), &environment.bus)),
        queues: Arc::new(Sqs::new(config.clone(), &environment.queues, prefix)),
        workflows: Arc::new(StepFunctions::new(config.clone(), &environment.workflows)),
        secrets: Arc::new(SecretsManager::new(config, prefix, clock.clone())),
        egress: Arc::new(Https::new(&environment.settings.bank_endpoint)),
        clock,
        entropy: Arc::new(SystemEntropy),
        settings: environment.settings.clone(),
    })
}

async fn run(function: Function) -> ExitCode {
    let function = &function;
    let handler = service_fn(|event: LambdaEvent<Value>| async move {
        let header = event.context.xray_trace_id.unwrap_or_default();
        function.handle(event.payload, &header).await.map_err(diagnostic)
    });
    match Runtime::new(handler).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(cause = %error, "the runtime interface failed");
            ExitCode::FAILURE
        }
    }
}

fn diagnostic(failure: Failure) -> Diagnostic {
    Diagnostic { error_type: failure.kind, error_message: failure.message }
}
