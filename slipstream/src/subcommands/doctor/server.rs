//! What can be checked of PostgreSQL itself.

use slipstream_commands::ports::Clock;
use slipstream_local::SystemClock;
use sqlx::PgPool;

use super::Finding;
use crate::database::Place;
use crate::owner_lock::OWNER_LOCK;
use crate::subcommands::serve::CONNECTIONS;

/// The oldest the log is written for, as `server_version_num` counts.
const OLDEST: i32 = 150_000;
/// Connections beside the service's own: PostgreSQL keeps three for administrators, and short commands take some.
const OTHERS: i32 = 10;
/// A clock that is further off dates nothing wrong, for PostgreSQL's is the one that counts, but confuses who compares.
const CLOCK_WARN_MS: i64 = 1_000;

#[derive(sqlx::FromRow)]
struct Server {
    version: String,
    number: i32,
    fsync: bool,
    synchronous: String,
    isolation: String,
    connections: i32,
    now_us: i64,
}

/// # Errors
/// It does not answer.
pub(super) async fn all(pool: &PgPool, place: &Place) -> Result<Vec<Finding>, sqlx::Error> {
    let clock = SystemClock::new();
    let server: Server = sqlx::query_as(
        "SELECT current_setting('server_version') AS version,
                current_setting('server_version_num')::int AS number,
                current_setting('fsync')::bool AS fsync,
                current_setting('synchronous_commit') AS synchronous,
                current_setting('default_transaction_isolation') AS isolation,
                current_setting('max_connections')::int AS connections,
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us",
    )
    .fetch_one(pool)
    .await?;
    let off_ms = (clock.now().micros() - server.now_us) / 1000;
    let whose = match place {
        Place::Folder(_) => "the private one",
        Place::Server(_) => "database.url",
    };
    Ok(vec![
        version(&server, whose),
        durability(&server),
        isolation(&server),
        connections(&server),
        clocks(off_ms),
    ])
}

fn version(server: &Server, whose: &str) -> Finding {
    let found = format!("{whose} answers, version {}", server.version);
    if server.number >= OLDEST {
        Finding::ok("postgresql", found)
    } else {
        Finding::fail("postgresql", found, "upgrade it to 15 or newer")
    }
}

fn durability(server: &Server) -> Finding {
    const CHECK: &str = "durability";
    if !server.fsync {
        let advice = "set fsync = on: a crash of the machine loses the database";
        return Finding::fail(CHECK, "fsync is off", advice);
    }
    if matches!(server.synchronous.as_str(), "off") {
        let advice = "set synchronous_commit = on: a crash loses what was acknowledged in the last moments";
        return Finding::fail(CHECK, "synchronous_commit is off", advice);
    }
    Finding::ok(CHECK, format!("fsync is on, synchronous_commit is {}", server.synchronous))
}

fn isolation(server: &Server) -> Finding {
    let found = format!("transactions are {} by default", server.isolation);
    if server.isolation == "read committed" {
        Finding::ok("isolation", found)
    } else {
        let advice =
            "set default_transaction_isolation = 'read committed': the log refuses to append otherwise";
        Finding::fail("isolation", found, advice)
    }
}

fn connections(server: &Server) -> Finding {
    let own = i32::try_from(CONNECTIONS).unwrap_or(i32::MAX);
    let found = format!("max_connections is {}; a service takes {own}", server.connections);
    let wanted = own.saturating_add(OTHERS);
    if server.connections >= wanted {
        Finding::ok("connections", found)
    } else {
        Finding::fail("connections", found, format!("set max_connections to {wanted} or more"))
    }
}

fn clocks(off_ms: i64) -> Finding {
    let found = format!("{off_ms} ms off the database's");
    if off_ms.abs() < CLOCK_WARN_MS {
        Finding::ok("clock", found)
    } else {
        Finding::warn("clock", found, "set both machines' clocks by NTP; events are dated by the database's")
    }
}

/// Whether a service owns the database.
///
/// # Errors
/// It does not answer.
pub(super) async fn is_owned(pool: &PgPool) -> Result<bool, sqlx::Error> {
    // A lock on a bigint shows its halves (PostgreSQL, "pg_locks").
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (classid::bigint << 32 | objid::bigint) = $1)",
    )
    .bind(OWNER_LOCK)
    .fetch_one(pool)
    .await
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn good() -> Server {
        Server {
            version: "15.0".to_owned(),
            number: OLDEST,
            fsync: true,
            synchronous: "on".to_owned(),
            isolation: "read committed".to_owned(),
            connections: 100,
            now_us: 0,
        }
    }

    #[test]
    fn an_old_server_fails() {
        assert_eq!(version(&good(), "it").state, State::Ok);
        assert_eq!(version(&Server { number: 140_012, ..good() }, "it").state, State::Fail);
    }

    #[test]
    fn a_server_that_may_lose_what_it_acknowledged_fails() {
        assert_eq!(durability(&good()).state, State::Ok);
        assert_eq!(durability(&Server { fsync: false, ..good() }).state, State::Fail);
        assert_eq!(durability(&Server { synchronous: "off".to_owned(), ..good() }).state, State::Fail);
    }

    #[test]
    fn a_server_the_log_cannot_write_to_fails() {
        assert_eq!(isolation(&Server { isolation: "serializable".to_owned(), ..good() }).state, State::Fail);
        assert_eq!(connections(&Server { connections: 20, ..good() }).state, State::Fail);
    }

    #[test]
    fn clocks_that_differ_are_a_warning() {
        assert_eq!(clocks(-900).state, State::Ok);
        assert_eq!(clocks(-1_500).state, State::Warn);
    }
}
