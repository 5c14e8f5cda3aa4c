//! JSON Web Tokens: what one says of who shows it, when it is signed by whom it should be, for us, and in its time.
//!
//! Takes HS256 with a secret, and RS256, ES256 and `EdDSA` with the keys that an issuer publishes (a JWKS). Knows nothing of
//! people: whom a token stands for is the gateway's matter. Refuses every other algorithm, `none` before all.

mod crypto;
mod published;
mod verifier;

pub use verifier::{JwtSettings, JwtVerifier, SettingsError};
