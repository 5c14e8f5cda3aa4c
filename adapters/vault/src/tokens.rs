//! Tokens that cannot be guessed, and what is kept of them.

use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// 256 random bits as hexadecimal digits.
pub(crate) fn new_token() -> SecretString {
    SecretString::from(hex::encode(rand::rng().random::<[u8; 32]>()))
}

/// What is kept: SHA-256. A token has too many bits to be guessed from it, so a slow hash would win nothing.
pub(crate) fn kept(token: &SecretString) -> Vec<u8> {
    Sha256::digest(token.expose_secret().as_bytes()).to_vec()
}
