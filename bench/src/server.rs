//! The PostgreSQL that is measured: a private one with fsync on, or one that is named; a fresh database for each
//! measurement, so that all begin alike.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use slipstream_postgres::{Binaries, Cluster, Mode, usual_folders};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use tempfile::TempDir;

/// Clients of the largest case and some more; no checkpoint by size in the midst of a measurement.
const SETTINGS: [(&str, &str); 2] = [("max_connections", "300"), ("max_wal_size", "8GB")];
/// Connections of a pool: readers, and the log's one writer beside it.
const POOL: u32 = 16;

/// A server.
pub(crate) struct Server {
    url: String,
    private: Option<(Cluster, TempDir)>,
    programs: Binaries,
}

/// A folder that PostgreSQL's user can enter, also when we are root.
pub(crate) fn scratch_folder(parent: Option<&Path>) -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("slipstream-bench-");
    let folder = match parent {
        Some(parent) => builder.tempdir_in(parent)?,
        None => builder.tempdir()?,
    };
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

impl Server {
    /// # Errors
    /// PostgreSQL's programs are missing, `pgbench` among them, or the server does not start.
    pub(crate) async fn start(database_url: Option<String>, scratch: Option<&Path>) -> Result<Self> {
        let search = usual_folders(std::env::var_os("PATH").as_deref());
        let programs = Binaries::find(&search, None).await?;
        if let Some(url) = database_url {
            return Ok(Self { url, private: None, programs });
        }
        let folder = scratch_folder(scratch)?;
        let mut cluster = Cluster::open(&folder.path().join("data"), &search, &SETTINGS).await?;
        let url = cluster.start().await?;
        Ok(Self { url, private: Some((cluster, folder)), programs })
    }

    /// # Errors
    /// It is not beside PostgreSQL's other programs.
    pub(crate) fn pgbench(&self) -> Result<PathBuf> {
        // What is on the PATH may be a link to some of the programs.
        let postgres = self.programs.folder.join("postgres").canonicalize()?;
        let program = postgres.with_file_name("pgbench");
        if !program.is_file() {
            bail!(
                "pgbench, the reference, is missing in {}: install it (Debian: postgresql-{}, Red Hat: postgresql-contrib)",
                postgres.parent().unwrap_or(&postgres).display(),
                self.programs.major
            );
        }
        Ok(program)
    }

    /// The private server's process.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.private.as_ref().and_then(|(cluster, _)| cluster.pid())
    }

    /// Makes the database `name` anew and empty.
    pub(crate) async fn fresh(&self, name: &'static str) -> Result<Database> {
        self.drop(name).await?;
        self.statement(format!("CREATE DATABASE {name}")).await?;
        let url = with_database(&self.url, name).context("the database URL names no database")?;
        let pool = PgPoolOptions::new().max_connections(POOL).connect(&url).await?;
        Ok(Database { name, url, pool })
    }

    async fn drop(&self, name: &'static str) -> Result<()> {
        self.statement(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
    }

    /// `statement` is made of our own constants only.
    async fn statement(&self, statement: String) -> Result<()> {
        let mut connection = PgConnection::connect(&self.url).await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    pub(crate) async fn forget(&self, database: Database) -> Result<()> {
        database.pool.close().await;
        self.drop(database.name).await
    }

    pub(crate) async fn stop(self) -> Result<()> {
        if let Some((mut cluster, _folder)) = self.private {
            cluster.stop(Mode::Immediate).await?;
        }
        Ok(())
    }
}

/// A database of one measurement.
pub(crate) struct Database {
    name: &'static str,
    pub(crate) url: String,
    pub(crate) pool: PgPool,
}

impl Database {
    pub(crate) async fn migrate(&self) -> Result<()> {
        Ok(slipstream_eventlog::migrate(&self.pool).await?)
    }
}

/// The URL with another database in it, its parameters kept.
fn with_database(url: &str, name: &str) -> Option<String> {
    let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = address.split_once("://")?;
    let (host, _) = rest.split_once('/')?;
    let mark = if parameters.is_empty() { "" } else { "?" };
    Some(format!("{scheme}://{host}/{name}{mark}{parameters}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_of_a_url_is_replaced() {
        let socket = "postgres://u@localhost:5432/slipstream?host=/a/b&sslmode=disable";
        assert_eq!(
            with_database(socket, "x").unwrap(),
            "postgres://u@localhost:5432/x?host=/a/b&sslmode=disable"
        );
        assert_eq!(with_database("postgres://u:p@h/postgres", "x").unwrap(), "postgres://u:p@h/x");
        assert_eq!(with_database("postgres://h", "x"), None);
    }
}
