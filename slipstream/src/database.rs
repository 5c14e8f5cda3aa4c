//! Which PostgreSQL a command works on: the folder that is named, else the server that `DATABASE_URL` names, else the
//! default folder.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use slipstream_postgres::{PrivatePostgres, usual_folders};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};

use crate::config::Config;
use crate::owner_lock::{OwnerLock, Ownership};
use crate::usage::Usage;

/// How long a command waits for a connection before it says that there is none.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Which database.
#[derive(Debug, Args)]
pub(crate) struct DatabaseOptions {
    /// The folder with the private PostgreSQL; the environment's `DATABASE_URL` names a server to use instead, but a folder
    /// given here goes before it. Default: `/var/lib/slipstream` for root, else `$XDG_DATA_HOME/slipstream` or
    /// `~/.local/share/slipstream`.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
}

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
    /// The owner's lock of a server that is not ours, or a share of it.
    owner: Option<OwnerLock>,
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

    /// For those who have nothing to do in a folder that is not there, and should not make it.
    ///
    /// # Errors
    /// It is a folder without a database.
    pub(crate) fn must_exist(&self) -> anyhow::Result<()> {
        match self {
            Self::Folder(folder) if folder.exists() && !folder.is_dir() => {
                bail!("{} is not a folder", folder.display())
            }
            Self::Folder(folder) if !folder.join("postgres/PG_VERSION").exists() => {
                bail!(
                    "there is no data folder with a database at {}; `slipstream dev` makes one",
                    folder.display()
                )
            }
            Self::Folder(_) | Self::Server(_) => Ok(()),
        }
    }
}

impl Database {
    /// Opens it as its owner: the one process that makes replies. Nobody else is one until this is closed.
    ///
    /// # Errors
    /// Everything that keeps a server from starting or answering; a database that another process owns.
    pub(crate) async fn own(config: &Config, place: &Place, connections: u32) -> anyhow::Result<Self> {
        match place {
            Place::Folder(folder) => {
                let private = PrivatePostgres::start_or_adopt(folder, &search(config)).await?;
                Self::on(private, connections).await
            }
            Place::Server(url) => {
                let owner = Some(OwnerLock::take(url, Ownership::Alone).await.context("DATABASE_URL")?);
                Ok(Self { owner, ..Self::server(url, connections).await? })
            }
        }
    }

    /// Opens a server as one of the processes that make the service together. No process owns it alone until this is
    /// closed.
    ///
    /// # Errors
    /// A private database, which is one process' own; one that another process owns; everything that keeps a server from
    /// answering.
    pub(crate) async fn share(place: &Place, connections: u32) -> anyhow::Result<Self> {
        match place {
            Place::Folder(folder) => Err(Usage(format!(
                "several processes need a PostgreSQL of their own: set database.url (DATABASE_URL) beside nats.servers and \
                 redis.url; {} is for one process alone",
                folder.display()
            ))
            .into()),
            Place::Server(url) => {
                let owner = Some(OwnerLock::take(url, Ownership::Shared).await.context("DATABASE_URL")?);
                Ok(Self { owner, ..Self::server(url, connections).await? })
            }
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
                Self::on(private, connections).await
            }
            Place::Server(url) => Self::server(url, connections).await,
        }
    }

    async fn on(private: PrivatePostgres, connections: u32) -> anyhow::Result<Self> {
        let pool = connect(private.url(), connections).await?;
        Ok(Self { pool, private: Some(private), owner: None })
    }

    async fn server(url: &SecretString, connections: u32) -> anyhow::Result<Self> {
        let pool = connect(url.expose_secret(), connections).await.context("DATABASE_URL")?;
        Ok(Self { pool, private: None, owner: None })
    }

    /// Waits for the private server to end by itself, or for another process to own the server that is not ours, and says
    /// so. Cancel-safe.
    pub(crate) async fn lost(&mut self) -> anyhow::Error {
        match (&mut self.private, &mut self.owner) {
            (Some(private), _) => {
                let death = private.wait().await;
                anyhow::anyhow!("PostgreSQL has ended by itself; its log is {}", death.log.display())
            }
            (None, Some(owner)) => owner.lost().await,
            (None, None) => std::future::pending().await,
        }
    }

    /// Closes the connections, and the server when it is ours.
    ///
    /// # Errors
    /// The server does not stop.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.pool.close().await;
        if let Some(owner) = self.owner {
            owner.release().await;
        }
        match self.private {
            Some(private) => private.stop().await.context("the private PostgreSQL did not stop cleanly"),
            None => Ok(()),
        }
    }
}

async fn connect(url: &str, connections: u32) -> anyhow::Result<PgPool> {
    // One connection first: a pool tries again until its time is over, and then does not say what was wrong.
    PgConnection::connect(url).await.context("PostgreSQL does not answer")?.close().await?;
    let options = PgPoolOptions::new().max_connections(connections).acquire_timeout(CONNECT_LIMIT);
    options.connect(url).await.context("PostgreSQL does not answer")
}

fn search(config: &Config) -> Vec<PathBuf> {
    usual_folders(config.path.as_deref())
}
