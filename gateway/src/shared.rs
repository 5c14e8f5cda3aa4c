//! What every socket and every HTTP request needs, in one place.

use std::sync::Arc;

use slipstream_commands::ports::{BlobUrls, Ids};
use slipstream_commands::{Attachments, Commands};
use slipstream_projections::ReadModels;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Accounts;
use crate::auth::Authenticate;
use crate::catalogue::Catalogue;
use crate::http::Intake;
use crate::hub::{News, Tiers};
use crate::probes::Probed;
use crate::protocol::ErrorCode;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::socket::{Connections, Heartbeats, Tenures};

/// The surroundings of a socket or a request.
pub(crate) struct Shared {
    pub(crate) app: Commands,
    pub(crate) files: Attachments,
    pub(crate) blob_urls: Option<Arc<dyn BlobUrls>>,
    pub(crate) models: ReadModels,
    pub(crate) tiers: Tiers,
    pub(crate) catalogue: Arc<dyn Catalogue>,
    pub(crate) authenticate: Arc<dyn Authenticate>,
    pub(crate) accounts: Option<Accounts>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) settings: Settings,
    pub(crate) probed: Probed,
    pub(crate) news: Arc<News>,
    pub(crate) heartbeats: Arc<Heartbeats>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) tenures: Tenures,
    pub(crate) tasks: TaskTracker,
    /// Of `tasks`, those that are sockets.
    pub(crate) sockets: TaskTracker,
    pub(crate) drain: CancellationToken,
}

impl Shared {
    /// # Errors
    /// This gateway has none.
    pub(crate) fn accounts(&self) -> Result<&Accounts, Refusal> {
        self.accounts
            .as_ref()
            .ok_or_else(|| Refusal::new(ErrorCode::NotFound, "this server keeps no accounts"))
    }

    /// How connections are taken in.
    pub(crate) fn intake(&self) -> Intake {
        Intake::new(&self.settings, self.tasks.clone(), self.drain.clone())
    }
}
