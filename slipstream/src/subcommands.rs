//! The subcommands, one file each. A new one: its file, a line here, a variant in [`Command`].

pub(crate) mod analytics_describe;
pub(crate) mod config_show;
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod keys_import;
pub(crate) mod keys_rotate;
pub(crate) mod log_check_proof;
pub(crate) mod log_prove;
pub(crate) mod log_sign;
pub(crate) mod log_tail;
pub(crate) mod log_verify;
mod migrate;
pub(crate) mod models;
pub(crate) mod projections_drop_old;
pub(crate) mod projections_rebuild;
pub(crate) mod projections_retry;
pub(crate) mod projections_status;
pub(crate) mod read_document;
pub(crate) mod replay;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod users;

use std::path::Path;
use std::process::ExitCode;

use slipstream_projections::{READ_MODELS, ReadModel};

use crate::cli::{
    AnalyticsCommand, Command, ConfigCommand, KeysCommand, LogCommand, ProjectionsCommand, UsersCommand,
};
use crate::config::{Config, did_you_mean};
use crate::usage::Usage;

/// The read model that is named on the command line.
fn read_model(name: &str) -> anyhow::Result<&'static ReadModel> {
    ReadModel::named(name).ok_or_else(|| {
        let nearest = did_you_mean(name, READ_MODELS.iter().map(|model| model.name));
        Usage(format!("there is no read model {name}{nearest}")).into()
    })
}

impl Command {
    /// The data folder that is named on the command line.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        let database = match self {
            Self::Dev(options) => &options.database,
            Self::Serve(options) => &options.database,
            Self::Migrate(database) | Self::Keys(KeysCommand::Rotate(database)) => database,
            Self::Keys(KeysCommand::Import(options)) => &options.database,
            Self::Replay(options) => &options.database,
            Self::Log(LogCommand::Verify(options)) => &options.database,
            Self::Log(LogCommand::Tail(options)) => &options.database,
            Self::Log(LogCommand::Sign(options)) => &options.database,
            Self::Log(LogCommand::Prove(options)) => &options.database,
            Self::Log(LogCommand::CheckProof(options)) => &options.database,
            Self::Projections(ProjectionsCommand::Status(options)) => &options.database,
            Self::Projections(ProjectionsCommand::Retry(options)) => &options.database,
            Self::Projections(ProjectionsCommand::Rebuild(options)) => &options.database,
            Self::Projections(ProjectionsCommand::DropOld(options)) => &options.database,
            Self::Analytics(AnalyticsCommand::Describe(options)) => &options.database,
            Self::Export(options) => &options.database,
            Self::Users(UsersCommand::Add(options)) => &options.database,
            Self::Users(UsersCommand::Session(options)) => &options.database,
            Self::Users(UsersCommand::Erase(options)) => &options.database,
            Self::Doctor(options) => &options.database,
            Self::Models(options) => &options.database,
            Self::Config(ConfigCommand::Show(options)) => &options.database,
            Self::Schema(_) | Self::ReadDocument(_) => return None,
        };
        database.data_dir.as_deref()
    }

    /// Runs what wants no settings; `None` of everything else.
    pub(crate) fn run_alone(&self) -> Option<ExitCode> {
        if let Self::ReadDocument(options) = self { Some(read_document::run(options)) } else { None }
    }

    /// # Errors
    /// Whatever the subcommand fails with.
    pub(crate) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        match self {
            Self::Dev(options) => Box::pin(dev::run(config, options)).await,
            Self::Serve(options) => Box::pin(serve::run(config, options)).await,
            Self::Migrate(database) => migrate::run(&config, &database).await,
            Self::Replay(options) => Box::pin(replay::run(&config, &options)).await,
            Self::Log(LogCommand::Verify(options)) => log_verify::run(&config, &options).await,
            Self::Log(LogCommand::Tail(options)) => log_tail::run(&config, &options).await,
            Self::Log(LogCommand::Sign(options)) => log_sign::run(&config, &options).await,
            Self::Log(LogCommand::Prove(options)) => log_prove::run(&config, &options).await,
            Self::Log(LogCommand::CheckProof(options)) => log_check_proof::run(&config, &options),
            Self::Projections(ProjectionsCommand::Status(options)) => {
                projections_status::run(&config, &options).await
            }
            Self::Projections(ProjectionsCommand::Retry(options)) => {
                projections_retry::run(&config, &options).await
            }
            Self::Projections(ProjectionsCommand::Rebuild(options)) => {
                projections_rebuild::run(&config, &options).await
            }
            Self::Projections(ProjectionsCommand::DropOld(options)) => {
                projections_drop_old::run(&config, &options).await
            }
            Self::Analytics(AnalyticsCommand::Describe(options)) => {
                analytics_describe::run(&config, &options).await
            }
            Self::Export(options) => export::run(&config, &options).await,
            Self::Users(UsersCommand::Add(options)) => users::add(&config, &options).await,
            Self::Users(UsersCommand::Session(options)) => users::session(&config, &options).await,
            Self::Users(UsersCommand::Erase(options)) => users::erase(&config, &options).await,
            Self::Keys(KeysCommand::Import(options)) => keys_import::run(&config, &options).await,
            Self::Keys(KeysCommand::Rotate(database)) => keys_rotate::run(&config, &database).await,
            Self::Doctor(options) => doctor::run(&config, &options).await,
            Self::Models(options) => models::run(&config, &options),
            Self::Schema(options) => schema::run(&options),
            Self::Config(ConfigCommand::Show(options)) => config_show::run(&config, &options),
            Self::ReadDocument(options) => Ok(read_document::run(&options)),
        }
    }
}
