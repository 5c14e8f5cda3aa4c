//! Where files go: into S3, or into a folder of this machine.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use slipstream_commands::AttachmentSettings;
use slipstream_domain::attachment::Limits;
use slipstream_s3::S3Settings;
use slipstream_web::Reach;
use slipstream_workers::Patience;
use url::Url;

use super::error::ConfigError;
use super::settings::{count, no_secret};

const MIB: u64 = 1024 * 1024;
/// In seconds.
const DAY: u64 = 24 * 60 * 60;

/// Where files go, and how many are taken.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// Which store.
    pub(crate) place: FilePlace,
    /// Buckets and limits.
    pub(crate) attachments: AttachmentSettings,
    /// How long what is not there, or not wanted, is waited for.
    pub(crate) patience: Patience,
    /// From where files are fetched.
    pub(crate) reach: Reach,
}

/// A store of files.
#[derive(Debug, Clone)]
pub(crate) enum FilePlace {
    /// This folder; `None`: one below the data folder.
    Folder {
        /// Where.
        folder: Option<PathBuf>,
        /// How clients reach this server; `None`: at the address it listens on.
        public: Option<Url>,
    },
    /// S3.
    S3(S3Settings),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Assets {
    folder: Option<PathBuf>,
    public_url: Option<String>,
    bucket: String,
    generated_bucket: String,
    user_mib: NonZeroU32,
    open_uploads: NonZeroU32,
    keep_deleted_days: NonZeroU32,
    fetch_also_from: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct S3 {
    access_key_id: Option<String>,
    #[serde(serialize_with = "no_secret")]
    secret_access_key: Option<SecretString>,
    region: String,
    endpoint: Option<String>,
    path_style: bool,
}

impl Default for Assets {
    fn default() -> Self {
        let usual = AttachmentSettings::default();
        Self {
            folder: None,
            public_url: None,
            bucket: usual.assets_bucket,
            generated_bucket: usual.generated_bucket,
            user_mib: count(usual.limits.user / MIB),
            open_uploads: count(usual.limits.open),
            keep_deleted_days: count(Patience::default().deleted.as_secs() / DAY),
            fetch_also_from: Vec::new(),
        }
    }
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            access_key_id: None,
            secret_access_key: None,
            region: "us-east-1".to_owned(),
            endpoint: None,
            path_style: false,
        }
    }
}

impl Files {
    /// # Errors
    /// Half a key to S3; a URL or an address that is none.
    pub(super) fn new(assets: Assets, s3: S3) -> Result<Self, ConfigError> {
        let limits = Limits {
            user: u64::from(assets.user_mib.get()) * MIB,
            open: assets.open_uploads.get().into(),
            ..Limits::default()
        };
        let attachments = AttachmentSettings {
            assets_bucket: assets.bucket,
            generated_bucket: assets.generated_bucket,
            limits,
            ..AttachmentSettings::default()
        };
        let deleted = Duration::from_secs(u64::from(assets.keep_deleted_days.get()) * DAY);
        let patience = Patience { deleted, ..Patience::default() };
        let reach = Reach::public_and(addresses(&assets.fetch_also_from)?);
        let place = match (s3.access_key_id, s3.secret_access_key) {
            (Some(access_key_id), Some(secret_access_key)) => FilePlace::S3(S3Settings {
                region: s3.region,
                endpoint: s3.endpoint.as_deref().map(|text| url("s3.endpoint", text)).transpose()?,
                path_style: s3.path_style,
                access_key_id,
                secret_access_key,
            }),
            (None, None) => FilePlace::Folder {
                folder: assets.folder,
                public: assets
                    .public_url
                    .as_deref()
                    .map(|text| url("assets.public_url", text))
                    .transpose()?,
            },
            (Some(_), None) | (None, Some(_)) => {
                let wanted = "s3.access_key_id and s3.secret_access_key must be set together";
                return Err(ConfigError::Other(wanted.to_owned()));
            }
        };
        Ok(Self { place, attachments, patience, reach })
    }
}

fn addresses(texts: &[String]) -> Result<Vec<IpAddr>, ConfigError> {
    let address = |text: &String| {
        let wanted = || format!("assets.fetch_also_from: {text} must be an IP address such as 10.0.0.7");
        text.parse().map_err(|_| ConfigError::Other(wanted()))
    };
    texts.iter().map(address).collect()
}

fn url(name: &str, text: &str) -> Result<Url, ConfigError> {
    let fits = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let wanted = || ConfigError::Other(format!("{name} must be a URL such as https://files.example.com"));
    Url::parse(text).ok().filter(fits).ok_or_else(wanted)
}
