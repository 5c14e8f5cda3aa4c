//! The use cases on a real log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attachments;
mod branching;
mod cancelling;
mod changing;
mod deleting;
mod dispatching;
mod fetching;
mod free_messages;
mod generating;
mod posting;
mod users;
mod world;
