//! The fields of one JSON secret in AWS Secrets Manager, as texts. Knows no setting by name, and keeps nothing: who asks
//! again, asks AWS again.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use aws_smithy_http_client::{Builder, tls};
use secrecy::SecretString;
use serde_json::Value;

/// An unreachable address answers with nothing at all.
const CONNECT: Duration = Duration::from_secs(5);
/// For the answer, further tries included.
const ANSWER: Duration = Duration::from_secs(20);

/// A secret by its name or ARN.
#[derive(Debug, Clone)]
pub struct AwsSecret {
    client: Client,
    id: String,
}

/// Why there are no fields. Holds nothing of the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// AWS does not give it.
    #[error("the secret {id} cannot be read from AWS Secrets Manager: {reason}")]
    Unavailable {
        /// Which.
        id: String,
        /// What AWS says, or what keeps it from being asked.
        reason: String,
    },
    /// It is something else.
    #[error("the secret {0} must be a JSON object, such as {{\"DATABASE_URL\": \"postgres://…\"}}")]
    NotAnObject(String),
}

impl AwsSecret {
    /// Region, credentials and endpoint are those of this machine, found as AWS' own tools find them (`AWS_REGION`,
    /// `AWS_PROFILE`, the role of a container or an instance, `AWS_ENDPOINT_URL`, …). Asks for no secret yet.
    pub async fn new(id: impl Into<String>) -> Self {
        let http = Builder::new().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring));
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).operation_timeout(ANSWER).build();
        let config = ConfigLoader::default()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http.build_https())
            .timeout_config(timeouts)
            .load()
            .await;
        Self::through(Client::new(&config), id)
    }

    /// The same through a client that is made already.
    #[must_use]
    pub fn through(client: Client, id: impl Into<String>) -> Self {
        Self { client, id: id.into() }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its fields that are texts, numbers or flags, as texts, in the version that holds now. Others are left out: a secret
    /// may be there for others, too.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub async fn fields(&self) -> Result<BTreeMap<String, SecretString>, SecretError> {
        let answer = self.client.get_secret_value().secret_id(&self.id).send().await;
        let answer = answer.map_err(|error| SecretError::Unavailable {
            id: self.id.clone(),
            reason: DisplayErrorContext(error).to_string(),
        })?;
        let not_one = || SecretError::NotAnObject(self.id.clone());
        let text = SecretString::from(answer.secret_string.ok_or_else(not_one)?);
        fields(&text).ok_or_else(not_one)
    }
}

fn fields(text: &SecretString) -> Option<BTreeMap<String, SecretString>> {
    use secrecy::ExposeSecret;
    let Ok(Value::Object(object)) = serde_json::from_str(text.expose_secret()) else { return None };
    let field = |(name, value)| {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((name, SecretString::from(text)))
    };
    Some(object.into_iter().filter_map(field).collect())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_fields_of_a_secret_are_its_plain_values_as_texts() {
        let secret =
            r#"{"DATABASE_URL": "postgres://x", "PORT": 4000, "FLAG": true, "none": null, "more": {"a": 1}}"#;
        let fields = fields(&secret.into()).unwrap();
        let fields: Vec<_> =
            fields.iter().map(|(name, text)| (name.as_str(), text.expose_secret())).collect();
        assert_eq!(fields, [("DATABASE_URL", "postgres://x"), ("FLAG", "true"), ("PORT", "4000")]);
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        for secret in ["", "postgres://x", "[]", "null", "\"{}\""] {
            assert!(fields(&secret.into()).is_none(), "{secret}");
        }
    }
}
