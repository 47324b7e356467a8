//! The declaration of an operation, and of a service as a table of them.

use crate::{Call, Code, Context, Problem, Reply, Scope};
use schemars::JsonSchema;
#[cfg(feature = "describe")]
use schemars::{Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;
use std::{future::Future, pin::Pin};
use store::{Index, Kind};

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes or moves.
    Post,
    /// Replaces a setting.
    Put,
    /// Changes some fields.
    Patch,
    /// Removes.
    Delete,
    /// Every method: only for the route `$default`.
    Any,
}

impl Method {
    /// As HTTP and API Gateway spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Any => "ANY",
        }
    }
}

/// What sets an operation going. One may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A route of the HTTP API, such as `/v1/memberships/{membershipId}`.
    Route(Method, &'static str),
    /// A direct call by another service's operation, or by Pay's own people through IAM.
    Call,
    /// A fact on the bus, by its type such as `membership.registered.v1`. It comes through the operation's queue.
    Fact(&'static str),
    /// A message that another operation put into this operation's queue.
    Queue,
    /// The clock, as EventBridge Scheduler spells it: `rate(5 minutes)`. The input is `{}`.
    Schedule(&'static str),
    /// The stream of the service's table.
    Stream,
    /// Secrets Manager, rotating the secret of this name.
    Rotation(&'static str),
    /// A step of the service's state machine in Step Functions.
    Step,
}

/// Who may call an operation over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Whoever has a token with one of these scopes.
    Scopes(&'static [Scope]),
    /// A company with an API key: whoever sends the `apiKey` of the secret of this name in the header `x-api-key`.
    ApiKey(&'static str),
    /// Nobody: IAM decides who may invoke it.
    Internal,
}

/// What an operation's role allows, beyond its own log. Nothing else is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Get and query the service's own table.
    ReadTable,
    /// Put, delete and check items of the service's own table.
    WriteTable,
    /// Scan the service's own table.
    ScanTable,
    /// Read the secret of this name.
    ReadSecret(&'static str),
    /// Write new versions of the secret of this name and move its stages.
    WriteSecret(&'static str),
    /// Publish on the bus.
    Publish,
    /// Put messages into the queue of this operation, by full name such as `money.sweepMoneyRequests`.
    Enqueue(&'static str),
    /// Start executions of the state machine of this name, and ask how they stand.
    StartWorkflow(&'static str),
}

/// Which HTTP API a service's routes belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Pay's own.
    Pay,
    /// The bank simulator's: another company's system, so another endpoint. Deployed for development only.
    Bank,
}

/// What a handler gives: a reply with its body in JSON, or a problem.
pub type Handled<'a> = Pin<Box<dyn Future<Output = Result<Reply<Value>, Problem>> + Send + 'a>>;

/// An operation: declared once, in its own file.
#[derive(Clone, Copy)]
pub struct Operation {
    /// Its name everywhere: Lambda function, OpenAPI operationId, role, log group.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What sets it going.
    pub triggers: &'static [Trigger],
    /// Who may call it over HTTP.
    pub access: Access,
    /// What its role allows.
    pub grants: &'static [Grant],
    /// The operations that it calls directly, by full name such as `banking.requestFirmbanking`.
    pub calls: &'static [&'static str],
    /// The types of the facts that its commits make true; the relay publishes them.
    pub emits: &'static [&'static str],
    /// The media type of what it answers with when it succeeds. Anything but JSON is a text, which the answer's body
    /// holds as one JSON string.
    pub produces: &'static str,
    /// The statuses that it answers with when it succeeds, the usual one first.
    pub answers: &'static [u16],
    /// The codes that it refuses with, beside those that every operation of its kind may answer with.
    pub refuses: &'static [&'static Code],
    /// Whether it moves or makes something under an Idempotency-Key.
    pub idempotent: bool,
    /// Whether that key may be left out.
    pub key_optional: bool,
    /// Memory of its function, in MB.
    pub memory_mb: u32,
    /// Time limit of its function, in seconds.
    pub timeout_seconds: u32,
    /// What runs.
    pub handle: for<'a> fn(&'a Context, Call<Value>) -> Handled<'a>,
    /// The schemas of its input and answer.
    pub describe: Describe,
}

impl Operation {
    /// An operation with everything at its usual value but the handler: see [`crate::handled_by`].
    pub const fn handled(
        handle: for<'a> fn(&'a Context, Call<Value>) -> Handled<'a>,
        describe: Describe,
    ) -> Operation {
        Operation {
            name: "",
            summary: "",
            triggers: &[],
            access: Access::Internal,
            grants: &[],
            calls: &[],
            emits: &[],
            produces: JSON,
            answers: &[200],
            refuses: &[],
            idempotent: false,
            key_optional: false,
            memory_mb: 128,
            timeout_seconds: 10,
            handle,
            describe,
        }
    }

    /// Its routes: method and path.
    pub fn routes(&self) -> impl Iterator<Item = (Method, &'static str)> {
        self.triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Route(method, path) => Some((*method, *path)),
            _ => None,
        })
    }
}

/// Fills in an operation's handler, and everything that it does not say, with `..handled_by!(function)`.
///
/// The function is `async fn(&Context, Call<Input>) -> Result<Reply<Answer>, Problem>`; its types give the schemas.
#[macro_export]
macro_rules! handled_by {
    ($function:path) => {{
        fn handle<'a>(
            context: &'a $crate::Context,
            call: $crate::Call<$crate::operation::Json>,
        ) -> $crate::Handled<'a> {
            Box::pin(async move { $crate::operation::in_json($function(context, call.typed()?).await?) })
        }
        $crate::Operation::handled(handle, $crate::Describe::of(&$function))
    }};
}

/// What operations answer with, but for few.
pub const JSON: &str = "application/json";

/// The JSON that goes in and out of every handler.
pub type Json = Value;

/// A reply with its body in JSON.
pub fn in_json<T: Serialize>(reply: Reply<T>) -> Result<Reply<Value>, Problem> {
    let Reply { status, location, next, etag, replayed, body } = reply;
    let body = serde_json::to_value(body).map_err(Problem::internal)?;
    Ok(Reply { status, location, next, etag, replayed, body })
}

/// The schemas of an operation, kept only where documentation is made: a function does not carry them.
#[derive(Clone, Copy)]
pub struct Describe {
    #[cfg(feature = "describe")]
    schemas: fn(&mut SchemaGenerator) -> (Schema, Schema),
}

impl Describe {
    /// The schemas of a handler's input and answer.
    pub const fn of<F, I, T, R>(_: &F) -> Describe
    where
        F: Fn(&'static Context, Call<I>) -> R,
        R: Future<Output = Result<Reply<T>, Problem>>,
        I: JsonSchema,
        T: JsonSchema,
    {
        Describe {
            #[cfg(feature = "describe")]
            schemas: |generator| (generator.subschema_for::<I>(), generator.subschema_for::<T>()),
        }
    }

    /// Input and answer.
    #[cfg(feature = "describe")]
    pub fn schemas(&self, generator: &mut SchemaGenerator) -> (Schema, Schema) {
        (self.schemas)(generator)
    }
}

/// A service: its table of operations. Read this first in its lib.rs.
pub struct Service {
    /// Its name: crate, binary and table.
    pub name: &'static str,
    /// What it is for, in one line.
    pub summary: &'static str,
    /// Which HTTP API its routes belong to.
    pub api: Api,
    /// The indexes of its table.
    pub indexes: &'static [&'static Index],
    /// What its table holds.
    pub records: &'static [Kind],
    /// Its operations.
    pub operations: &'static [Operation],
}

impl Service {
    /// The operation of this name.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    /// An operation's full name, such as `money.increaseMoneyRequest`.
    pub fn full_name(&self, operation: &Operation) -> String {
        format!("{}.{}", self.name, operation.name)
    }
}
