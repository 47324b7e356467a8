//! What an operation may reach of the world.
//!
//! Ports are narrow so that a simulation can stand behind all of them: nothing in a service reads a clock, draws a
//! random number or opens a connection by itself. shared/aws adapts them; [`crate::testing`] fakes them.

use crate::{Call, Caller, Problem, Reference, Trace, peers::Peer, problem};
use async_trait::async_trait;
use events::Envelope;
use kernel::{Id, IdKind, Timestamp, id::MembershipId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::sync::Arc;
use store::{Table, seal::ServiceKey};

/// Tells the time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, by this function's clock: other functions' clocks differ.
    fn now(&self) -> Timestamp;

    /// Lets so many milliseconds pass. Only the bank simulator, which can be told to be slow, has a use for it; a
    /// clock that cannot wait passes over it.
    async fn pause(&self, _millis: u32) {}
}

/// Gives unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, bytes: &mut [u8]);
}

/// A direct call as it travels between functions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DirectCall {
    /// The callee's full name, such as `banking.requestFirmbanking`.
    pub operation: String,
    /// The caller's full name.
    pub caller: String,
    /// The member for whom it is done.
    #[serde(default)]
    pub on_behalf_of: Option<MembershipId>,
    /// The saga step that asks.
    #[serde(default)]
    pub reference: Option<Reference>,
    /// The trace that it belongs to.
    pub traceparent: String,
    /// The input.
    pub body: Value,
}

/// The answer to a direct call as it travels back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DirectAnswer {
    /// It was done; the answer's body.
    Done(Value),
    /// It was refused.
    Refused(Problem),
}

/// A call got no answer: it may or may not have been done. Ask again under the same reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer: {0}")]
pub struct Unanswered(pub String);

/// Why a direct call brought no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The callee refused, for certain.
    #[error("refused: {0}")]
    Refused(Problem),
    /// Nobody knows: the callee did not answer, or has a passing fault.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}

/// Calls other services' operations.
#[async_trait]
pub trait Calls: Send + Sync {
    /// Invokes the operation and waits at most so long. Retries nothing: the saga decides.
    async fn invoke(&self, call: &DirectCall, timeout_ms: u32) -> Result<DirectAnswer, Unanswered>;
}

/// Publishes on the bus.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes, and answers the places of those that the bus did not take.
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<usize>, Unanswered>;
}

/// The longest that a queue can delay a message, in seconds: as long as SQS does.
pub const MOST_DELAY_SECONDS: u32 = 900;

/// Puts messages into operations' queues.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends the operation of this full name an input, which it gets after the delay (at most [`MOST_DELAY_SECONDS`]).
    async fn send(
        &self,
        operation: &str,
        body: &Value,
        delay_seconds: u32,
        trace: &Trace,
    ) -> Result<(), Unanswered>;
}

/// How an execution of a state machine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// It works, now or a moment ago.
    Running,
    /// It has ended, one way or the other. Its name cannot be used again.
    Ended,
}

/// A step as a state machine asks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepCall {
    /// The operation's full name, such as `settlement.collectPayments`.
    pub step: String,
    /// The trace that it belongs to.
    pub traceparent: String,
    /// The operation's input.
    pub input: Value,
}

/// Starts executions of state machines.
#[async_trait]
pub trait Workflows: Send + Sync {
    /// Starts an execution under a name of its own, if there is none of that name yet, and says how it stands.
    async fn start(&self, workflow: &str, execution: &str, input: &Value) -> Result<Execution, Unanswered>;
}

/// A secret's text. It has no Debug, so that it cannot be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(pub String);

/// Which version of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The one in use. May be up to five minutes old.
    Current,
    /// The one in use, read now.
    CurrentFresh,
    /// The one that a rotation is making.
    Pending,
}

/// Keeps secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The secret's text, or none if that version does not exist.
    async fn read(&self, name: &str, stage: Stage) -> Result<Option<SecretText>, Unanswered>;

    /// Writes a version under this token (its version id); repeating it is harmless. `Pending` or `Current` only.
    async fn write(&self, name: &str, text: &SecretText, token: &str, stage: Stage)
    -> Result<(), Unanswered>;

    /// Makes the version with this token the current one; repeating it is harmless.
    async fn promote(&self, name: &str, token: &str) -> Result<(), Unanswered>;
}

/// A request to another company's system.
#[derive(Clone)]
pub struct Outgoing {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// The whole URL.
    pub url: String,
    /// Headers; they may hold credentials, so this type has no Debug.
    pub headers: Vec<(&'static str, String)>,
    /// The body in JSON; none for a read.
    pub body: Option<Value>,
    /// How long to wait for the answer.
    pub timeout_ms: u32,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// The HTTP status.
    pub status: u16,
    /// The body in JSON, or null.
    pub body: Value,
}

/// Sends requests to other companies' systems.
#[async_trait]
pub trait Egress: Send + Sync {
    /// Sends one request, once.
    async fn send(&self, request: Outgoing) -> Result<Incoming, Unanswered>;
}

/// What Terraform tells a function.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The base URL of Pay's API: the issuer of tokens.
    pub issuer: String,
    /// The audience of tokens.
    pub audience: String,
    /// The base URL of the external bank, for banking.
    pub bank_endpoint: String,
    /// The types of facts that somebody listens to, for the relay.
    pub published: Vec<String>,
    /// The service's own settings, as a JSON object; empty for the defaults.
    pub config: Value,
}

impl Settings {
    /// The service's own settings in its own type. Unset fields take the type's defaults.
    pub fn config<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.config.is_null() {
            return Ok(T::default());
        }
        serde_json::from_value(self.config.clone()).map_err(Problem::internal)
    }
}

/// Everything that an operation may reach.
#[derive(Clone)]
pub struct Context {
    /// The service's own table.
    pub table: Arc<dyn Table>,
    /// Other services' operations.
    pub calls: Arc<dyn Calls>,
    /// The bus. Only the relay and republish publish.
    pub bus: Arc<dyn Bus>,
    /// Operations' queues.
    pub queues: Arc<dyn Queues>,
    /// State machines.
    pub workflows: Arc<dyn Workflows>,
    /// Secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Other companies' systems.
    pub egress: Arc<dyn Egress>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// What Terraform says.
    pub settings: Settings,
}

impl Context {
    /// So many random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A random id.
    pub fn random_id<K: IdKind>(&self) -> Id<K> {
        Id::from_random(u128::from_be_bytes(self.random()))
    }

    /// The keys that derive from a service's secret.
    pub async fn service_key(&self, secret: &str) -> Result<ServiceKey, Problem> {
        let text = self.secrets.read(secret, Stage::Current).await.map_err(Problem::unavailable)?;
        let SecretText(text) =
            text.ok_or_else(|| Problem::internal(format!("the secret {secret} is empty")))?;
        Ok(ServiceKey::from_secret(&text))
    }

    /// Calls another service's operation, in the name of the call at hand.
    pub async fn call<I, J, T>(
        &self,
        peer: &Peer<J, T>,
        around: &Call<I>,
        on_behalf_of: Option<MembershipId>,
        reference: Option<Reference>,
        input: &J,
    ) -> Result<T, CallError>
    where
        J: Serialize,
        T: DeserializeOwned,
    {
        let body =
            serde_json::to_value(input).map_err(|error| CallError::Refused(Problem::internal(error)))?;
        let call = DirectCall {
            operation: peer.operation.to_owned(),
            caller: around.operation.clone(),
            on_behalf_of,
            reference,
            traceparent: around.trace.traceparent().to_owned(),
            body,
        };
        match self.calls.invoke(&call, peer.timeout_ms).await? {
            DirectAnswer::Done(answer) => {
                // An answer that cannot be read says nothing of what was done.
                serde_json::from_value(answer).map_err(|error| Unanswered(error.to_string()).into())
            }
            // Somebody else is at it, or it may pass: neither says how it ends.
            DirectAnswer::Refused(problem)
                if problem.status >= 500 || problem.code == problem::REQUEST_IN_PROGRESS.code =>
            {
                Err(Unanswered(problem.to_string()).into())
            }
            // Both sides share the type, so a field that the callee does not know comes from a later version than its
            // own: it has done nothing, and will do it when the deployment has reached it.
            DirectAnswer::Refused(problem) if problem.has_unknown_field() => {
                Err(Unanswered(problem.to_string()).into())
            }
            DirectAnswer::Refused(problem) => Err(CallError::Refused(problem)),
        }
    }
}

impl DirectCall {
    /// The caller, as the callee sees it.
    pub fn caller(&self) -> Caller {
        Caller::Service(self.caller.clone())
    }
}
