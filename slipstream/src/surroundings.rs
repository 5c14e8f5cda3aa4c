//! Where the settings of this process come from: the command line, the environment and its file, and the secret that one
//! of these names. Read at the start, and again when it is asked for.

use std::fmt;

use slipstream_secrets::{AwsSecret, SecretError};

use crate::cli::Cli;
use crate::config::{Config, ConfigError, Secret, Surroundings};

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsettled {
    /// One of them is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The secret that is named cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// Where the settings come from.
#[derive(Clone)]
pub(crate) struct Source(Surroundings);

/// Shows nothing: the environment holds secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(…)")
    }
}

impl Source {
    pub(crate) fn of(cli: &Cli) -> Self {
        Self(Surroundings {
            variables: std::env::vars_os().collect(),
            secret: Secret::default(),
            file: cli.config.clone(),
            data_dir: cli.command.data_dir().map(ToOwned::to_owned),
        })
    }

    /// The settings that hold now.
    ///
    /// # Errors
    /// See [`Unsettled`].
    pub(crate) async fn read(&self) -> Result<Config, Unsettled> {
        let mut from = self.0.clone();
        if let Some(id) = from.names_secret()? {
            let secret = AwsSecret::new(id).await;
            from.secret =
                Secret { place: format!("the secret {}", secret.id()), fields: secret.fields().await? };
        }
        let mut config = Config::read(from)?;
        config.source = Some(self.clone());
        Ok(config)
    }
}
