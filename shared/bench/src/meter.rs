//! An HTTP client around the SDK's own, that asks DynamoDB what each call consumed and notes the answer.
//!
//! So the adapter under the meter is the one that is deployed, and the product knows nothing of being measured. The
//! changed body no longer fits its signature, which local engines do not check.

use crate::tally::{Callee, Tally, Units};
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
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::{fmt, sync::Arc};

/// The metering client.
#[derive(Clone)]
pub struct Meter {
    inner: SharedHttpClient,
    tally: Arc<Tally>,
}

struct Connector {
    inner: SharedHttpConnector,
    tally: Arc<Tally>,
}

impl Meter {
    /// A meter around a client.
    pub fn around(inner: SharedHttpClient, tally: Arc<Tally>) -> SharedHttpClient {
        SharedHttpClient::new(Meter { inner, tally })
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Meter")
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connector")
    }
}

impl HttpClient for Meter {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { inner, tally: self.tally.clone() })
    }
}

impl HttpConnector for Connector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let call = request.headers().get("x-amz-target").and_then(|target| target.split('.').next_back());
        let call = call.unwrap_or_default().to_owned();
        ask_for_capacity(&mut request);
        let (answer, tally) = (self.inner.call(request), self.tally.clone());
        HttpConnectorFuture::new(async move {
            let mut response: HttpResponse = answer.await?;
            let body = std::mem::replace(response.body_mut(), SdkBody::taken());
            let bytes = body.collect().await.map_err(ConnectorError::io)?.to_bytes();
            let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            tally.push(Callee::Table, "", &call, consumed(&call, &answer));
            *response.body_mut() = SdkBody::from(bytes);
            Ok(response)
        })
    }
}

fn ask_for_capacity(request: &mut HttpRequest) {
    let asked = request.body().bytes().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    if let Some(Value::Object(mut asked)) = asked {
        asked.insert("ReturnConsumedCapacity".to_owned(), json!("INDEXES"));
        let body = Value::Object(asked).to_string();
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body);
    }
}

/// What an answer says was consumed: one statement for a call, or one a table for a transaction.
fn consumed(call: &str, answer: &Value) -> Units {
    let statements = match answer.get("ConsumedCapacity") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement) => vec![statement.clone()],
        None => Vec::new(),
    };
    let writes = ["PutItem", "DeleteItem", "UpdateItem", "TransactWriteItems"].contains(&call);
    let mut units = Units::default();
    for statement in &statements {
        let all = capacity(statement);
        let indexes = statement.get("GlobalSecondaryIndexes").and_then(Value::as_object);
        let of_indexes: f64 = indexes.into_iter().flat_map(serde_json::Map::values).map(capacity).sum();
        if writes {
            units.index_writes += of_indexes;
            units.table_writes += all - of_indexes;
        } else {
            units.reads += all;
        }
    }
    units
}

fn capacity(statement: &Value) -> f64 {
    statement.get("CapacityUnits").and_then(Value::as_f64).unwrap_or_default()
}
