//! The test kit itself: what every other test trusts.
#![allow(clippy::unwrap_used)]

mod database;
mod replay;
