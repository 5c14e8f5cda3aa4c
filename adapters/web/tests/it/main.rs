//! Files fetched from a server of the test's own, and addresses that nothing is fetched from.
#![allow(clippy::unwrap_used, clippy::panic)]

mod fetching;
mod refusing;
mod server;
