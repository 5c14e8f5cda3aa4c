//! The settings as they stand in the file, with their defaults. What they become is [`Config`](super::Config).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};
use slipstream_domain::ProviderId;
use slipstream_providers::HttpSettings;
use slipstream_workers::{AtGraceEnd, Fallback};

use super::assets::{Assets, S3};
use super::audit::Audit;
use super::cluster::{Nats, Redis};
use super::telemetry::{Log, Telemetry};

/// All sections.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) server: Server,
    pub(super) secrets: Secrets,
    pub(super) database: Database,
    pub(super) auth: Auth,
    pub(super) vault: Vault,
    pub(super) gateway: Gateway,
    pub(super) limits: Limits,
    pub(super) nats: Nats,
    pub(super) redis: Redis,
    pub(super) assets: Assets,
    pub(super) s3: S3,
    pub(super) audit: Audit,
    pub(super) worker: Worker,
    pub(super) catalogue: Catalogue,
    pub(super) providers: Providers,
    pub(super) upstream: Upstream,
    pub(super) log: Log,
    pub(super) telemetry: Telemetry,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Server {
    pub(super) listen: SocketAddr,
    pub(super) port: Option<NonZeroU16>,
}

/// Where other settings are from.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Secrets {
    pub(super) aws_secret_id: Option<String>,
    refresh_seconds: NonZeroU32,
}

impl Secrets {
    /// How often the secret is read again; never without one.
    pub(crate) fn refresh(&self) -> Option<Duration> {
        self.aws_secret_id.as_ref().map(|_| duration(self.refresh_seconds))
    }
}

impl Default for Secrets {
    fn default() -> Self {
        Self { aws_secret_id: None, refresh_seconds: seconds(Duration::from_mins(5)) }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Database {
    #[serde(serialize_with = "no_secret")]
    pub(super) url: Option<SecretString>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Auth {
    pub(super) methods: Vec<String>,
    #[serde(serialize_with = "no_secret")]
    pub(super) service_token: Option<SecretString>,
    #[serde(serialize_with = "no_secret")]
    pub(super) jwt_secret: Option<SecretString>,
    pub(super) jwks_url: Option<String>,
    pub(super) jwt_issuer: Option<String>,
    pub(super) jwt_audience: Option<String>,
    #[serde(serialize_with = "no_secret")]
    pub(super) email_pepper: Option<SecretString>,
    pub(super) development_email: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Vault {
    #[serde(serialize_with = "no_secret")]
    pub(super) master_keys: Option<SecretString>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Gateway {
    pub(super) allowed_origins: Vec<String>,
    pub(super) sockets_per_user: NonZeroU32,
    pub(super) sockets_per_address: NonZeroU32,
    pub(super) trusted_proxies: Vec<IpAddr>,
    pub(super) sockets: NonZeroU32,
    pub(super) frames_per_second: NonZeroU32,
    pub(super) max_frame_bytes: NonZeroU32,
    pub(super) max_in_flight: NonZeroU32,
    pub(super) max_conversations: NonZeroU32,
    pub(super) transcript_patience_seconds: NonZeroU32,
    pub(super) look_every_seconds: NonZeroU32,
    pub(super) request_head_seconds: NonZeroU32,
    pub(super) authentication_seconds: NonZeroU32,
    pub(super) session_check_seconds: NonZeroU32,
    pub(super) tickets_per_user: NonZeroU32,
    pub(super) stall_seconds: NonZeroU32,
    pub(super) goodbye_seconds: NonZeroU32,
    pub(super) drain_seconds: NonZeroU32,
    pub(super) ping_every_seconds: NonZeroU32,
    pub(super) ping_answer_seconds: NonZeroU32,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Limits {
    pub(super) free_messages_per_day: Option<u32>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Catalogue {
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Worker {
    pub(super) concurrency: NonZeroU32,
    pub(super) grace_seconds: Option<NonZeroU32>,
    pub(super) titles: bool,
}

/// By the provider's id.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Providers(pub(super) BTreeMap<String, Provider>);

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Provider {
    #[serde(serialize_with = "no_secret")]
    pub(super) api_key: Option<SecretString>,
    pub(super) base_url: Option<String>,
    pub(super) fallback: Option<String>,
}

/// How long the providers may take.
#[derive(Debug, Serialize, Deserialize)]
#[allow(clippy::struct_field_names, reason = "every setting says its unit")]
pub(super) struct Upstream {
    pub(super) connect_seconds: NonZeroU32,
    pub(super) first_byte_seconds: NonZeroU32,
    pub(super) silence_seconds: NonZeroU32,
    pub(super) work_seconds: NonZeroU32,
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)), port: None }
    }
}

impl Default for Auth {
    fn default() -> Self {
        let methods = ["ticket", "session"].map(str::to_owned).into();
        Self {
            methods,
            service_token: None,
            jwt_secret: None,
            jwks_url: None,
            jwt_issuer: None,
            jwt_audience: None,
            email_pepper: None,
            development_email: false,
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        let gateway = slipstream_gateway::Settings::default();
        Self {
            allowed_origins: gateway.allowed_origins,
            sockets_per_user: count(gateway.sockets_per_user),
            sockets_per_address: count(gateway.sockets_per_address),
            trusted_proxies: gateway.trusted_proxies,
            sockets: count(gateway.sockets),
            frames_per_second: count(gateway.frames_per_second),
            max_frame_bytes: count(gateway.max_frame_bytes),
            max_in_flight: count(gateway.max_in_flight),
            max_conversations: count(gateway.max_conversations),
            transcript_patience_seconds: seconds(gateway.transcript_patience),
            look_every_seconds: seconds(gateway.look_every),
            request_head_seconds: seconds(gateway.request_head),
            authentication_seconds: seconds(gateway.authentication),
            session_check_seconds: seconds(gateway.session_check),
            tickets_per_user: count(gateway.tickets_per_user),
            stall_seconds: seconds(gateway.stall),
            goodbye_seconds: seconds(gateway.goodbye),
            drain_seconds: seconds(gateway.drain),
            ping_every_seconds: count(gateway.ping_every),
            ping_answer_seconds: count(gateway.ping_answer),
        }
    }
}

impl From<Gateway> for slipstream_gateway::Settings {
    fn from(gateway: Gateway) -> Self {
        Self {
            allowed_origins: gateway.allowed_origins,
            sockets_per_user: gateway.sockets_per_user.get() as usize,
            sockets_per_address: gateway.sockets_per_address.get() as usize,
            trusted_proxies: gateway.trusted_proxies,
            sockets: gateway.sockets.get() as usize,
            frames_per_second: gateway.frames_per_second.get(),
            max_frame_bytes: gateway.max_frame_bytes.get() as usize,
            max_in_flight: gateway.max_in_flight.get(),
            max_conversations: gateway.max_conversations.get() as usize,
            transcript_patience: duration(gateway.transcript_patience_seconds),
            look_every: duration(gateway.look_every_seconds),
            request_head: duration(gateway.request_head_seconds),
            authentication: duration(gateway.authentication_seconds),
            session_check: duration(gateway.session_check_seconds),
            tickets_per_user: gateway.tickets_per_user.get(),
            stall: duration(gateway.stall_seconds),
            goodbye: duration(gateway.goodbye_seconds),
            drain: duration(gateway.drain_seconds),
            ping_every: gateway.ping_every_seconds.get(),
            ping_answer: gateway.ping_answer_seconds.get(),
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        let concurrency = slipstream_workers::Settings::default().concurrency;
        Self { concurrency: count(concurrency), grace_seconds: None, titles: true }
    }
}

impl Worker {
    /// As one of several processes, or alone.
    pub(super) fn settings(
        &self,
        alone: bool,
        fallbacks: BTreeMap<ProviderId, Fallback>,
    ) -> slipstream_workers::Settings {
        let usual = slipstream_workers::Settings::default();
        // Who stops the only process waits for it, and nobody else would take its replies over: their clients must be
        // told.
        let (grace, at_grace_end) = if alone {
            (Duration::from_secs(3), AtGraceEnd::Interrupt)
        } else {
            (usual.grace, AtGraceEnd::HandBack)
        };
        slipstream_workers::Settings {
            concurrency: self.concurrency.get(),
            grace: self.grace_seconds.map_or(grace, duration),
            at_grace_end,
            fallbacks,
            titles: self.titles,
        }
    }
}

impl Default for Providers {
    fn default() -> Self {
        let all = ["openai", "anthropic", "gemini", "grok", "meta", "vercel"];
        Self(all.map(|provider| (provider.to_owned(), Provider::default())).into())
    }
}

impl Default for Upstream {
    fn default() -> Self {
        let http = HttpSettings::default();
        Self {
            connect_seconds: seconds(http.connect),
            first_byte_seconds: seconds(http.first_byte),
            silence_seconds: seconds(http.silence),
            work_seconds: seconds(http.work),
        }
    }
}

impl From<Upstream> for HttpSettings {
    fn from(upstream: Upstream) -> Self {
        Self {
            connect: duration(upstream.connect_seconds),
            first_byte: duration(upstream.first_byte_seconds),
            silence: duration(upstream.silence_seconds),
            work: duration(upstream.work_seconds),
            ..Self::default()
        }
    }
}

/// Only defaults are ever serialized, and no secret has one.
#[allow(clippy::ref_option, reason = "serde hands over a reference to the field")]
pub(super) fn no_secret<S: Serializer>(_: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_none()
}

pub(super) fn count(number: impl TryInto<u32>) -> NonZeroU32 {
    number.try_into().ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX)
}

pub(super) fn seconds(duration: Duration) -> NonZeroU32 {
    count(duration.as_secs())
}

pub(super) fn duration(seconds: NonZeroU32) -> Duration {
    Duration::from_secs(seconds.get().into())
}
