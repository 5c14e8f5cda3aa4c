//! Tokens as an issuer makes them, and as an attacker does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod issuer;
mod published;
mod tokens;
