//! The table of all settings: name, well-known variable, and what a right value looks like. A setting's meaning stands
//! in `ops/slipstream.example.toml`.

/// One setting.
#[derive(Debug)]
pub(crate) struct Key {
    /// Where it stands in the file: `section.name`.
    pub(crate) path: &'static str,
    /// The variable that others know it by, beside `SLIPSTREAM_<SECTION>__<NAME>`.
    pub(crate) variable: Option<&'static str>,
    /// What its values are.
    pub(crate) kind: Kind,
}

/// What a setting's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// Text that is never shown.
    Secret,
    /// A whole number that is not zero.
    Count,
    /// A whole number, or zero.
    Number,
    Port,
    Flag,
    Texts,
    Address,
    Addresses,
    LogFormat,
}

impl Kind {
    /// What would be right.
    pub(crate) fn right(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "text",
            Self::Count => "a whole number from 1 to 4294967295",
            Self::Number => "a whole number from 0 to 4294967295",
            Self::Port => "a whole number from 1 to 65535",
            Self::Flag => "true or false",
            Self::Texts => "a list of texts (in a variable: separated by commas)",
            Self::Address => "an IP address with a port, such as 127.0.0.1:4000",
            Self::Addresses => "a list of IP addresses (in a variable: separated by commas)",
            Self::LogFormat => "pretty or json",
        }
    }
}

impl Key {
    /// The variable every setting has: `gateway.max_in_flight` is `SLIPSTREAM_GATEWAY__MAX_IN_FLIGHT`.
    pub(crate) fn own_variable(&self) -> String {
        format!("{OWN_PREFIX}{}", self.path.replace('.', "__").to_uppercase())
    }
}

/// What the variables begin with that are ours alone.
pub(crate) const OWN_PREFIX: &str = "SLIPSTREAM_";

/// The setting of this name.
pub(crate) fn key(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

const fn own(path: &'static str, kind: Kind) -> Key {
    Key { path, variable: None, kind }
}

const fn known(path: &'static str, kind: Kind, variable: &'static str) -> Key {
    Key { path, variable: Some(variable), kind }
}

/// The setting that others may come from.
pub(super) const SECRET_ID: &str = "secrets.aws_secret_id";

/// Every setting, in the order they are shown. The variables of providers are those of `07-identity-and-keys`.
pub(crate) const KEYS: [Key; 100] = [
    own("server.listen", Kind::Address),
    known("server.port", Kind::Port, "PORT"),
    known(SECRET_ID, Kind::Text, "AWS_CREDENTIAL_SECRET_ID"),
    own("secrets.refresh_seconds", Kind::Count),
    known("database.url", Kind::Secret, "DATABASE_URL"),
    known("auth.email_pepper", Kind::Secret, "EMAIL_PEPPER"),
    own("auth.methods", Kind::Texts),
    own("auth.service_token", Kind::Secret),
    known("auth.jwt_secret", Kind::Secret, "JWT_SECRET"),
    own("auth.jwks_url", Kind::Text),
    own("auth.jwt_issuer", Kind::Text),
    own("auth.jwt_audience", Kind::Text),
    own("auth.development_email", Kind::Flag),
    known("vault.master_keys", Kind::Secret, "ENCRYPTION_KEY"),
    own("gateway.allowed_origins", Kind::Texts),
    own("gateway.sockets_per_user", Kind::Count),
    own("gateway.sockets_per_address", Kind::Count),
    own("gateway.trusted_proxies", Kind::Addresses),
    own("gateway.sockets", Kind::Count),
    own("gateway.frames_per_second", Kind::Count),
    own("gateway.max_frame_bytes", Kind::Count),
    own("gateway.max_in_flight", Kind::Count),
    own("gateway.max_conversations", Kind::Count),
    own("gateway.transcript_patience_seconds", Kind::Count),
    own("gateway.look_every_seconds", Kind::Count),
    own("gateway.request_head_seconds", Kind::Count),
    own("gateway.authentication_seconds", Kind::Count),
    own("gateway.session_check_seconds", Kind::Count),
    own("gateway.tickets_per_user", Kind::Count),
    own("gateway.stall_seconds", Kind::Count),
    own("gateway.goodbye_seconds", Kind::Count),
    own("gateway.drain_seconds", Kind::Count),
    own("gateway.ping_every_seconds", Kind::Count),
    own("gateway.ping_answer_seconds", Kind::Count),
    own("limits.free_messages_per_day", Kind::Number),
    known("nats.servers", Kind::Texts, "NATS_URL"),
    own("nats.prefix", Kind::Text),
    own("nats.replicas", Kind::Count),
    own("nats.ack_wait_seconds", Kind::Count),
    own("nats.in_hand", Kind::Count),
    own("nats.token", Kind::Secret),
    own("nats.user", Kind::Text),
    own("nats.password", Kind::Secret),
    own("nats.nkey", Kind::Secret),
    own("nats.creds", Kind::Secret),
    own("nats.tls_authority", Kind::Text),
    own("nats.tls_certificate", Kind::Text),
    own("nats.tls_key", Kind::Secret),
    known("redis.url", Kind::Secret, "REDIS_URL"),
    known("redis.host", Kind::Text, "REDIS_HOST"),
    own("redis.timeout_ms", Kind::Count),
    known("redis.tls_authority", Kind::Text, "REDIS_CA_PEM"),
    known("redis.tls_certificate", Kind::Text, "REDIS_CLIENT_CERT"),
    known("redis.tls_key", Kind::Secret, "REDIS_CLIENT_KEY"),
    own("assets.folder", Kind::Text),
    own("assets.public_url", Kind::Text),
    known("assets.bucket", Kind::Text, "ASSETS_BUCKET"),
    known("assets.generated_bucket", Kind::Text, "GEN_BUCKET"),
    own("assets.user_mib", Kind::Count),
    own("assets.open_uploads", Kind::Count),
    own("assets.keep_deleted_days", Kind::Count),
    own("assets.fetch_also_from", Kind::Texts),
    known("s3.access_key_id", Kind::Text, "AWS_ACCESS_KEY_S3"),
    known("s3.secret_access_key", Kind::Secret, "AWS_SECRET_ACCESS_KEY_S3"),
    own("s3.region", Kind::Text),
    own("s3.endpoint", Kind::Text),
    own("s3.path_style", Kind::Flag),
    own("audit.signing_key", Kind::Secret),
    own("audit.signatures_folder", Kind::Text),
    own("audit.signatures_bucket", Kind::Text),
    own("worker.concurrency", Kind::Count),
    own("worker.grace_seconds", Kind::Count),
    own("worker.titles", Kind::Flag),
    own("catalogue.file", Kind::Text),
    known("providers.openai.api_key", Kind::Secret, "OPENAI_API_KEY"),
    known("providers.openai.base_url", Kind::Text, "OPENAI_BASE_URL"),
    own("providers.openai.fallback", Kind::Text),
    known("providers.anthropic.api_key", Kind::Secret, "ANTHROPIC_API_KEY"),
    known("providers.anthropic.base_url", Kind::Text, "ANTHROPIC_BASE_URL"),
    own("providers.anthropic.fallback", Kind::Text),
    known("providers.gemini.api_key", Kind::Secret, "GOOGLE_API_KEY"),
    known("providers.gemini.base_url", Kind::Text, "GEMINI_BASE_URL"),
    own("providers.gemini.fallback", Kind::Text),
    known("providers.grok.api_key", Kind::Secret, "X_AI_KEY"),
    known("providers.grok.base_url", Kind::Text, "XAI_BASE_URL"),
    own("providers.grok.fallback", Kind::Text),
    known("providers.meta.api_key", Kind::Secret, "LLAMA_API_KEY"),
    known("providers.meta.base_url", Kind::Text, "LLAMA_BASE_URL"),
    own("providers.meta.fallback", Kind::Text),
    known("providers.vercel.api_key", Kind::Secret, "V0_API_KEY"),
    known("providers.vercel.base_url", Kind::Text, "V0_BASE_URL"),
    own("providers.vercel.fallback", Kind::Text),
    own("upstream.connect_seconds", Kind::Count),
    own("upstream.first_byte_seconds", Kind::Count),
    own("upstream.silence_seconds", Kind::Count),
    own("upstream.work_seconds", Kind::Count),
    own("log.format", Kind::LogFormat),
    known("log.filter", Kind::Text, "RUST_LOG"),
    known("telemetry.otlp_endpoint", Kind::Text, "OTEL_EXPORTER_OTLP_ENDPOINT"),
    known("telemetry.service_name", Kind::Text, "OTEL_SERVICE_NAME"),
];
