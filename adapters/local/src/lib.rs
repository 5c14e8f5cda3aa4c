//! The ports of one process: queue, bus and stream state in memory, blobs in files, keys from the environment, the machine's
//! clock.
//!
//! The default of `slipstream dev`. But for the blobs nothing here survives the process, and nothing has to: the log does.
//! Everything in memory is bounded, and every wait uses Tokio's clock.

mod blob_urls;
mod blobs;
mod bus;
mod clock;
mod cursors;
mod ids;
mod keys;
mod queue;
mod signatures;
mod stream_state;

pub use blob_urls::UrlSigner;
pub use blobs::FileBlobs;
pub use bus::InProcessBus;
pub use clock::SystemClock;
pub use ids::UuidV7Ids;
pub use keys::EnvironmentKeys;
pub use queue::InProcessQueue;
pub use signatures::FolderSignatures;
pub use stream_state::InProcessStreamState;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The lock of plain data: whoever panicked while holding it left the data whole, as each change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
