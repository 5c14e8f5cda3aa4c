//! The read models over a real log, written by the real use cases. The server is given by
//! `SLIPSTREAM_TEST_DATABASE_URL`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod analytics;
mod as_of;
mod attachments;
mod blue_green;
mod branching;
mod erasing;
mod following;
mod paging;
mod parking;
mod reading;
mod rebuilding;
mod running;
mod searching;
mod settings;
mod usage;
mod world;
