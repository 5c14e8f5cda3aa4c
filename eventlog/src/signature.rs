//! Signatures over heads of the log: what an insider who rewrites everything consistently cannot make. They are of use
//! only outside the database; where to is the caller's matter.
//!
//! Ed25519 (RFC 8032) over `slipstream-signature/1`, a zero byte, the signature's id (16 bytes), the batch number
//! (8 bytes, most significant first), the chain at that batch (32 bytes) and the time of signing (µs since 1970,
//! 8 bytes, most significant first).

use std::{fmt, str::FromStr};

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Head, SignedHead, codec::micros, hex_bytes::Hex};

/// What a signature says that it is, in its file and in what is signed.
const FORMAT: &str = "slipstream-signature/1";

/// What signs the log. Cannot be printed.
pub struct SigningKey(Ed25519KeyPair);

/// What tells a signature of the log's from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey(Hex<32>);

/// Text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key must be 64 hexadecimal digits")]
pub struct NotAKey;

/// A signature over a head of the log, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the form of the file")]
pub struct Signature {
    /// Always `slipstream-signature/1`.
    format: String,
    /// What `LogSigned` in the log calls it.
    pub signature_id: Uuid,
    /// The newest batch there was.
    pub batch_no: i64,
    /// The chain over all batches up to that one.
    chain: Hex<32>,
    /// When it was made, in µs since 1970, by the clock of who signed.
    pub signed_at_us: i64,
    /// By whom.
    pub public_key: PublicKey,
    /// Ed25519.
    signature: Hex<64>,
}

/// Why a signature proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// It is by somebody else.
    #[error("it is signed with another key: {0}")]
    OtherKey(PublicKey),
    /// It is not by whom it says, or not over what it says.
    #[error("the signature is false")]
    Forged,
    /// It is of a form this program does not know.
    #[error("its format is not {FORMAT}")]
    Format,
}

impl SigningKey {
    /// The key with this seed: 64 hexadecimal digits.
    ///
    /// # Errors
    /// Text that is no such thing.
    pub fn parse(seed: &str) -> Result<Self, NotAKey> {
        let seed: Hex<32> = seed.trim().parse().map_err(|_| NotAKey)?;
        Ed25519KeyPair::from_seed_unchecked(&seed.0).map(Self).map_err(|_| NotAKey)
    }

    /// What others check its signatures with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(Hex(key))
    }

    /// Signs a head of the log.
    #[must_use]
    pub fn sign(&self, head: &Head, signature_id: Uuid, at: OffsetDateTime) -> Signature {
        let mut signature = Signature {
            format: FORMAT.to_owned(),
            signature_id,
            batch_no: head.batch_no,
            chain: Hex(head.chain),
            signed_at_us: micros(at),
            public_key: self.public(),
            signature: Hex([0; 64]),
        };
        let signed = self.0.sign(&signature.signed());
        signature.signature.0.copy_from_slice(signed.as_ref());
        signature
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

impl FromStr for PublicKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        text.trim().parse().map(Self).map_err(|_| NotAKey)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Signature {
    /// The name of the file it is kept in, below a folder for the UTC day it was made on: names are in the order of
    /// batches.
    #[must_use]
    pub fn file_name(&self) -> String {
        let at = OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::microseconds(self.signed_at_us));
        format!("{}/{:012}-{}.json", at.date(), self.batch_no, self.signature_id)
    }

    /// The head that it proves, to who trusts `key`.
    ///
    /// # Errors
    /// It proves nothing: see [`NotSigned`].
    pub fn verify(&self, key: &PublicKey) -> Result<SignedHead, NotSigned> {
        if self.format != FORMAT {
            return Err(NotSigned::Format);
        }
        if self.public_key != *key {
            return Err(NotSigned::OtherKey(self.public_key));
        }
        let key = UnparsedPublicKey::new(&ED25519, key.0.0);
        key.verify(&self.signed(), &self.signature.0).map_err(|_| NotSigned::Forged)?;
        Ok(SignedHead { batch_no: self.batch_no, chain: self.chain.0 })
    }

    fn signed(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend_from_slice(FORMAT.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(self.signature_id.as_bytes());
        bytes.extend_from_slice(&self.batch_no.to_be_bytes());
        bytes.extend_from_slice(&self.chain.0);
        bytes.extend_from_slice(&self.signed_at_us.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Position;

    const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

    fn signature() -> (SigningKey, Signature) {
        let key = SigningKey::parse(SEED).unwrap();
        let head = Head { position: Position::new(9), batch_no: 4, chain: [7; 32], recorded_at: None };
        let signature = key.sign(&head, Uuid::from_u128(3), OffsetDateTime::UNIX_EPOCH);
        (key, signature)
    }

    #[test]
    fn the_public_key_of_a_seed_is_that_of_the_rfc() {
        let key = SigningKey::parse(SEED).unwrap().public();
        // RFC 8032, 7.1, test 1.
        assert_eq!(key.to_string(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(key.to_string().parse(), Ok(key));
        for wrong in ["", "9d61", &SEED.replace('9', "g")] {
            assert!(SigningKey::parse(wrong).is_err() && wrong.parse::<PublicKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_signature_proves_its_head_and_reads_back_from_its_text() {
        let (key, signature) = signature();
        let text = serde_json::to_string(&signature).unwrap();
        let back: Signature = serde_json::from_str(&text).unwrap();
        assert_eq!(back.verify(&key.public()), Ok(SignedHead { batch_no: 4, chain: [7; 32] }));
        assert!(!format!("{key:?}").contains("9d61"));
        assert_eq!(back.file_name(), "1970-01-01/000000000004-00000000-0000-0000-0000-000000000003.json");
    }

    #[test]
    fn a_signature_with_anything_changed_or_by_another_proves_nothing() {
        let (key, signature) = signature();
        let other = SigningKey::parse(&SEED.replace('9', "8")).unwrap();
        assert_eq!(signature.verify(&other.public()), Err(NotSigned::OtherKey(key.public())));
        let claimed = Signature { public_key: other.public(), ..signature.clone() };
        assert_eq!(claimed.verify(&other.public()), Err(NotSigned::Forged));
        for changed in [
            Signature { batch_no: 5, ..signature.clone() },
            Signature { chain: Hex([8; 32]), ..signature.clone() },
            Signature { signed_at_us: 1, ..signature.clone() },
            Signature { signature_id: Uuid::nil(), ..signature.clone() },
        ] {
            assert_eq!(changed.verify(&key.public()), Err(NotSigned::Forged), "{changed:?}");
        }
        let newer = Signature { format: "slipstream-signature/2".to_owned(), ..signature };
        assert_eq!(newer.verify(&key.public()), Err(NotSigned::Format));
    }
}
