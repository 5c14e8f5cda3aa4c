//! `slipstream dev`: everything in this one process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use rand::RngExt;
use secrecy::SecretString;
use slipstream_commands::EmailPepper;
use tokio::net::TcpListener;

use crate::cli::DevOptions;
use crate::config::Config;
use crate::database::{Database, Place};
use crate::lifecycle::{Lifecycle, StopSignals};
use crate::{telemetry, wiring};

/// Connections to PostgreSQL: enough for the log's one writer, the projections and many short reads, and well below the
/// private server's limit.
const CONNECTIONS: u32 = 24;

/// Runs until it is told to stop.
///
/// # Errors
/// The port or the data folder is in use, PostgreSQL cannot be started, a migration or a setting is wrong; later only
/// that PostgreSQL ended by itself.
pub(crate) async fn run(config: Config, options: DevOptions) -> anyhow::Result<ExitCode> {
    let mut stop = StopSignals::listen()?;
    let listener = bind(options.listen).await?;
    let place = Place::of(&config, &options.database)?;
    let vendors = wiring::Vendors::new(config.keys.clone(), config.base_urls.clone())?;
    let mut database = Database::own(&config, &place, CONNECTIONS).await?;
    let served = serve(&config, &place, vendors, &mut database, listener, &mut stop).await;
    let closed = database.close().await;
    let code = served?;
    closed?;
    Ok(code)
}

async fn serve(
    config: &Config,
    place: &Place,
    vendors: wiring::Vendors,
    database: &mut Database,
    listener: TcpListener,
    stop: &mut StopSignals,
) -> anyhow::Result<ExitCode> {
    slipstream_eventlog::migrate(&database.pool).await.context("the schema cannot be brought up to date")?;
    let address = listener.local_addr()?;
    let life = Lifecycle::default();
    let parts = wiring::Parts {
        pool: database.pool.clone(),
        pepper: pepper(config, place)?,
        vendors,
        metrics: telemetry::collect_metrics()?,
    };
    wiring::start(parts, listener, &life).await?;
    println!("listening on http://{address}");
    println!("  chat: ws://{address}/?email=you@example.com (from this machine only)");
    let ended = tokio::select! {
        () = stop.next() => Ok(()),
        death = database.died() => Err(death),
    };
    tracing::info!("stopping; a second signal stops at once");
    let clean = life.drain(stop.next()).await;
    match ended {
        Ok(()) if clean => Ok(ExitCode::SUCCESS),
        Ok(()) => bail!("stopped before everything had drained"),
        Err(death) => Err(death),
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}; choose another address with --listen"))
}

/// The pepper that is set, else the data folder's own, made the first time.
fn pepper(config: &Config, place: &Place) -> anyhow::Result<EmailPepper> {
    match (&config.email_pepper, place) {
        (Some(pepper), _) => Ok(EmailPepper::new(pepper.clone())),
        (None, Place::Folder(folder)) => Ok(EmailPepper::new(kept_pepper(&folder.join("email-pepper"))?)),
        (None, Place::Server(_)) => {
            bail!("EMAIL_PEPPER must be set together with DATABASE_URL, to a secret that never changes")
        }
    }
}

fn kept_pepper(file: &Path) -> anyhow::Result<SecretString> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let cannot = || format!("cannot use {}", file.display());
    match std::fs::read_to_string(file) {
        Ok(pepper) if !pepper.is_empty() => return Ok(SecretString::from(pepper)),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(cannot),
    }
    let pepper: String =
        rand::rng().sample_iter(rand::distr::Alphanumeric).take(43).map(char::from).collect();
    // Written beside and renamed, so that a crash never leaves half a pepper.
    let beside = file.with_extension("new");
    let mut open = std::fs::OpenOptions::new();
    let mut written =
        open.write(true).create(true).truncate(true).mode(0o600).open(&beside).with_context(cannot)?;
    written.write_all(pepper.as_bytes()).and_then(|()| written.sync_all()).with_context(cannot)?;
    std::fs::rename(&beside, file).with_context(cannot)?;
    Ok(SecretString::from(pepper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_pepper_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("email-pepper");
        let made = kept_pepper(&file).unwrap();
        assert_eq!(made.expose_secret().len(), 43);
        assert_eq!(kept_pepper(&file).unwrap().expose_secret(), made.expose_secret());
    }
}
