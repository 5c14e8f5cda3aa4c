//! The laws of the ports, for every adapter's tests: each function takes an adapter (or what makes one) and panics when a
//! law is broken.
#![allow(clippy::expect_used, clippy::panic)] // a broken law is a failed test

mod blob_store;
mod hints;
mod job_queue;
mod key_ring;
mod live_bus;
mod signatures;
mod stream_state;

pub use blob_store::blob_store;
pub use hints::hints;
pub use job_queue::{QueueTimes, job_queue};
pub use key_ring::{key_ring, sealing_key_ring};
pub use live_bus::live_bus;
pub use signatures::signatures;
pub use stream_state::stream_state;
