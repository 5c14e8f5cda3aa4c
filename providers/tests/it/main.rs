//! Adapters against a vendor on this machine, the simulated provider, the catalogue and the shaping of history.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod assembled;
mod attachments;
mod cancel;
mod catalogue;
mod expected;
mod history;
mod http_replay;
mod readme;
mod request_body;
mod request_golden;
mod simulated;
