//! The operator's keys that wrap data keys. The first wraps; the others only unwrap what they wrapped before.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cipher::{KEY_BYTES, Key};
use crate::error::VaultError;
use crate::original::OriginalCiphertext;

/// The master keys of this process.
pub struct MasterKeys(Vec<(MasterId, Key)>);

/// A master key by name: what can be said of it. 64 bits of a hash of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterId(pub(crate) String);

impl fmt::Display for MasterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A master key that is none. Names it by its place, never by its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// It has another length.
    #[error("master key {number} of {count} has {length} characters; it must be 64 hexadecimal digits")]
    Length {
        /// Which, from 1.
        number: usize,
        /// Of how many.
        count: usize,
        /// Its length.
        length: usize,
    },
    /// It has other characters.
    #[error("master key {number} of {count} has characters that are no hexadecimal digits")]
    NotHex {
        /// Which, from 1.
        number: usize,
        /// Of how many.
        count: usize,
    },
    /// It stands there twice.
    #[error("master keys {first} and {second} are the same")]
    Twice {
        /// Where it stands first, from 1.
        first: usize,
        /// And again.
        second: usize,
    },
}

impl MasterKeys {
    /// None at all: only what nobody sealed can be read, and nothing be sealed.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// What the original encrypted under one of them; `None` under none.
    pub(crate) fn open_original(&self, sealed: &OriginalCiphertext) -> Option<SecretString> {
        self.0.iter().find_map(|(_, key)| sealed.open(key))
    }

    /// Keys of 64 hexadecimal digits each, separated by commas.
    ///
    /// # Errors
    /// One of them is none.
    pub fn parse(text: &SecretString) -> Result<Self, MasterKeyError> {
        let texts: Vec<&str> = text.expose_secret().split(',').map(str::trim).collect();
        let mut keys: Vec<(MasterId, Key)> = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let (number, count) = (index + 1, texts.len());
            let length = text.chars().count();
            if length != 2 * KEY_BYTES {
                return Err(MasterKeyError::Length { number, count, length });
            }
            let mut bytes = Zeroizing::new([0; KEY_BYTES]);
            hex::decode_to_slice(text, &mut bytes[..])
                .map_err(|_| MasterKeyError::NotHex { number, count })?;
            let id = MasterId::of(&bytes);
            if let Some(first) = keys.iter().position(|(known, _)| *known == id) {
                return Err(MasterKeyError::Twice { first: first + 1, second: number });
            }
            keys.push((id, Key::new(bytes)));
        }
        Ok(Self(keys))
    }

    /// The one that wraps.
    #[must_use]
    pub fn first(&self) -> Option<&MasterId> {
        self.0.first().map(|(id, _)| id)
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.0.iter().map(|(id, _)| id.0.clone()).collect()
    }

    /// Wraps with the first one, for this data key and owner only.
    pub(crate) fn wrap(
        &self,
        key_id: Uuid,
        owner: Option<Uuid>,
        key: &Key,
    ) -> Result<(MasterId, Vec<u8>), VaultError> {
        let (id, master) = self.0.first().ok_or(VaultError::NoMasterKey)?;
        Ok((id.clone(), master.seal(&bound(key_id, owner), key.bytes())?))
    }

    pub(crate) fn unwrap(
        &self,
        key_id: Uuid,
        owner: Option<Uuid>,
        master: &str,
        wrapped: &[u8],
    ) -> Result<Key, VaultError> {
        let known = self.0.iter().find(|(id, _)| id.0 == master);
        let missing = || VaultError::MasterKeysMissing(vec![(MasterId(master.to_owned()), 1)]);
        let (_, master) = known.ok_or_else(missing)?;
        let opened = master.open(&bound(key_id, owner), wrapped).ok_or(VaultError::Damaged(key_id))?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if opened.len() != KEY_BYTES {
            return Err(VaultError::Damaged(key_id));
        }
        key.copy_from_slice(&opened);
        Ok(Key::new(key))
    }
}

impl MasterId {
    fn of(key: &[u8; KEY_BYTES]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"slipstream master key\0");
        hash.update(key);
        Self(hex::encode(&hash.finalize()[..8]))
    }
}

fn bound(key_id: Uuid, owner: Option<Uuid>) -> Vec<u8> {
    [&key_id.as_bytes()[..], owner.unwrap_or_default().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<MasterKeys, MasterKeyError> {
        MasterKeys::parse(&text.into())
    }

    fn refusal(text: &str) -> String {
        parse(text).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_place_and_not_shown() {
        let (good, short) = ("a1".repeat(32), "b2".repeat(31));
        assert_eq!(
            refusal(&format!("{good}, {short}")),
            "master key 2 of 2 has 62 characters; it must be 64 hexadecimal digits"
        );
        assert_eq!(
            refusal(&"g".repeat(64)),
            "master key 1 of 1 has characters that are no hexadecimal digits"
        );
        assert_eq!(refusal(&format!("{good},{}", good.to_uppercase())), "master keys 1 and 2 are the same");
        assert_eq!(refusal(""), "master key 1 of 1 has 0 characters; it must be 64 hexadecimal digits");
    }

    #[test]
    fn a_wrapped_key_opens_for_its_own_place_and_with_its_own_master_only() {
        let (old, new) = ("01".repeat(32), "02".repeat(32));
        let (key, id, owner) = (Key::random(), Uuid::from_u128(1), Some(Uuid::from_u128(2)));
        let (master, wrapped) = parse(&old).unwrap().wrap(id, owner, &key).unwrap();

        let both = parse(&format!("{new},{old}")).unwrap();
        assert_eq!(both.unwrap(id, owner, &master.0, &wrapped).unwrap().bytes(), key.bytes());
        for (id, owner) in [(id, None), (Uuid::from_u128(3), owner)] {
            assert!(matches!(both.unwrap(id, owner, &master.0, &wrapped), Err(VaultError::Damaged(_))));
        }
        let refused = parse(&new).unwrap().unwrap(id, owner, &master.0, &wrapped).err().unwrap();
        assert!(refused.to_string().contains(&master.0), "{refused}");
    }
}
