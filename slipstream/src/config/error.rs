//! Why settings are refused. Names the place and what would be right; never holds a secret.

use std::path::PathBuf;

use slipstream_domain::ProviderId;
use slipstream_providers::CatalogueError;

use super::keys::Kind;

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file that was named, or was there, cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML. The offending line is not quoted: it may hold a secret.
    #[error("{path} is not TOML, line {line}: {message}")]
    NotToml {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Nothing has that name.
    #[error("{place}: there is no setting {name}{nearest}")]
    Unknown {
        /// The file or the variable.
        place: String,
        /// As it was written.
        name: String,
        /// `; did you mean …?`, or nothing.
        nearest: String,
    },
    /// A section's name with a value of its own.
    #[error("{place}: {name} is a section, not a setting; write [{name}]")]
    Section {
        /// The file.
        place: String,
        /// The section.
        name: String,
    },
    /// The value is of another kind.
    #[error("{place}: {name} must be {}{instead}", kind.right())]
    Wrong {
        /// The file or the variable.
        place: String,
        /// The setting.
        name: &'static str,
        /// What it wants.
        kind: Kind,
        /// `, not …`, or nothing when it is a secret.
        instead: String,
    },
    /// No model is named so.
    #[error(
        "providers.{of}.fallback must be provider/model, such as anthropic/claude-haiku-4-5-20251001, not {text:?}"
    )]
    Fallback {
        /// Whose.
        of: ProviderId,
        /// As it was written.
        text: String,
    },
    /// A variable's value is no text.
    #[error("{0} is not UTF-8")]
    NotUtf8(String),
    /// The operator's catalogue contradicts itself.
    #[error("{path}: {error}")]
    Catalogue {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        error: CatalogueError,
    },
    /// The parts do not fit together. Should not happen.
    #[error("the settings cannot be read: {0}")]
    Other(String),
}

/// `; did you mean …?` with the nearest of `names`, when one is near.
pub(crate) fn did_you_mean<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(wrong, name);
    let nearest = names.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|name| likeness(name) >= 0.5) {
        Some(name) => format!("; did you mean {name}?"),
        None => String::new(),
    }
}
