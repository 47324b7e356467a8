//! A network and a DynamoDB that misbehave, under the SDK's real client and in front of a real engine.
//!
//! Which call is struck, and how, comes from a seed: connections break before a request or after it was done, answers
//! are lost, cut or never come, requests arrive after they were given up, and DynamoDB throttles, conflicts or fails.
//! The SDK sees what it would see on AWS, and its own repetition is part of what is tested.

use aws_sdk_dynamodb::config::{Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use http_body_util::BodyExt as _;
use rand::{Rng as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{sync::oneshot, task::JoinHandle};

/// As long as the deployed limits are to one another, and short, because some answers never come.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(400);
const OPERATION_TIMEOUT: Duration = Duration::from_millis(1_000);
const FIRST_BACKOFF: Duration = Duration::from_millis(1);

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The connection breaks before the request is sent.
    Reset,
    /// It is done, and the connection breaks before the answer.
    AnswerLost,
    /// It is done, and half of the answer comes.
    AnswerCut,
    /// It is done, and DynamoDB says that it failed.
    DoneAndFailed,
    /// It is done, and no answer ever comes.
    Silence,
    /// It is given up, and arrives after a few later ones.
    Late,
    /// DynamoDB fails, and has done nothing.
    Failed,
    /// DynamoDB is asked too much.
    Throttled,
    /// Another transaction holds an item.
    Conflict,
    /// An earlier attempt of the same transaction is still running, and ends later.
    InProgress,
    /// A transaction is cancelled because an item's partition is asked too much.
    CancelledByThrottle,
}

/// Silence costs real time, so it is rare.
const READS: &[(u64, Fault)] = &[
    (6, Fault::Reset),
    (4, Fault::AnswerLost),
    (2, Fault::AnswerCut),
    (4, Fault::Failed),
    (6, Fault::Throttled),
];
const WRITES: &[(u64, Fault)] = &[
    (3, Fault::Reset),
    (8, Fault::AnswerLost),
    (3, Fault::AnswerCut),
    (3, Fault::DoneAndFailed),
    (1, Fault::Silence),
    (6, Fault::Late),
    (2, Fault::Failed),
    (3, Fault::Throttled),
    (4, Fault::Conflict),
];
const TRANSACTIONS: &[(u64, Fault)] = &[(2, Fault::InProgress), (2, Fault::CancelledByThrottle)];

/// The names of all kinds of faults.
pub fn kinds() -> BTreeSet<String> {
    let all = [READS, WRITES, TRANSACTIONS].concat();
    all.iter().map(|(_, fault)| format!("{fault:?}")).collect()
}

/// How often each of several things happened.
pub type Counts = BTreeMap<String, u64>;

/// The misbehaving network in front of one engine. Clones are the same one.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    http: SharedHttpClient,
    state: Mutex<State>,
}

struct State {
    /// What strikes.
    dice: Xoshiro256PlusPlus,
    /// What a test does. Of its own, so that it stays the same when a busy machine makes the SDK repeat more.
    plan: Xoshiro256PlusPlus,
    /// Of a thousand requests, so many are struck.
    share: u64,
    /// Requests that arrive after so many others.
    late: Vec<(u64, HttpRequest, SharedHttpConnector)>,
    /// Requests that go on although nobody may be waiting for them.
    running: Vec<JoinHandle<()>>,
    struck: BTreeMap<Fault, u64>,
}

impl fmt::Debug for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Network")
    }
}

impl Network {
    /// The network of this seed, and the configuration of a client behind it. The region is the seed's own, because
    /// the SDK counts what it may still repeat by region. Of a thousand requests one of these shares is struck.
    pub fn new(seed: u64, config: &SdkConfig, shares: [u64; 4]) -> (Network, SdkConfig) {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
        let share = shares[usize::try_from(dice.next_u64() % 4).unwrap()];
        let plan = Xoshiro256PlusPlus::seed_from_u64(!seed);
        let state =
            State { dice, plan, share, late: Vec::new(), running: Vec::new(), struck: BTreeMap::new() };
        let http = config.http_client().unwrap();
        let network = Network(Arc::new(Inner { http, state: Mutex::new(state) }));
        let retries = config.retry_config().unwrap().clone().with_initial_backoff(FIRST_BACKOFF);
        assert!(
            retries.max_attempts() > RetryConfig::disabled().max_attempts(),
            "the deployed client repeats"
        );
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT);
        let behind = config
            .to_builder()
            .region(Region::new(format!("seed-{seed}")))
            .retry_config(retries)
            .timeout_config(timeouts.build())
            .http_client(network.clone());
        (network, behind.build())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// A number below a bound, from the seed: for what the test does.
    pub fn below(&self, bound: u64) -> u64 {
        self.state().plan.next_u64() % bound
    }

    fn chance(&self, bound: u64) -> u64 {
        self.state().dice.next_u64() % bound
    }

    /// Nothing is struck any more.
    pub fn calm(&self) {
        self.state().share = 0;
    }

    /// Lets everything that is still under way arrive.
    pub async fn settle(&self) {
        loop {
            let late: Vec<_> = self.state().late.drain(..).collect();
            let running: Vec<_> = self.state().running.drain(..).collect();
            if late.is_empty() && running.is_empty() {
                return;
            }
            for (_, request, connector) in late {
                drop(connector.call(request).await);
            }
            for task in running {
                task.await.unwrap();
            }
        }
    }

    /// How often each fault struck.
    pub fn struck(&self) -> Counts {
        let state = self.state();
        state.struck.iter().map(|(fault, times)| (format!("{fault:?}"), *times)).collect()
    }

    fn strike(&self, call: &str) -> Option<Fault> {
        let faults = match call {
            "PutItem" | "DeleteItem" => WRITES.to_vec(),
            "TransactWriteItems" => [WRITES, TRANSACTIONS].concat(),
            _ => READS.to_vec(),
        };
        let share = self.state().share;
        if self.chance(1_000) >= share {
            return None;
        }
        let mut drawn = self.chance(faults.iter().map(|(weight, _)| weight).sum());
        let struck = faults.into_iter().find(|(weight, _)| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        let (_, fault) = struck?;
        *self.state().struck.entry(fault).or_default() += 1;
        Some(fault)
    }

    /// The requests whose time has come.
    fn due(&self) -> Vec<(HttpRequest, SharedHttpConnector)> {
        let mut state = self.state();
        let (due, later): (Vec<_>, Vec<_>) = state.late.drain(..).partition(|(left, _, _)| *left == 0);
        state.late = later.into_iter().map(|(left, request, to)| (left - 1, request, to)).collect();
        due.into_iter().map(|(_, request, to)| (request, to)).collect()
    }
}

impl HttpClient for Network {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.0.http.http_connector(settings, components);
        SharedHttpConnector::new(Connector { inner, network: self.clone() })
    }
}

#[derive(Clone, Debug)]
struct Connector {
    inner: SharedHttpConnector,
    network: Network,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move {
            for (late, to) in connector.network.due() {
                drop(to.call(late).await);
            }
            connector.answer(request).await
        })
    }
}

impl Connector {
    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let call = request.headers().get("x-amz-target").and_then(|target| target.split('.').next_back());
        let call = call.unwrap_or_default().to_owned();
        match self.network.strike(&call) {
            None => self.send(request).await,
            Some(Fault::Reset) => Err(ConnectorError::io("the connection broke".into())),
            Some(Fault::AnswerLost) => {
                self.send(request).await?;
                Err(ConnectorError::io("the connection broke".into()))
            }
            Some(Fault::AnswerCut) => cut(self.send(request).await?).await,
            Some(Fault::DoneAndFailed) => {
                self.send(request).await?;
                Ok(failure(500, "InternalServerError", &Value::Null))
            }
            Some(Fault::Silence) => {
                self.send(request).await?;
                std::future::pending().await
            }
            Some(Fault::Late) => {
                self.delay(request);
                Err(ConnectorError::timeout("no answer in time".into()))
            }
            Some(Fault::Failed) => Ok(failure(500, "InternalServerError", &Value::Null)),
            Some(Fault::Throttled) => {
                let codes =
                    ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"];
                let drawn = usize::try_from(self.network.chance(3)).unwrap();
                Ok(failure(400, codes[drawn], &Value::Null))
            }
            Some(Fault::Conflict) if call == "TransactWriteItems" => {
                Ok(self.cancelled(&request, "TransactionConflict"))
            }
            Some(Fault::Conflict) => Ok(failure(400, "TransactionConflictException", &Value::Null)),
            Some(Fault::InProgress) => {
                self.delay(request);
                Ok(failure(400, "TransactionInProgressException", &Value::Null))
            }
            Some(Fault::CancelledByThrottle) => Ok(self.cancelled(&request, "ThrottlingError")),
        }
    }

    /// Sends a request that goes on even if nobody waits for its answer any longer, as on a real network.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let (tell, told) = oneshot::channel();
        let call = self.inner.call(request);
        let task = tokio::spawn(async move { drop(tell.send(call.await)) });
        self.network.state().running.push(task);
        told.await.map_err(|lost| ConnectorError::other(lost.into(), None))?
    }

    fn delay(&self, request: HttpRequest) {
        let after = self.network.chance(6);
        self.network.state().late.push((after, request, self.inner.clone()));
    }

    /// One write of the transaction was the reason.
    fn cancelled(&self, request: &HttpRequest, code: &str) -> HttpResponse {
        let asked: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let writes = asked["TransactItems"].as_array().unwrap().len();
        let struck = usize::try_from(self.network.chance(u64::try_from(writes).unwrap())).unwrap();
        let reasons: Vec<Value> =
            (0..writes).map(|write| json!({ "Code": if write == struck { code } else { "None" } })).collect();
        failure(400, "TransactionCanceledException", &json!(reasons))
    }
}

async fn cut(mut response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let bytes = body.collect().await.map_err(ConnectorError::io)?.to_bytes();
    // The shortest answer, `{}`, loses its second brace: an empty text would be an answer.
    *response.body_mut() = SdkBody::from(bytes.slice(..bytes.len().div_ceil(2)));
    Ok(response)
}

fn failure(status: u16, code: &str, reasons: &Value) -> HttpResponse {
    let mut body =
        json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "a fault" });
    if !reasons.is_null() {
        body["CancellationReasons"] = reasons.clone();
    }
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}
