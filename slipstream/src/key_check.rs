//! The providers as the gateway asks them about keys.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use slipstream_domain::{ErrorClass, ProviderId};
use slipstream_gateway::{KeyCheck, KeyCheckError};
use slipstream_providers::{ApiKey, Providers};

/// The providers, for the gateway.
pub(crate) struct VendorKeyCheck(pub(crate) Arc<Providers>);

#[async_trait]
impl KeyCheck for VendorKeyCheck {
    async fn check(&self, provider: &ProviderId, key: &SecretString) -> Result<(), KeyCheckError> {
        let key = ApiKey::parse(key).map_err(|error| KeyCheckError::Refused(error.to_string()))?;
        self.0.check_key(provider, &key).await.map_err(|error| match error.class() {
            ErrorClass::Auth | ErrorClass::InvalidRequest => {
                KeyCheckError::Refused(error.message().to_owned())
            }
            ErrorClass::RateLimited
            | ErrorClass::Quota
            | ErrorClass::Overloaded
            | ErrorClass::ContentFiltered
            | ErrorClass::Timeout
            | ErrorClass::Network
            | ErrorClass::Protocol
            | ErrorClass::Internal => KeyCheckError::Untold(error.message().to_owned()),
        })
    }
}
