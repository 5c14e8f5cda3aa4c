//! Table `vault.provider_key`: people's own keys of providers, each sealed under its owner's data key and bound to owner,
//! provider and key id.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use slipstream_commands::ports::{PortError, ProviderKeys, StoredKey};
use slipstream_domain::values::key_fingerprint;
use slipstream_domain::{KeyId, ProviderId, Timestamp, UserId};
use uuid::Uuid;

use crate::data_keys::DataKeys;
use crate::error::VaultError;

/// Provider keys in PostgreSQL. Cheap to clone. Keeps no key in the clear: each use opens it anew.
#[derive(Clone)]
pub struct VaultProviderKeys(DataKeys);

impl VaultProviderKeys {
    pub(crate) fn new(keys: DataKeys) -> Self {
        Self(keys)
    }

    /// Which key of a provider the user has.
    pub(crate) async fn current(
        &self,
        user: UserId,
        provider: &ProviderId,
    ) -> Result<Option<KeyId>, VaultError> {
        let found = sqlx::query_scalar!(
            "SELECT key_id FROM vault.provider_key WHERE user_id = $1 AND provider = $2",
            user.as_uuid(),
            provider.as_str()
        );
        Ok(found.fetch_optional(self.0.pool()).await?.map(KeyId::from_uuid))
    }

    /// This very key in the clear; `None` when it is not kept any more.
    pub(crate) async fn open(
        &self,
        user: UserId,
        provider: &ProviderId,
        key_id: KeyId,
    ) -> Result<Option<SecretString>, VaultError> {
        let found = sqlx::query_scalar!(
            "SELECT sealed FROM vault.provider_key WHERE user_id = $1 AND provider = $2 AND key_id = $3",
            user.as_uuid(),
            provider.as_str(),
            key_id.as_uuid()
        );
        let Some(sealed) = found.fetch_optional(self.0.pool()).await? else { return Ok(None) };
        let data_key = self.0.of(Some(user.as_uuid())).await?.key.ok_or(VaultError::Erased)?;
        let damaged = || VaultError::Damaged(key_id.as_uuid());
        let mut opened = data_key.open(&bound(user, provider, key_id), &sealed).ok_or_else(damaged)?;
        let text = String::from_utf8(std::mem::take(&mut *opened)).map_err(|_| damaged())?;
        Ok(Some(SecretString::from(text)))
    }

    async fn keep(
        &self,
        user: UserId,
        provider: &ProviderId,
        key: &SecretString,
        is_default: bool,
    ) -> Result<StoredKey, VaultError> {
        let key_id = KeyId::from_uuid(Uuid::now_v7());
        let data_key = self.0.of(Some(user.as_uuid())).await?.key.ok_or(VaultError::Erased)?;
        let sealed = data_key.seal(&bound(user, provider, key_id), key.expose_secret().as_bytes())?;
        let fingerprint = key_fingerprint(key.expose_secret());
        let stored_at = sqlx::query_scalar!(
            r#"WITH others AS (
                   UPDATE vault.provider_key SET is_default = false
                   WHERE user_id = $1 AND provider <> $2 AND is_default AND $5
               )
               INSERT INTO vault.provider_key (user_id, provider, key_id, fingerprint, is_default, sealed)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (user_id, provider) DO UPDATE
               SET key_id = excluded.key_id, fingerprint = excluded.fingerprint, is_default = excluded.is_default,
                   sealed = excluded.sealed, stored_at = excluded.stored_at
               RETURNING (extract(epoch FROM stored_at) * 1000000)::bigint AS "stored_at!""#,
            user.as_uuid(),
            provider.as_str(),
            key_id.as_uuid(),
            &fingerprint,
            is_default,
            sealed
        );
        let stored_at = Timestamp::from_micros(stored_at.fetch_one(self.0.pool()).await?);
        let master_key_id = self.0.master_of(user.as_uuid()).await?;
        Ok(StoredKey {
            provider: provider.clone(),
            key_id,
            fingerprint,
            master_key_id,
            is_default,
            stored_at,
        })
    }
}

#[async_trait]
impl ProviderKeys for VaultProviderKeys {
    async fn put(
        &self,
        user: UserId,
        provider: &ProviderId,
        key: &SecretString,
        is_default: bool,
    ) -> Result<StoredKey, PortError> {
        Ok(self.keep(user, provider, key, is_default).await?)
    }

    async fn list(&self, user: UserId) -> Result<Vec<StoredKey>, PortError> {
        let rows = sqlx::query!(
            r#"SELECT p.provider, p.key_id, p.fingerprint, p.is_default, d.master_id,
                      (extract(epoch FROM p.stored_at) * 1000000)::bigint AS "stored_at!"
               FROM vault.provider_key AS p JOIN vault.data_key AS d ON d.owner_id = p.user_id
               WHERE p.user_id = $1 ORDER BY p.provider"#,
            user.as_uuid()
        );
        let rows = rows.fetch_all(self.0.pool()).await.map_err(VaultError::from)?.into_iter();
        let stored = rows.filter_map(|row| {
            Some(StoredKey {
                provider: ProviderId::parse(&row.provider).ok()?, // only parsed ones were put
                key_id: KeyId::from_uuid(row.key_id),
                fingerprint: row.fingerprint,
                master_key_id: row.master_id,
                is_default: row.is_default,
                stored_at: Timestamp::from_micros(row.stored_at),
            })
        });
        Ok(stored.collect())
    }

    async fn remove(&self, user: UserId, provider: &ProviderId) -> Result<Option<KeyId>, PortError> {
        let removed = sqlx::query_scalar!(
            "DELETE FROM vault.provider_key WHERE user_id = $1 AND provider = $2 RETURNING key_id",
            user.as_uuid(),
            provider.as_str()
        );
        let removed = removed.fetch_optional(self.0.pool()).await.map_err(VaultError::from)?;
        Ok(removed.map(KeyId::from_uuid))
    }
}

/// The provider comes last: all before it has a fixed length.
fn bound(user: UserId, provider: &ProviderId, key_id: KeyId) -> Vec<u8> {
    [&user.as_uuid().as_bytes()[..], key_id.as_uuid().as_bytes(), provider.as_str().as_bytes()].concat()
}
