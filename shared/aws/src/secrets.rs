//! Secrets: Secrets Manager.
//!
//! The current version is kept in memory for five minutes, so that a warm call costs nothing and a rotation is seen
//! soon enough: keys are published long before they sign. Texts leave this module only as [`SecretText`], which
//! cannot be logged.

use async_trait::async_trait;
use aws_sdk_secretsmanager::{
    Client,
    operation::{get_secret_value::GetSecretValueError, put_secret_value::PutSecretValueError},
};
use aws_types::SdkConfig;
use contract::ports::{Clock, SecretText, Secrets, Stage, Unanswered};
use kernel::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

const KEPT_SECONDS: i64 = 300;
const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";

/// The secrets of a stack.
pub struct SecretsManager {
    config: SdkConfig,
    client: OnceLock<Client>,
    prefix: String,
    clock: Arc<dyn Clock>,
    kept: Mutex<BTreeMap<String, (Timestamp, SecretText)>>,
}

impl SecretsManager {
    /// The secrets whose names start so. Nothing is connected before the first call.
    pub fn new(config: SdkConfig, prefix: &str, clock: Arc<dyn Clock>) -> SecretsManager {
        SecretsManager {
            config,
            client: OnceLock::new(),
            prefix: prefix.to_owned(),
            clock,
            kept: Mutex::default(),
        }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| Client::new(&self.config))
    }

    fn id(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, (Timestamp, SecretText)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recall(&self, name: &str) -> Option<SecretText> {
        let now = self.clock.now();
        let kept = self.kept();
        let (since, text) = kept.get(name)?;
        (now < since.plus_seconds(KEPT_SECONDS)).then(|| text.clone())
    }

    async fn fetch(&self, name: &str, stage: &str) -> Result<Option<SecretText>, Unanswered> {
        let asked =
            self.client().get_secret_value().secret_id(self.id(name)).version_stage(stage).send().await;
        match asked {
            Ok(answer) => Ok(answer.secret_string.map(SecretText)),
            Err(error) => match error.as_service_error() {
                // A new secret has no version, and outside a rotation none is pending.
                Some(GetSecretValueError::ResourceNotFoundException(_)) => Ok(None),
                _ => Err(Unanswered(crate::config::reason(&error))),
            },
        }
    }

    /// The version that has the label of the current one.
    async fn current_version(&self, name: &str) -> Result<Option<String>, Unanswered> {
        let answer = self
            .client()
            .describe_secret()
            .secret_id(self.id(name))
            .send()
            .await
            .map_err(|error| Unanswered(crate::config::reason(&error)))?;
        let versions = answer.version_ids_to_stages.unwrap_or_default();
        let current = versions.into_iter().find(|(_, stages)| stages.iter().any(|stage| stage == CURRENT));
        Ok(current.map(|(version, _)| version))
    }
}

#[async_trait]
impl Secrets for SecretsManager {
    async fn read(&self, name: &str, stage: Stage) -> Result<Option<SecretText>, Unanswered> {
        if stage == Stage::Pending {
            return self.fetch(name, PENDING).await;
        }
        if stage == Stage::Current
            && let Some(text) = self.recall(name)
        {
            return Ok(Some(text));
        }
        let now = self.clock.now();
        let text = self.fetch(name, CURRENT).await?;
        if let Some(text) = &text {
            self.kept().insert(name.to_owned(), (now, text.clone()));
        }
        Ok(text)
    }

    async fn write(
        &self,
        name: &str,
        text: &SecretText,
        token: &str,
        stage: Stage,
    ) -> Result<(), Unanswered> {
        let label = if stage == Stage::Pending { PENDING } else { CURRENT };
        let written = self
            .client()
            .put_secret_value()
            .secret_id(self.id(name))
            .client_request_token(token)
            .secret_string(&text.0)
            .version_stages(label)
            .send()
            .await;
        self.kept().remove(name);
        match written {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // The version was written by an earlier call under this token, and a version never changes.
                Some(PutSecretValueError::ResourceExistsException(_)) => Ok(()),
                _ => Err(Unanswered(crate::config::reason(&error))),
            },
        }
    }

    async fn promote(&self, name: &str, token: &str) -> Result<(), Unanswered> {
        let current = self.current_version(name).await?;
        if current.as_deref() == Some(token) {
            return Ok(());
        }
        let promoted = self
            .client()
            .update_secret_version_stage()
            .secret_id(self.id(name))
            .version_stage(CURRENT)
            .move_to_version_id(token)
            .set_remove_from_version_id(current)
            .send()
            .await;
        self.kept().remove(name);
        promoted.map(drop).map_err(|error| Unanswered(crate::config::reason(&error)))
    }
}
