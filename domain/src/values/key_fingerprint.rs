//! How a vendor's key is told from another without being known.

use sha2::{Digest, Sha256};

/// 48 bits of a hash of a key. Vendors' keys are random, so that nothing can be guessed from this.
#[must_use]
pub fn key_fingerprint(key: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"slipstream provider key\0");
    hash.update(key.as_bytes());
    hex::encode(&hash.finalize()[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_fingerprint_and_another_key_another() {
        assert_eq!(key_fingerprint("sk-1").len(), 12);
        assert_eq!(key_fingerprint("sk-1"), key_fingerprint("sk-1"));
        assert_ne!(key_fingerprint("sk-1"), key_fingerprint("sk-2"));
    }
}
