//! Everything that the vault has of a person, destroyed at once.

use async_trait::async_trait;
use slipstream_commands::ports::{PortError, UserVault};
use slipstream_domain::UserId;

use crate::vault::Vault;

/// In one transaction. Other processes notice within 60 s that the key is gone.
#[async_trait]
impl UserVault for Vault {
    async fn destroy(&self, user: UserId) -> Result<(), PortError> {
        self.keys.destroy(user.as_uuid()).await.map_err(PortError::from)
    }
}
