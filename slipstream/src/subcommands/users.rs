//! `slipstream users …`: people, by hand.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use secrecy::ExposeSecret;
use slipstream_commands::ports::Sessions;
use slipstream_commands::{Attachments, Commands, assign_role, find_user, register_user};
use slipstream_domain::event::{RegistrationVia, UserRole};
use slipstream_domain::{EmailAddress, UserId};
use slipstream_local::SystemClock;
use slipstream_projections::ReadModels;
use slipstream_workers::{Erasure, ErasureStep};

use crate::config::Config;
use crate::database::{DatabaseOptions, Place};
use crate::files;
use crate::output::Output;
use crate::usage::Usage;
use crate::visit::{self, Visit};

/// Who is to be known.
#[derive(Debug, Args)]
pub(crate) struct AddOptions {
    /// The person's e-mail address.
    email: String,
    /// Their name.
    #[arg(long)]
    name: Option<String>,
    /// What they may do beyond their own conversations: read any history (auditor), sign people in (service), query for
    /// analysis (analyst), everything (admin), or nothing (user). Who is known already has this role from now on.
    #[arg(long, value_parser = PossibleValuesParser::new(UserRole::ALL.map(UserRole::as_str)))]
    role: Option<String>,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

/// Who is to be signed in.
#[derive(Debug, Args)]
pub(crate) struct SessionOptions {
    /// The person's e-mail address or id.
    user: String,
    /// For how many days.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

/// Who is to be erased.
#[derive(Debug, Args)]
pub(crate) struct EraseOptions {
    /// The person's e-mail address or id.
    user: String,
    /// Yes, for ever.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

pub(crate) const ERASE_ABOUT: &str = "\
Erase a person for ever.

Their conversations and files are deleted, their replies stopped, their provider keys and sessions removed, and the key is destroyed
that everything personal of theirs in the log is encrypted with. The log itself stays whole, and `slipstream log verify` holds.
Cut short anywhere, it can be run again. Replies that are being made are ended by the workers of the running service.
What it cannot reach: backups of the database, which hold the encrypted key until they are gone.";

const DAY: Duration = Duration::from_hours(24);
/// How long workers and read models may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a person known and prints their id.
///
/// # Errors
/// No address; whatever keeps a database from being written.
pub(crate) async fn add(config: &Config, options: &AddOptions) -> anyhow::Result<ExitCode> {
    let email = address(&options.email)?;
    on(config, &options.database, async |_, app| {
        let user = register_user(&app, &email, RegistrationVia::Service, options.name.clone()).await?;
        if let Some(role) =
            UserRole::ALL.into_iter().find(|role| options.role.as_deref() == Some(role.as_str()))
        {
            assign_role(&app, user, role).await?;
        }
        say(format_args!("{user}"))
    })
    .await
}

/// Signs a person in and prints the token.
///
/// # Errors
/// No such person; whatever keeps a database from being written.
pub(crate) async fn session(config: &Config, options: &SessionOptions) -> anyhow::Result<ExitCode> {
    on(config, &options.database, async |visit, app| {
        let user = named(&app, &options.user).await?;
        let opened = visit.vault.sessions().open(user, options.days * DAY).await?;
        say(format_args!("{}", opened.token.expose_secret()))
    })
    .await
}

/// Erases a person.
///
/// # Errors
/// No such person; nobody ends their replies; whatever keeps a database from being written.
pub(crate) async fn erase(config: &Config, options: &EraseOptions) -> anyhow::Result<ExitCode> {
    if !options.yes {
        return Err(Usage("nothing of it can be brought back; say --yes if it is meant".to_owned()).into());
    }
    on(config, &options.database, async |visit, app| {
        let user = named(&app, &options.user).await?;
        // For a database that no service runs on; otherwise the service has the leases.
        visit.start_read_models(app.log());
        let (clock, data_dir) = (Arc::new(SystemClock::new()), config.data_dir.as_deref());
        let store = files::open(&config.files, data_dir, config.listen, clock, visit.tasks())?;
        let files = Attachments::new(app.clone(), store.blobs, store.settings);
        let (vault, models) = (Arc::new(visit.vault.clone()), ReadModels::new(app.log().clone()));
        let erasure = Erasure::new(app.clone(), vault, files, models, PATIENCE);
        for step in ErasureStep::ALL {
            erasure.step(user, step).await.context("the erasure is not done; run it again")?;
        }
        say(format_args!("{user} is erased"))
    })
    .await
}

async fn on(
    config: &Config,
    database: &DatabaseOptions,
    work: impl AsyncFnOnce(&Visit, Commands) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let place = Place::of(config, database)?;
    let done = visit::write(config, &place, work).await?;
    Ok(if done.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn named(app: &Commands, user: &str) -> anyhow::Result<UserId> {
    if let Ok(id) = user.parse() {
        return Ok(id);
    }
    match find_user(app, &address(user)?).await? {
        Some(id) => Ok(id),
        None => bail!("nobody has the address {user}"),
    }
}

fn address(text: &str) -> anyhow::Result<EmailAddress> {
    Ok(EmailAddress::parse(text).map_err(|error| Usage(format!("{text}: {error}")))?)
}

fn say(what: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    let mut output = Output::open();
    output.line(what)?;
    Ok(output.flush()?)
}
