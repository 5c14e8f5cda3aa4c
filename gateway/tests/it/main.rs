//! The gateway as clients see it: real sockets, a real log and read models, a worker that does what the test says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod assets;
mod audit;
mod bad_input;
mod client;
mod compat_rules;
mod fetching;
mod free_messages;
mod golden_frames;
mod http;
mod http_conversation;
mod inline_pictures;
mod me;
mod owner;
mod pictures;
mod queries;
mod sockets;
mod surface;
mod taking_over;
mod v1;
mod v1_asking;
mod v1_resuming;
mod v1_slow;
mod world;
