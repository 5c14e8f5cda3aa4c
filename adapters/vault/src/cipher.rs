//! AES-256-GCM (NIST SP 800-38D) under one key: nonce ‖ ciphertext ‖ tag. Knows not what it seals.
//!
//! Nonces are 96 random bits. A key stays below the 2³² uses that this allows (SP 800-38D, 8.3): one person's events.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use rand::RngExt;
use zeroize::Zeroizing;

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// A key in the clear; wiped when dropped.
pub(crate) struct Key(Zeroizing<[u8; KEY_BYTES]>);

/// More than 64 GiB at once.
#[derive(Debug)]
pub(crate) struct TooLong;

impl Key {
    pub(crate) fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    /// A new one, of the operating system's randomness as the thread's generator spreads it.
    pub(crate) fn random() -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rand::rng().fill(&mut bytes[..]);
        Self(bytes)
    }

    /// The key itself, to be wrapped.
    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    pub(crate) fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, TooLong> {
        let nonce: [u8; NONCE_BYTES] = rand::rng().random();
        let mut sealed = Vec::with_capacity(NONCE_BYTES + plaintext.len() + TAG_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let text = InOutBuf::from(&mut sealed[NONCE_BYTES..]);
        let tag = self.cipher().encrypt_inout_detached(&nonce.into(), aad, text).map_err(|_| TooLong)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// `None` for whatever was not sealed under this key with this `aad`. Nothing of it is in memory then.
    pub(crate) fn open(&self, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        let text = InOutBuf::from(&mut plaintext[..]);
        self.cipher().decrypt_inout_detached(&(*nonce).into(), aad, text, &(*tag).into()).ok()?;
        Some(plaintext)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(self.bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_standards_cipher() {
        // Test case 16 of the GCM specification (McGrew and Viega), whose nonce stands in front here.
        let bytes = |text: &str| hex::decode(text).unwrap();
        let key = bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let sealed = bytes(
            "cafebabefacedbaddecaf888522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10\
             56828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
        );
        let key = Key::new(Zeroizing::new(key.try_into().unwrap()));
        let opened = key.open(&bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2"), &sealed).unwrap();
        assert!(opened.starts_with(&bytes("d9313225f88406e5a55909c5aff5269a")));
        assert_eq!(opened.len(), 60);
    }

    #[test]
    fn no_nonce_comes_twice() {
        let key = Key::random();
        let nonces: std::collections::HashSet<_> =
            (0..1000).map(|_| key.seal(b"", b"").unwrap()[..NONCE_BYTES].to_vec()).collect();
        assert_eq!(nonces.len(), 1000);
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_noticed() {
        let key = Key::random();
        let sealed = key.seal(b"where", b"what").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(key.open(b"where", &flipped).is_none(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(key.open(b"where", &sealed[..length]).is_none(), "{length} bytes");
        }
        assert_eq!(*key.open(b"where", &sealed).unwrap(), b"what");
    }
}
