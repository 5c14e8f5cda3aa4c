//! The log's key ring: personal halves of events under their owners' data keys.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use slipstream_eventlog::{
    Forged, KeyRing, KeyRingUnavailable, OwnerId, SealError, SealRequest, SealedBytes, UnsealRequest,
    Unsealed,
};
use uuid::Uuid;

use crate::cache::DataKey;
use crate::data_keys::DataKeys;
use crate::error::VaultError;

/// Seals with AES-256-GCM. A destroyed key is noticed by this process at once when it destroyed it, and within 60 s
/// otherwise.
pub struct VaultKeyRing(DataKeys);

impl VaultKeyRing {
    pub(crate) fn new(keys: DataKeys) -> Self {
        Self(keys)
    }
}

#[async_trait]
impl KeyRing for VaultKeyRing {
    async fn seal(
        &self,
        owner: Option<OwnerId>,
        items: Vec<SealRequest>,
    ) -> Result<Vec<SealedBytes>, SealError> {
        let DataKey { id: key_id, key, .. } =
            self.0.of(owner.map(OwnerId::as_uuid)).await.map_err(KeyRingUnavailable::from)?;
        let key = key.ok_or(SealError::Erased)?;
        let seal = |item: SealRequest| {
            let bytes = key.seal(&bound(key_id, &item.aad), &item.plaintext).map_err(VaultError::from);
            Ok(SealedBytes { key_id, bytes: bytes.map_err(KeyRingUnavailable::from)? })
        };
        items.into_iter().map(seal).collect()
    }

    async fn unseal(
        &self,
        items: Vec<UnsealRequest>,
    ) -> Result<Vec<Result<Unsealed, Forged>>, KeyRingUnavailable> {
        let ids: BTreeSet<Uuid> = items.iter().map(|item| item.key_id).filter(|id| !id.is_nil()).collect();
        let keys = self.0.by_ids(&ids.into_iter().collect::<Vec<_>>()).await?;
        let keys: HashMap<Uuid, DataKey> = keys.into_iter().map(|key| (key.id, key)).collect();
        Ok(items.into_iter().map(|item| open(item, &keys)).collect())
    }
}

fn open(item: UnsealRequest, keys: &HashMap<Uuid, DataKey>) -> Result<Unsealed, Forged> {
    if item.key_id.is_nil() {
        return Ok(Unsealed::Open(item.bytes)); // the null cipher's, of before there was a vault
    }
    let data_key = keys.get(&item.key_id).ok_or(Forged)?;
    if data_key.owner != item.owner.map(OwnerId::as_uuid) {
        return Err(Forged);
    }
    let Some(key) = &data_key.key else { return Ok(Unsealed::Erased) };
    let mut plaintext = key.open(&bound(item.key_id, &item.aad), &item.bytes).ok_or(Forged)?;
    Ok(Unsealed::Open(std::mem::take(&mut *plaintext)))
}

fn bound(key_id: Uuid, aad: &[u8]) -> Vec<u8> {
    [&key_id.as_bytes()[..], aad].concat()
}
