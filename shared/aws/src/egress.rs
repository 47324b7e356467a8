//! Requests to other companies' systems, over HTTPS.
//!
//! Certificates are checked against Mozilla's roots, compiled in. Plain HTTP is refused unless the configured
//! endpoint itself says `http://`, as a local bank simulator's does. A request is sent once: after silence only the
//! saga that asked may ask again.

use async_trait::async_trait;
use contract::ports::{Egress, Incoming, Outgoing, Unanswered};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde_json::Value;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The largest answer taken, in bytes.
const MOST_ANSWER_BYTES: usize = 256 * 1024;

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<bytes::Bytes>>;

/// An HTTPS client.
pub struct Https {
    client: OnceLock<HttpClient>,
    plain_http: bool,
}

impl Https {
    /// A client for the system at this endpoint. Nothing is connected before the first request.
    pub fn new(endpoint: &str) -> Https {
        Https { client: OnceLock::new(), plain_http: endpoint.starts_with("http://") }
    }

    fn client(&self) -> Result<&HttpClient, Unanswered> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| Unanswered("TLS cannot be configured".to_owned()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls);
        let connector = if self.plain_http { connector.https_or_http() } else { connector.https_only() };
        let client = Client::builder(TokioExecutor::new()).build(connector.enable_http1().build());
        Ok(self.client.get_or_init(|| client))
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<Incoming, Unanswered> {
        let silent = |what: &str| Unanswered(what.to_owned());
        let mut request = http::Request::builder().method(outgoing.method).uri(outgoing.url);
        for (name, value) in outgoing.headers {
            request = request.header(name, value);
        }
        let body = match outgoing.body {
            Some(body) => {
                request = request.header(http::header::CONTENT_TYPE, "application/json");
                Full::from(body.to_string())
            }
            None => Full::default(),
        };
        let request = request.body(body).map_err(|_| silent("the request is not valid"))?;
        let answer = self.client()?.request(request).await.map_err(|error| {
            silent(if error.is_connect() { "the connection failed" } else { "the exchange failed" })
        })?;
        let status = answer.status().as_u16();
        let bytes = Limited::new(answer.into_body(), MOST_ANSWER_BYTES)
            .collect()
            .await
            .map_err(|_| silent("the answer did not end"))?
            .to_bytes();
        Ok(Incoming { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }
}

#[async_trait]
impl Egress for Https {
    async fn send(&self, request: Outgoing) -> Result<Incoming, Unanswered> {
        let timeout_ms = request.timeout_ms;
        let limit = Duration::from_millis(timeout_ms.into());
        let answer = tokio::time::timeout(limit, self.exchange(request)).await;
        answer.unwrap_or_else(|_| Err(Unanswered(format!("no answer within {timeout_ms} ms"))))
    }
}
