//! A `dynoxide` server of our own: DynamoDB's protocol in memory, with the capacity that DynamoDB documents.

use anyhow::{Context as _, Result, bail};
use aws::config::Environment;
use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType,
    },
};
use aws_types::SdkConfig;
use std::{path::Path, process::Stdio, time::Duration};
use store::Index;
use tokio::process::{Child, Command};

/// Where `make` installs it, from the project's root.
const PROGRAM: &str = ".local/tools/bin/dynoxide";

/// The server. It ends with this value.
pub struct Dynoxide {
    _process: Child,
    /// Its port on this machine.
    pub port: u16,
    /// The configuration of a client of it: the deployed one.
    pub config: SdkConfig,
}

impl Dynoxide {
    /// Starts a server on a free port and waits until it answers.
    pub async fn start(root: &Path) -> Result<Dynoxide> {
        let program = root.join(PROGRAM);
        if !program.exists() {
            bail!("{} is missing: `make dynoxide` installs it", program.display());
        }
        let port = free_port()?;
        let mut process = Command::new(program)
            .args(["serve", "--port", &port.to_string(), "--log", "quiet"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let environment = Environment::read(|name| variable(name, &endpoint))?;
        let config = environment.sdk_config()?;
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if let Some(status) = process.try_wait()? {
                bail!("dynoxide ended before it answered: {status}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Dynoxide { _process: process, port, config })
    }

    /// Makes a table with these indexes, as infra/terraform/modules/service does.
    pub async fn create_table(&self, name: &str, indexes: &[&Index]) -> Result<()> {
        let client = Client::new(&self.config);
        let mut table = client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(Some(keys("pk", "sk")?));
        let mut attributes = vec!["pk", "sk"];
        for index in indexes {
            attributes.extend([index.partition, index.sort]);
            let projection = Projection::builder().projection_type(ProjectionType::All).build();
            let index = GlobalSecondaryIndex::builder()
                .index_name(index.name)
                .set_key_schema(Some(keys(index.partition, index.sort)?))
                .projection(projection);
            table = table.global_secondary_indexes(index.build()?);
        }
        attributes.sort_unstable();
        attributes.dedup();
        for attribute in attributes {
            let definition = AttributeDefinition::builder().attribute_name(attribute);
            table = table.attribute_definitions(definition.attribute_type(ScalarAttributeType::S).build()?);
        }
        table.send().await.with_context(|| format!("the table {name} cannot be made"))?;
        Ok(())
    }
}

fn keys(partition: &str, sort: &str) -> Result<Vec<KeySchemaElement>> {
    let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    Ok(vec![key(partition, KeyType::Hash)?, key(sort, KeyType::Range)?])
}

fn variable(name: &str, endpoint: &str) -> Option<String> {
    match name {
        "AWS_REGION" => Some("us-east-1".to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("bench".to_owned()),
        "AWS_ENDPOINT_URL" => Some(endpoint.to_owned()),
        _ => None,
    }
}

/// A port that nobody listens on.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
