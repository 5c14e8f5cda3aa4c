//! The command line: which subcommands there are, and what is common to all of them. Each one's own options stand in its
//! file.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::database::DatabaseOptions;
use crate::subcommands::analytics_describe::DescribeOptions;
use crate::subcommands::config_show::ShowOptions;
use crate::subcommands::dev::DevOptions;
use crate::subcommands::doctor::DoctorOptions;
use crate::subcommands::export::ExportOptions;
use crate::subcommands::keys_import::ImportOptions;
use crate::subcommands::log_check_proof::CheckProofOptions;
use crate::subcommands::log_prove::ProveOptions;
use crate::subcommands::log_sign::SignOptions;
use crate::subcommands::log_tail::TailOptions;
use crate::subcommands::log_verify::VerifyOptions;
use crate::subcommands::models::ModelsOptions;
use crate::subcommands::projections_drop_old::DropOldOptions;
use crate::subcommands::projections_rebuild::RebuildOptions;
use crate::subcommands::projections_retry::RetryOptions;
use crate::subcommands::projections_status::StatusOptions;
use crate::subcommands::read_document::ReadOptions;
use crate::subcommands::replay::ReplayOptions;
use crate::subcommands::schema::SchemaOptions;
use crate::subcommands::serve::ServeOptions;
use crate::subcommands::users::{AddOptions, EraseOptions, SessionOptions};
use crate::subcommands::{
    analytics_describe, dev, doctor, export, keys_import, keys_rotate, log_check_proof, log_prove, log_sign,
    log_tail, log_verify, projections_drop_old, projections_rebuild, projections_retry, replay, schema,
    serve, users,
};

/// A self-hosted backend for multi-provider AI chat.
///
/// Every change is an event in an append-only, hash-chained log in PostgreSQL. `dev` and `serve` run the service; the
/// other commands look at its log and its read models, beside the running service or without it. They all work on the
/// data folder (--data-dir, else the default one), or on the PostgreSQL that `DATABASE_URL` names.
#[derive(Debug, Parser)]
#[command(name = "slipstream", version, about, propagate_version = true, after_help = AFTER)]
pub(crate) struct Cli {
    /// What to log, as a filter such as `info` or `slipstream=debug,sqlx=warn`. Otherwise the setting `log.filter`.
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// The file with the settings. Otherwise `slipstream.toml` in the data folder, if there is one.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
Examples:
  slipstream dev                          everything in one process, with a PostgreSQL of its own
  slipstream replay 0199…-… --as-of 2026-11-24T09:00:00Z
  slipstream doctor                       is everything as it should be?
  slipstream config show                  which settings hold, and where each comes from

Exit codes: 0 all went well, 1 it failed, 2 the command line or a setting is wrong.
`slipstream help COMMAND` tells more.";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in this one process, ready to be tried out.
    #[command(long_about = dev::ABOUT)]
    Dev(DevOptions),
    /// Run the service, or some roles of it.
    #[command(long_about = serve::ABOUT)]
    Serve(ServeOptions),
    /// Bring the database's schema up to date. Safe to run at any time, from several processes at once.
    Migrate(DatabaseOptions),
    /// Tell the whole story of a conversation, as an auditor reads it.
    #[command(long_about = replay::ABOUT)]
    Replay(ReplayOptions),
    /// Look at the event log.
    #[command(subcommand)]
    Log(LogCommand),
    /// Look after the read models.
    #[command(subcommand)]
    Projections(ProjectionsCommand),
    /// Look at what analysts can read.
    #[command(subcommand)]
    Analytics(AnalyticsCommand),
    /// Write what analysts read to a file: Parquet, CSV or JSON lines.
    #[command(long_about = export::ABOUT)]
    Export(ExportOptions),
    /// People, by hand.
    #[command(subcommand)]
    Users(UsersCommand),
    /// The keys that everything personal is encrypted with.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Check everything the service needs, and say what to do where something is wrong.
    #[command(long_about = doctor::ABOUT)]
    Doctor(DoctorOptions),
    /// List the models that can be asked: what they can do, their limits and prices, and which providers have a key.
    Models(ModelsOptions),
    /// Write the schemas of everything this program speaks and stores, as files.
    #[command(long_about = schema::ABOUT)]
    Schema(SchemaOptions),
    /// Look at the settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Read a PDF file from standard input, for the service.
    #[command(hide = true)]
    ReadDocument(ReadOptions),
}

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Check every event, hash and link of the log; say what is wrong and where. Exit code 1 when anything is.
    #[command(long_about = log_verify::ABOUT)]
    Verify(VerifyOptions),
    /// Print the newest events, and go on as they come.
    #[command(long_about = log_tail::ABOUT)]
    Tail(TailOptions),
    /// Sign the log as it is now, and keep the signature outside the database.
    #[command(long_about = log_sign::ABOUT)]
    Sign(SignOptions),
    /// Print a proof that a message was recorded and has not changed since, for others to check.
    #[command(long_about = log_prove::ABOUT)]
    Prove(ProveOptions),
    /// Check such a proof; needs no database. Exit code 1 when it does not hold.
    #[command(long_about = log_check_proof::ABOUT)]
    CheckProof(CheckProofOptions),
}

/// What to do with the read models.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectionsCommand {
    /// Say how far each read model is, who runs it, and what it has set aside.
    Status(StatusOptions),
    /// Ask for another try at what a read model has set aside.
    #[command(long_about = projections_retry::ABOUT)]
    Retry(RetryOptions),
    /// Build read models anew from the log, while everything goes on.
    #[command(long_about = projections_rebuild::ABOUT)]
    Rebuild(RebuildOptions),
    /// Remove the tables of read models that are read no longer.
    #[command(long_about = projections_drop_old::ABOUT)]
    DropOld(DropOldOptions),
}

/// What to do with the views of analysts.
#[derive(Debug, Subcommand)]
pub(crate) enum AnalyticsCommand {
    /// Describe the views and their columns.
    #[command(long_about = analytics_describe::ABOUT)]
    Describe(DescribeOptions),
}

/// What to do with people.
#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// Make a person known by their e-mail address, or give them a role, and print their id. Who is known already keeps theirs.
    Add(AddOptions),
    /// Open a session for a person, and print its token: for `Authorization: Bearer`.
    Session(SessionOptions),
    /// Erase a person for ever.
    #[command(long_about = users::ERASE_ABOUT)]
    Erase(EraseOptions),
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Encrypt every data key with the first master key.
    #[command(long_about = keys_rotate::ABOUT)]
    Rotate(DatabaseOptions),
    /// Import people's own provider keys out of the TypeScript Slipstream.
    #[command(long_about = keys_import::ABOUT)]
    Import(ImportOptions),
}

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the settings that hold, as TOML, each with where it comes from. Secrets are not shown.
    Show(ShowOptions),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn help_teaches_what_there_is_to_know() {
        let help = |path: &[&str]| {
            let mut command = super::Cli::command();
            for name in path {
                command = command.find_subcommand(name).unwrap().clone();
            }
            command.render_long_help().to_string()
        };
        assert!(help(&["replay"]).contains("milliseconds"), "{}", help(&["replay"]));
        assert!(help(&["doctor"]).contains("Changes nothing"));
        assert!(help(&["serve"]).contains("roles"));
        for path in [&["dev"][..], &["log", "tail"], &["projections", "retry"], &["projections", "rebuild"]] {
            assert!(help(path).contains("Examples:"), "{path:?}");
        }
    }
}
