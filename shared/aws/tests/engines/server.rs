//! DynamoDB engines on this machine, each with the real adapter in front: `dynoxide`, and AWS's own DynamoDB Local.
//!
//! A server keeps everything in memory and ends with its value. DynamoDB Local knows no address to listen on, so
//! while a test runs it listens on all of them.

use aws::{config::Environment, table::DynamoDb};
use aws_sdk_dynamodb::{
    Client,
    config::timeout::TimeoutConfig,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType,
    },
};
use aws_types::SdkConfig;
use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use store::{Index, conformance::BY_OWNER};

/// The table that every engine has at its start.
pub const TABLE: &str = "pay-conformance";
/// How long a server may take to start while the machine is busy: 3 minutes.
const START_ATTEMPTS: u32 = 3_600;
const START_PAUSE: Duration = Duration::from_millis(50);
/// A busy machine is no fault of an engine, and what time limits do is shown under faults.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Dynoxide,
    DynamoDbLocal,
}

/// A running server with one empty table. It ends with this value.
pub struct Engine {
    server: Child,
    /// The configuration of a client of it: the deployed one, with more patience.
    pub config: SdkConfig,
    /// The adapter under test.
    pub table: DynamoDb,
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Engine {
    /// Starts a server on a free port and makes the table.
    pub async fn start(kind: Kind) -> Engine {
        let (server, port) = start_server(kind).await;
        let environment = Environment::read(|name| match name {
            "AWS_REGION" => Some("us-east-1".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("local".to_owned()),
            "AWS_ENDPOINT_URL" => Some(format!("http://127.0.0.1:{port}")),
            _ => None,
        });
        let timeouts =
            TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).operation_timeout(PATIENCE);
        let config = environment.unwrap().sdk_config().unwrap();
        let config = config.into_builder().timeout_config(timeouts.build()).build();
        let engine = Engine { server, table: DynamoDb::new(config.clone(), TABLE), config };
        engine.create_table(TABLE, &[&BY_OWNER]).await;
        engine
    }

    /// Makes a table with these indexes, as Terraform does.
    pub async fn create_table(&self, name: &str, indexes: &[&Index]) {
        let mut attributes = vec!["pk", "sk"];
        attributes.extend(indexes.iter().flat_map(|index| [index.partition, index.sort]));
        attributes.sort_unstable();
        attributes.dedup();
        let definition = |name: &&str| {
            let definition = AttributeDefinition::builder().attribute_name(*name);
            definition.attribute_type(ScalarAttributeType::S).build().unwrap()
        };
        let index = |index: &&Index| {
            let projection = Projection::builder().projection_type(ProjectionType::All).build();
            let described = GlobalSecondaryIndex::builder().index_name(index.name).projection(projection);
            described.set_key_schema(Some(keys(index.partition, index.sort))).build().unwrap()
        };
        let indexes: Vec<_> = indexes.iter().map(index).collect();
        Client::new(&self.config)
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(attributes.iter().map(definition).collect()))
            .set_key_schema(Some(keys("pk", "sk")))
            .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
            .send()
            .await
            .unwrap();
    }
}

fn keys(partition: &str, sort: &str) -> Vec<KeySchemaElement> {
    let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    vec![key(partition, KeyType::Hash), key(sort, KeyType::Range)]
}

impl Kind {
    fn command(self, port: u16) -> Command {
        match self {
            Kind::Dynoxide => {
                let mut command = Command::new(installed("DYNOXIDE", "bin/dynoxide", "make dynoxide"));
                command.args(["serve", "--log", "quiet", "--host", "127.0.0.1", "--port", &port.to_string()]);
                command
            }
            Kind::DynamoDbLocal => {
                let home = installed("DYNAMODB_LOCAL", "dynamodb-local", "make dynamodb-local");
                let mut command = Command::new("java");
                // It lives for a minute: a quick start matters more than quick code.
                command.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
                command.arg("-Djava.library.path=DynamoDBLocal_lib").args(["-jar", "DynamoDBLocal.jar"]);
                command.args(["-inMemory", "-disableTelemetry", "-port", &port.to_string()]);
                command.current_dir(home);
                command
            }
        }
    }
}

/// Where an engine is installed, or where an environment variable says that it is.
#[allow(clippy::disallowed_methods, reason = "a test may be told where its engine is")]
fn installed(variable: &str, place: &str, target: &str) -> PathBuf {
    let usual = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.local/tools")).join(place);
    let found = std::env::var(variable).map_or(usual, PathBuf::from);
    assert!(
        found.exists(),
        "{} is missing: `{target}` installs it, or set {variable} to where it is",
        found.display()
    );
    found
}

async fn start_server(kind: Kind) -> (Child, u16) {
    // A port that was free a moment ago may be taken: then the server ends at once and another one is tried.
    for _ in 0..5 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let started = kind.command(port).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut server = started.unwrap_or_else(|error| {
            panic!("{kind:?} does not start: {error}; DynamoDB Local needs java, 11 or later")
        });
        for _ in 0..START_ATTEMPTS {
            if server.try_wait().unwrap().is_some() {
                break;
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return (server, port);
            }
            tokio::time::sleep(START_PAUSE).await;
        }
        let _ = server.kill();
        let _ = server.wait();
    }
    panic!("{kind:?} does not start");
}
