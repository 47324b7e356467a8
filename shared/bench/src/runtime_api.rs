//! Lambda's runtime interface, played: it hands a function one event after the other and keeps its answers.
//!
//! Each time the function asks for the next event, the one who measures is told, and says when it may go on. So a
//! phase begins and ends while the function waits.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::sync::Arc;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

/// What the function did.
enum Said {
    /// It waits for an event, which goes to it through here.
    Next(oneshot::Sender<Bytes>),
    /// It has answered.
    Answer(Value),
    /// It has failed.
    Failure(Value),
}

/// The interface, and the measuring side of it.
pub struct RuntimeApi {
    /// What `AWS_LAMBDA_RUNTIME_API` must say.
    pub address: String,
    said: mpsc::UnboundedReceiver<Said>,
}

/// A function that waits for its next event.
pub struct Waiting(oneshot::Sender<Bytes>);

impl Waiting {
    /// Hands it the event.
    pub fn go(self, event: &Value) -> Result<()> {
        let sent = self.0.send(Bytes::from(event.to_string()));
        sent.ok().context("the function has gone away")
    }
}

impl RuntimeApi {
    /// An interface on a free port.
    pub async fn start() -> Result<RuntimeApi> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (say, said) = mpsc::unbounded_channel();
        let say = Arc::new(say);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let say = say.clone();
                let service = service_fn(move |request| answer(say.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(RuntimeApi { address, said })
    }

    /// Waits until the function asks for an event, and holds what it answered to the one before to be an HTTP 200.
    pub async fn next(&mut self) -> Result<Waiting> {
        loop {
            match self.said.recv().await.context("the runtime interface has ended")? {
                Said::Next(go) => return Ok(Waiting(go)),
                Said::Answer(answer) => {
                    ensure!(answer["statusCode"] == 200, "the function answered {answer}");
                }
                Said::Failure(failure) => anyhow::bail!("the function failed: {failure}"),
            }
        }
    }
}

async fn answer(
    say: Arc<mpsc::UnboundedSender<Said>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>> {
    let path = request.uri().path().to_owned();
    if path.ends_with("/invocation/next") {
        let (go, gone) = oneshot::channel();
        say.send(Said::Next(go)).ok().context("nobody measures")?;
        let event = gone.await?;
        return Ok(Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", "4102444800000")
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:pay-money-getBalanceRequest",
            )
            .header(
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
            )
            .body(Full::new(event))?);
    }
    let body = request.into_body().collect().await?.to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let said = if path.ends_with("/response") { Said::Answer(body) } else { Said::Failure(body) };
    say.send(said).ok().context("nobody measures")?;
    Ok(Response::builder().status(202).body(Full::default())?)
}
