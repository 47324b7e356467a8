//! A DynamoDB engine on this machine: the `dynoxide` server, and the real adapter in front of it.

use aws::{config::Environment, table::DynamoDb};
use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType,
    },
};
use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use store::conformance::BY_OWNER;

const TABLE: &str = "pay-conformance";

/// A running server with one empty table. It ends with this value.
pub struct Engine {
    server: Child,
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
    pub async fn start() -> Engine {
        let (server, port) = start_server().await;
        let environment = Environment::read(|name| match name {
            "AWS_REGION" => Some("us-east-1".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("local".to_owned()),
            "AWS_ENDPOINT_URL" => Some(format!("http://127.0.0.1:{port}")),
            _ => None,
        });
        let config = environment.unwrap().sdk_config().unwrap();
        let engine = Engine { server, table: DynamoDb::new(config.clone(), TABLE) };
        create_table(&Client::new(&config)).await;
        engine
    }
}

fn binary() -> PathBuf {
    let installed = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.local/tools/bin/dynoxide"));
    let binary = option_env_now("DYNOXIDE").map_or(installed, PathBuf::from);
    assert!(
        binary.is_file(),
        "{} is missing: `make dynoxide` installs it, or set DYNOXIDE to the path of a dynoxide binary",
        binary.display()
    );
    binary
}

#[allow(clippy::disallowed_methods, reason = "a test may be told where its engine is")]
fn option_env_now(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

async fn start_server() -> (Child, u16) {
    let binary = binary();
    // A port that was free a moment ago may be taken: then the server ends at once and another one is tried.
    for _ in 0..5 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut server = Command::new(&binary)
            .args(["serve", "--log", "quiet", "--host", "127.0.0.1", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..500 {
            if server.try_wait().unwrap().is_some() {
                break;
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return (server, port);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let _ = server.kill();
        let _ = server.wait();
    }
    panic!("{} does not start", binary.display());
}

async fn create_table(client: &Client) {
    let attribute = |name: &str| {
        let definition = AttributeDefinition::builder().attribute_name(name);
        definition.attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let key = |name: &str, kind: KeyType| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name(BY_OWNER.name)
        .key_schema(key(BY_OWNER.partition, KeyType::Hash))
        .key_schema(key(BY_OWNER.sort, KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .unwrap();
    client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(
            ["pk", "sk", BY_OWNER.partition, BY_OWNER.sort].map(attribute).to_vec(),
        ))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .global_secondary_indexes(index)
        .send()
        .await
        .unwrap();
}
