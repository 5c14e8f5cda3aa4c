//! Keys of providers as the TypeScript Slipstream kept them: AES-256-GCM under its `ENCRYPTION_KEY`, with a nonce of 16 bytes
//! and the tag beside, all three in hexadecimal, and bound to nothing. Only opened, for the import; never made.

use aes_gcm::aead::consts::U16;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aes::Aes256;
use aes_gcm::{AeadInOut, AesGcm, KeyInit};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::cipher::Key;

const IV_BYTES: usize = 16;
const TAG_BYTES: usize = 16;

/// A key of a provider, encrypted by the original. Hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the original")]
pub struct OriginalCiphertext {
    pub encrypted_key: String,
    pub iv: String,
    pub auth_tag: String,
}

impl OriginalCiphertext {
    /// `None` for whatever was not encrypted under this key.
    pub(crate) fn open(&self, key: &Key) -> Option<SecretString> {
        let (mut iv, mut tag) = ([0; IV_BYTES], [0; TAG_BYTES]);
        hex::decode_to_slice(&self.iv, &mut iv).ok()?;
        hex::decode_to_slice(&self.auth_tag, &mut tag).ok()?;
        let mut text = Zeroizing::new(hex::decode(&self.encrypted_key).ok()?);
        let cipher = AesGcm::<Aes256, U16>::new(key.bytes().into());
        cipher.decrypt_inout_detached(&iv.into(), &[], InOutBuf::from(&mut text[..]), &tag.into()).ok()?;
        String::from_utf8(std::mem::take(&mut *text)).ok().map(SecretString::from)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    /// Made by Node.js: `createCipheriv('aes-256-gcm', Buffer.alloc(32, 0xa1), Buffer.alloc(16, 7))` of `sk-imported`.
    fn sample() -> OriginalCiphertext {
        OriginalCiphertext {
            encrypted_key: "2a5df270e186737f28dfb6".into(),
            iv: "07".repeat(16),
            auth_tag: "ea4e3c6bcf832ffc05f115a55a2c7ac4".into(),
        }
    }

    fn key(byte: u8) -> Key {
        Key::new(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn what_the_original_encrypted_is_opened_with_its_key_alone() {
        assert_eq!(sample().open(&key(0xa1)).unwrap().expose_secret(), "sk-imported");
        assert!(sample().open(&key(0xa2)).is_none());
    }

    #[test]
    fn what_was_cut_flipped_or_is_no_hexadecimal_is_not_opened() {
        let sample = sample();
        let cut = OriginalCiphertext { encrypted_key: sample.encrypted_key[2..].into(), ..sample.clone() };
        let flipped = OriginalCiphertext { auth_tag: "00".repeat(16), ..sample.clone() };
        let short = OriginalCiphertext { iv: "07".repeat(12), ..sample.clone() };
        let no_hex = OriginalCiphertext { encrypted_key: "sk-imported".into(), ..sample };
        for broken in [cut, flipped, short, no_hex] {
            assert!(broken.open(&key(0xa1)).is_none(), "{broken:?}");
        }
    }
}
