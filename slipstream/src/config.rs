//! The settings: defaults, then the file, then the environment. Read once at the start; nothing else in the program
//! looks there. Refuses what it does not know and what cannot be meant.

mod assets;
mod audit;
mod catalogue;
mod cluster;
mod error;
mod keys;
mod layers;
mod methods;
mod settings;
mod telemetry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::Serialized;
use figment::value::Value;
use secrecy::SecretString;
use slipstream_domain::{ModelId, ProviderId};
use slipstream_providers::HttpSettings;
use slipstream_workers::Fallback;

pub(crate) use assets::{FilePlace, Files};
pub(crate) use cluster::Cluster;
pub(crate) use error::{ConfigError, did_you_mean};
pub(crate) use methods::AuthMethod;
pub(crate) use telemetry::{Log, LogFormat, Telemetry};

use crate::surroundings::Source;
use audit::Audit;

use catalogue::Variables;
use keys::{KEYS, Kind};
use settings::{Provider, Settings};

/// The file's name in a data folder.
const FILE: &str = "slipstream.toml";

/// What the settings are read from.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// The environment.
    pub(crate) variables: Vec<(OsString, OsString)>,
    /// What a secret store fills in where the environment is silent; empty without one.
    pub(crate) secret: Secret,
    /// The file that is named on the command line: it must be there.
    pub(crate) file: Option<PathBuf>,
    /// The data folder that is named on the command line.
    pub(crate) data_dir: Option<PathBuf>,
}

/// Settings out of a secret store, by their variables' names.
#[derive(Clone, Default)]
pub(crate) struct Secret {
    /// Where they are from, for people.
    pub(crate) place: String,
    /// The settings.
    pub(crate) fields: BTreeMap<String, SecretString>,
}

/// Every setting, parsed.
#[derive(Debug)]
pub(crate) struct Config {
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// The PostgreSQL to use instead of a private one.
    pub(crate) database_url: Option<SecretString>,
    /// What e-mail addresses are hashed with; one is made in a data folder when it is not set.
    pub(crate) email_pepper: Option<SecretString>,
    /// What data keys are wrapped with; one is made in a data folder when it is not set.
    pub(crate) master_keys: Option<SecretString>,
    /// How people are known, in the order it is tried.
    pub(crate) methods: Vec<AuthMethod>,
    /// What a service shows that signs people in.
    pub(crate) service_token: Option<SecretString>,
    /// Whether `serve` takes `?email=` from this machine at its word.
    pub(crate) development_email: bool,
    /// What the gateway allows.
    pub(crate) gateway: slipstream_gateway::Settings,
    /// What this process shares with others; `None` when it is the only one.
    pub(crate) cluster: Option<Cluster>,
    /// Where files go.
    pub(crate) files: Files,
    /// How the log is signed.
    pub(crate) audit: Audit,
    /// Where they can be read again; `None` when nowhere.
    pub(crate) source: Option<Source>,
    /// Where other settings are from.
    pub(crate) secrets: settings::Secrets,
    worker: settings::Worker,
    /// Messages a day and user on the operator's keys; 0 is no limit; `None` when it is not set.
    free_messages_per_day: Option<u32>,
    /// The operator's own catalogue of models.
    catalogue_file: Option<PathBuf>,
    variables: Variables,
    /// The operator's provider keys, as far as settings have them.
    keys: BTreeMap<ProviderId, SecretString>,
    /// Where providers are spoken to, when not at the vendor's own address.
    pub(crate) base_urls: BTreeMap<ProviderId, String>,
    /// Who answers for providers that cannot be had.
    pub(crate) fallbacks: BTreeMap<ProviderId, Fallback>,
    /// How long providers may take.
    pub(crate) http: HttpSettings,
    /// Logs.
    pub(crate) log: Log,
    /// Telemetry.
    pub(crate) telemetry: Telemetry,
    /// Where PostgreSQL's programs are looked for.
    pub(crate) path: Option<OsString>,
    /// The data folder: the one that is named, else the default one; `None` when nothing says where that is.
    pub(crate) data_dir: Option<PathBuf>,
    /// The file that was read, if there was one.
    pub(crate) file: Option<PathBuf>,
    /// All of it as an operator may see it, in the order of [`KEYS`].
    pub(crate) effective: Vec<Effective>,
}

/// A setting as it came out.
#[derive(Debug)]
pub(crate) struct Effective {
    /// Its name.
    pub(crate) key: &'static str,
    /// Its value; none when it is not set. A secret is replaced by [`REDACTED`].
    pub(crate) value: Option<serde_json::Value>,
    /// The file or the variable; none for a default.
    pub(crate) place: Option<String>,
    /// Another for another value, for telling whether it has changed; tells nothing else.
    pub(crate) mark: u64,
}

/// As the original service had it (`07-identity-and-keys`, "Provider keys").
const FREE_MESSAGES_PER_DAY: u32 = 25;

/// What is shown of a secret.
const REDACTED: &str = "[redacted]";

impl Config {
    /// # Errors
    /// What is set cannot be read, is not known, or is of the wrong kind; the error names its place.
    pub(crate) fn read(from: Surroundings) -> Result<Self, ConfigError> {
        let (data_dir, file) = (from.data_dir(), from.file());
        let path = from.variable("PATH");
        let layered = layered(file.as_deref(), &from)?;
        let settings: Settings = layered.extract().map_err(|error| refusal(&layered, &error))?;
        let effective = KEYS.iter().map(|key| effective(&layered, key.path, key.kind)).collect();
        let Vendors { keys, base_urls, fallbacks } = vendors(settings.providers.0)?;
        let cluster = Cluster::new(settings.nats, settings.redis)?;
        let files = Files::new(settings.assets, settings.s3)?;
        Ok(Self {
            listen: with_port(settings.server.listen, settings.server.port),
            database_url: settings.database.url,
            methods: methods::methods(&settings.auth)?,
            email_pepper: settings.auth.email_pepper,
            master_keys: settings.vault.master_keys,
            service_token: settings.auth.service_token,
            development_email: settings.auth.development_email,
            gateway: settings.gateway.into(),
            audit: settings.audit,
            worker: settings.worker,
            cluster,
            free_messages_per_day: settings.limits.free_messages_per_day,
            catalogue_file: settings.catalogue.file,
            files,
            keys,
            base_urls,
            fallbacks,
            http: settings.upstream.into(),
            log: settings.log,
            telemetry: settings.telemetry,
            path,
            source: None,
            secrets: settings.secrets,
            variables: Variables(from.variables, from.secret.fields),
            data_dir,
            file,
            effective,
        })
    }
}

impl Config {
    /// What the worker takes on, and what becomes of it when the process stops.
    pub(crate) fn worker(&self) -> slipstream_workers::Settings {
        self.worker.settings(self.cluster.is_none(), self.fallbacks.clone())
    }

    /// Messages a day and user on the operator's keys; `None` is no limit.
    pub(crate) fn free_messages_per_day(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.free_messages_per_day.unwrap_or(FREE_MESSAGES_PER_DAY))
    }

    /// For a process that shares nothing, whatever is set, and whose operator is its user: without a limit of messages
    /// unless one is set.
    pub(crate) fn alone(self) -> Self {
        let free_messages_per_day = self.free_messages_per_day.or(Some(0));
        Self { cluster: None, free_messages_per_day, ..self }
    }
}

impl Surroundings {
    fn variable(&self, wanted: &str) -> Option<OsString> {
        self.variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
    }

    /// The data folder: the one that is named, else the default one.
    fn data_dir(&self) -> Option<PathBuf> {
        let root = nix::unistd::Uid::effective().is_root();
        let (xdg, home) = (self.variable("XDG_DATA_HOME"), self.variable("HOME"));
        let default = slipstream_postgres::default_data_dir(root, xdg.as_deref(), home.as_deref());
        self.data_dir.clone().or(default)
    }

    /// The file: the one that is named, else the one that is there.
    fn file(&self) -> Option<PathBuf> {
        self.file.clone().or_else(|| self.data_dir().as_deref().and_then(kept_file))
    }

    /// The secret that the environment or the file names, which is to be filled in before the settings are read.
    ///
    /// # Errors
    /// The file cannot be read, or has a name in it that means nothing.
    pub(crate) fn names_secret(&self) -> Result<Option<String>, ConfigError> {
        let layered = layered(self.file().as_deref(), self)?;
        Ok(layered.extract_inner::<Option<String>>(keys::SECRET_ID).ok().flatten())
    }
}

/// A port that is set for itself goes over the address's.
fn with_port(mut listen: SocketAddr, port: Option<NonZeroU16>) -> SocketAddr {
    if let Some(port) = port {
        listen.set_port(port.get());
    }
    listen
}

fn kept_file(data_dir: &Path) -> Option<PathBuf> {
    Some(data_dir.join(FILE)).filter(|file| file.exists())
}

fn layered(file: Option<&Path>, from: &Surroundings) -> Result<Figment, ConfigError> {
    let mut layered = Figment::from(Serialized::defaults(Settings::default()));
    if let Some(file) = file {
        layered = layered.merge(layers::file(file)?);
    }
    for field in layers::secret(&from.secret) {
        layered = layered.merge(field);
    }
    for variable in layers::environment(&from.variables)? {
        layered = layered.merge(variable);
    }
    Ok(layered)
}

/// What is set of the providers, one by one.
#[derive(Default)]
struct Vendors {
    keys: BTreeMap<ProviderId, SecretString>,
    base_urls: BTreeMap<ProviderId, String>,
    fallbacks: BTreeMap<ProviderId, Fallback>,
}

fn vendors(providers: BTreeMap<String, Provider>) -> Result<Vendors, ConfigError> {
    let mut vendors = Vendors::default();
    for (id, Provider { api_key, base_url, fallback }) in providers {
        let id = ProviderId::parse(&id).map_err(|error| ConfigError::Other(error.to_string()))?;
        let fallback =
            fallback.map(|text| model(&text).ok_or(ConfigError::Fallback { of: id.clone(), text }));
        vendors.keys.extend(api_key.map(|key| (id.clone(), key)));
        vendors.base_urls.extend(base_url.map(|base_url| (id.clone(), base_url)));
        vendors.fallbacks.extend(fallback.transpose()?.map(|fallback| (id, fallback)));
    }
    Ok(vendors)
}

/// `provider/model`; a model's name may hold a `/` too.
fn model(text: &str) -> Option<Fallback> {
    let (provider, model) = text.split_once('/')?;
    Some(Fallback { provider: ProviderId::parse(provider).ok()?, model: ModelId::parse(model).ok()? })
}

fn refusal(layered: &Figment, error: &figment::Error) -> ConfigError {
    let path = error.path.join(".");
    // An element of a list is named by its number.
    let within = |key: &str| path == key || path.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    let Some(key) = KEYS.iter().find(|key| within(key.path)) else {
        return ConfigError::Other(error.to_string());
    };
    let set = layered.find_value(key.path).ok().and_then(|value| json(&value));
    let instead = match (key.kind, set) {
        (Kind::Secret, _) | (_, None) => String::new(),
        (_, Some(value)) => format!(", not {value}"),
    };
    let place = layered.find_metadata(key.path).map_or_else(String::new, |place| place.name.to_string());
    ConfigError::Wrong { place, name: key.path, kind: key.kind, instead }
}

fn effective(layered: &Figment, key: &'static str, kind: Kind) -> Effective {
    let value = layered.find_value(key).ok().and_then(|value| json(&value));
    let mut mark = DefaultHasher::new();
    value.as_ref().map(ToString::to_string).hash(&mut mark);
    // Only the defaults have a source: the place in this program.
    let place = layered.find_metadata(key).filter(|place| place.source.is_none());
    Effective {
        key,
        value: value
            .map(|value| if kind == Kind::Secret { REDACTED.into() } else { without_password(value) }),
        place: place.map(|place| place.name.to_string()),
        mark: mark.finish(),
    }
}

/// A URL, or each of a list of them, without what it says between `//` and `@`; anything else as it is.
fn without_password(value: serde_json::Value) -> serde_json::Value {
    if let serde_json::Value::Array(values) = value {
        return values.into_iter().map(without_password).collect();
    }
    let hidden = value.as_str().and_then(|text| {
        let (scheme, rest) = text.split_once("://")?;
        let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let at = rest[..host].rfind('@')?;
        Some(format!("{scheme}://{REDACTED}{}", &rest[at..]))
    });
    hidden.map_or(value, Into::into)
}

/// `None` for a value that is not set.
fn json(value: &Value) -> Option<serde_json::Value> {
    if matches!(value, Value::Empty(..)) { None } else { value.deserialize().ok() }
}
