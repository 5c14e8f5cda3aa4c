//! A worker on a real log, with the queue, bus and stream state of one process and a provider that follows a script.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

mod asking;
mod attaching;
mod cancelling;
mod draining;
mod falling_back;
mod faults;
mod making;
mod pictures;
mod queue;
mod reaping;
mod taking_over;
mod titles;
mod world;
