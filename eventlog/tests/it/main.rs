//! The log against a real PostgreSQL: given by `SLIPSTREAM_TEST_DATABASE_URL`, and, where it has to crash, a
//! private one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod append;
mod crash;
mod feed;
mod history;
mod lease;
mod model;
mod payload;
mod projector;
mod proof;
mod read;
mod support;
mod upkeep;
mod verify;
