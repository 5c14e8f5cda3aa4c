//! The vault on a real database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod erasing;
mod keys;
mod provider_keys;
mod sessions;
mod world;
