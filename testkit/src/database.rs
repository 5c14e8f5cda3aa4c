//! One fresh, migrated database a test. Runs no server: it is given one by `SLIPSTREAM_TEST_DATABASE_URL`.
#![allow(clippy::expect_used, clippy::panic)] // a test without its database has failed

use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use uuid::Uuid;

const VARIABLE: &str = "SLIPSTREAM_TEST_DATABASE_URL";

/// Serialises the making of a template between test processes; any number nobody else locks will do.
const TEMPLATE_LOCK: i64 = 0x736c_6970_7465_7374;

/// More than the busiest test holds at once, few enough for many tests beside each other on one server.
const POOL_SIZE: u32 = 20;

/// A database of one test's own, migrated and empty.
///
/// End the test with [`drop`](Self::drop); a test that panics has its database removed by `Drop`, as well as
/// that goes.
#[derive(Debug)]
pub struct TestDatabase {
    admin: PgConnectOptions,
    url: String,
    name: String,
    pool: PgPool,
    dropped: bool,
}

impl TestDatabase {
    /// Copies the template of the present migrations, making it first when no test has yet.
    ///
    /// # Panics
    /// When the environment names no server or the server refuses.
    pub async fn create() -> Self {
        let admin_url = admin_url();
        let admin = PgConnectOptions::from_str(&admin_url).expect("the URL of the test server");
        let mut connection =
            PgConnection::connect_with(&admin).await.expect("the test server accepts connections");
        let template = ensure_template(&mut connection, &admin).await;
        let name = format!("test_{}", Uuid::new_v4().simple());
        run(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        connection.close().await.expect("the admin connection closes");

        let pool = PgPoolOptions::new()
            .max_connections(POOL_SIZE)
            .connect_with(admin.clone().database(&name))
            .await
            .expect("the new database accepts connections");
        Self { url: with_database(&admin_url, &name), admin, name, pool, dropped: false }
    }

    /// Connections to the database, at most 20.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The database's own URL, for a process or a pool the test starts itself.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Removes the database, cutting whatever is still connected.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn drop(mut self) {
        self.pool.close().await;
        remove(&self.admin, &self.name).await.expect("the database is removed");
        self.dropped = true;
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if self.dropped {
            return;
        }
        let (admin, name) = (self.admin.clone(), self.name.clone());
        // A runtime of its own: the test's may be the one that is unwinding. Joined, because the process ends
        // with the test. A failure leaves a database behind on a server that goes with the test run.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.is_ok_and(|runtime| runtime.block_on(remove(&admin, &name)).is_ok())
        });
        drop(removal.join());
    }
}

#[allow(clippy::disallowed_methods, reason = "tests have no configuration to take the server from")]
fn admin_url() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} is not set: run the tests with ./ops/test, or `eval \"$(./ops/test --services)\"` first")
    })
}

/// The template's name. It is made under another name and renamed when complete, so that a run that dies
/// half-way leaves nothing that looks like a template.
async fn ensure_template(connection: &mut PgConnection, admin: &PgConnectOptions) -> String {
    let template = format!("template_{}", migrations_digest());
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut *connection)
        .await
        .expect("the template lock");
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&template)
        .fetch_one(&mut *connection)
        .await
        .expect("the list of databases");
    if !exists {
        let unfinished = format!("{template}_unfinished");
        run(connection, format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await;
        run(connection, format!("CREATE DATABASE {unfinished} TEMPLATE template0 ENCODING 'UTF8'")).await;
        let options = admin.clone().database(&unfinished);
        let pool =
            PgPoolOptions::new().connect_with(options).await.expect("the template accepts connections");
        slipstream_eventlog::migrate(&pool).await.expect("the migrations apply to an empty database");
        pool.close().await;
        run(connection, format!("ALTER DATABASE {unfinished} RENAME TO {template}")).await;
    }
    sqlx::query("SELECT pg_advisory_unlock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut *connection)
        .await
        .expect("the template lock is given back");
    template
}

/// Changes with every byte and every name of the migrations.
fn migrations_digest() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder migrations/")
        .map(|entry| entry.expect("an entry of migrations/").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort_unstable();
    let mut text = Vec::new();
    for file in files {
        text.extend_from_slice(file.file_name().unwrap_or_default().as_encoded_bytes());
        text.push(0);
        text.extend(std::fs::read(&file).expect("a readable migration"));
        text.push(0);
    }
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &text).simple().to_string()
}

async fn remove(admin: &PgConnectOptions, name: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(admin).await?;
    connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await?;
    connection.close().await
}

/// Runs a statement that takes no parameters; the names in it are ours.
async fn run(connection: &mut PgConnection, sql: String) {
    connection.execute(AssertSqlSafe(sql.clone())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The URL with its path replaced, its query kept.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let authority = base.find("://").map_or(0, |scheme| scheme + "://".len());
    let end = base[authority..].find('/').map_or(base.len(), |path| authority + path);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", &base[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_replaced_and_the_rest_kept() {
        assert_eq!(with_database("postgres://a@h:1/postgres", "t"), "postgres://a@h:1/t");
        assert_eq!(with_database("postgres://a@h:1", "t"), "postgres://a@h:1/t");
        assert_eq!(
            with_database("postgres://a@h/x?host=/s&sslmode=disable", "t"),
            "postgres://a@h/t?host=/s&sslmode=disable"
        );
    }
}
