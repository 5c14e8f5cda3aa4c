//! Which PostgreSQL a command works on: the folder that is named, else the server that `DATABASE_URL` names, else the
//! default folder.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};
use slipstream_postgres::{PrivatePostgres, usual_folders};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::cli::DatabaseOptions;
use crate::config::Config;

/// How long a command waits for a connection before it says that there is none.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Where the database is.
pub(crate) enum Place {
    /// A private one, in this folder.
    Folder(PathBuf),
    /// A server of the operator's.
    Server(SecretString),
}

/// An open database.
pub(crate) struct Database {
    pub(crate) pool: PgPool,
    /// The private server, when it is one.
    pub(crate) private: Option<PrivatePostgres>,
}

impl Place {
    /// # Errors
    /// Nothing says where.
    pub(crate) fn of(config: &Config, options: &DatabaseOptions) -> anyhow::Result<Self> {
        if let Some(folder) = &options.data_dir {
            return Ok(Self::Folder(std::path::absolute(folder)?));
        }
        if let Some(url) = &config.database_url {
            return Ok(Self::Server(url.clone()));
        }
        match &config.data_dir {
            Some(folder) => Ok(Self::Folder(folder.clone())),
            None => bail!("no data folder: HOME is not set; name one with --data-dir, or set DATABASE_URL"),
        }
    }
}

impl Database {
    /// Opens it as its owner: the one long-running process of a data folder.
    ///
    /// # Errors
    /// Everything that keeps a server from starting or answering; a folder that another process owns.
    pub(crate) async fn own(config: &Config, place: &Place, connections: u32) -> anyhow::Result<Self> {
        match place {
            Place::Folder(folder) => {
                let private = PrivatePostgres::start_or_adopt(folder, &search(config)).await?;
                Self::connect(private.url(), connections)
                    .await
                    .map(|pool| Self { pool, private: Some(private) })
            }
            Place::Server(url) => Self::server(url, connections).await,
        }
    }

    /// Opens it for a short command, beside its owner or while there is none.
    ///
    /// # Errors
    /// Everything that keeps a server from starting or answering.
    pub(crate) async fn visit(config: &Config, place: &Place, connections: u32) -> anyhow::Result<Self> {
        match place {
            Place::Folder(folder) => {
                let private = PrivatePostgres::join(folder, &search(config)).await?;
                Self::connect(private.url(), connections)
                    .await
                    .map(|pool| Self { pool, private: Some(private) })
            }
            Place::Server(url) => Self::server(url, connections).await,
        }
    }

    async fn server(url: &SecretString, connections: u32) -> anyhow::Result<Self> {
        let pool = Self::connect(url.expose_secret(), connections).await;
        Ok(Self { pool: pool.context("DATABASE_URL")?, private: None })
    }

    async fn connect(url: &str, connections: u32) -> anyhow::Result<PgPool> {
        let options = PgPoolOptions::new().max_connections(connections).acquire_timeout(CONNECT_LIMIT);
        options.connect(url).await.context("PostgreSQL does not answer")
    }

    /// Waits for the private server to end by itself, and says so; for ever when the server is not ours. Cancel-safe.
    pub(crate) async fn died(&mut self) -> anyhow::Error {
        match &mut self.private {
            Some(private) => {
                let death = private.wait().await;
                anyhow::anyhow!("PostgreSQL has ended by itself; its log is {}", death.log.display())
            }
            None => std::future::pending().await,
        }
    }

    /// Closes the connections, and the server when it is ours.
    ///
    /// # Errors
    /// The server does not stop.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.pool.close().await;
        match self.private {
            Some(private) => private.stop().await.context("the private PostgreSQL did not stop cleanly"),
            None => Ok(()),
        }
    }
}

fn search(config: &Config) -> Vec<PathBuf> {
    usual_folders(config.path.as_deref())
}
