//! What is kept of people beside the log, so that it can be taken away.

use async_trait::async_trait;
use slipstream_domain::UserId;

use super::PortError;

/// The keys of people's data, and whatever else is kept of them under lock.
///
/// Laws: what was destroyed is never there again, and nothing is made for that person any more; destroying twice is
/// destroying once; nobody else's is touched.
#[async_trait]
pub trait UserVault: Send + Sync {
    /// Destroys the person's data key, and with it the personal half of every event of theirs, their provider keys,
    /// sessions and tickets. On an error it may have been done.
    async fn destroy(&self, user: UserId) -> Result<(), PortError>;
}
