//! How to reach S3.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_smithy_http_client::{Builder, tls};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// An unreachable address answers with nothing at all.
const CONNECT: Duration = Duration::from_secs(5);
/// Until the next bytes of an answer.
const READ: Duration = Duration::from_secs(30);

/// How to reach S3.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// The region; what it is to those who have none is theirs to say (`auto` for R2, `us-east-1` for `MinIO`).
    pub region: String,
    /// Where it is, when it is not Amazon's.
    pub endpoint: Option<Url>,
    /// The bucket stands in the path, not in the host's name.
    pub path_style: bool,
    /// The name of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: SecretString,
}

impl S3Settings {
    pub(crate) fn client(&self) -> Client {
        let secret = self.secret_access_key.expose_secret();
        let credentials = Credentials::new(&self.access_key_id, secret, None, None, "settings");
        let http = Builder::new().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring));
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http.build_https())
            .credentials_provider(credentials)
            .region(Region::new(self.region.clone()))
            .force_path_style(self.path_style)
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(READ).build())
            // Else signed URLs demand a checksum that no browser computes, and others than Amazon refuse it.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint.as_str());
        }
        Client::from_conf(config.build())
    }
}
