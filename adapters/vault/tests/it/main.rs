//! The vault on a real database.
#![allow(clippy::unwrap_used)]

mod keys;
mod world;
