//! A file that the server fetches for a client: told how far it is while it comes, ten times a second at the most, and what
//! became of it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use slipstream_commands::AttachmentError;
use slipstream_commands::attachments::{FetchFile, FetchProgress};
use slipstream_projections::attachments;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;
use tracing::Instrument;

use super::assets::{on_its_way, ready};
use super::relay::tell_ready;
use crate::protocol::{AssetError, AssetGiven, AssetProgress, AssetSource, FetchFrame, ServerFrame};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::socket::Socket;

/// Between two words of how far it is.
const WORD: Duration = Duration::from_millis(100);

/// Carries out an `asset_fetch_request` in a task of its own: what has begun is brought to its end when the socket ends
/// meanwhile.
pub(crate) async fn fetch(
    shared: Arc<Shared>,
    socket: Arc<Socket>,
    frame: Box<FetchFrame>,
    permit: Option<OwnedSemaphorePermit>,
) {
    let FetchFrame { given, source } = *frame;
    let request_id = shared.ids.uuid();
    let span = tracing::info_span!("fetch", request.id = %request_id);
    let fetching = Fetching { shared: &shared, socket: &socket, given: &given };
    let fetched = match (source, permit) {
        (Ok(source), Some(_permit)) => fetching.fetch(source).instrument(span).await,
        (Err(error), _) => Err(error.into()),
        (Ok(_), None) => Err(Refusal::too_many_at_once(shared.settings.max_in_flight)),
    };
    let answer = fetched.unwrap_or_else(|Refusal { code, message, .. }| {
        tracing::debug!(%request_id, code = code.as_str(), "a file is not fetched");
        let head = given.head(socket.user);
        ServerFrame::AssetFetchError(AssetError { head, success: false, error: message, code })
    });
    socket.frame(&answer);
}

struct Fetching<'a> {
    shared: &'a Shared,
    socket: &'a Socket,
    given: &'a AssetGiven,
}

impl Fetching<'_> {
    async fn fetch(&self, source: AssetSource) -> Result<ServerFrame, Refusal> {
        let Self { shared, socket, given } = *self;
        let user = socket.user;
        let usage = attachments::usage(&shared.models, user).await?;
        let AssetSource { conversation, draft_id, batch_id, source } = source;
        let wish = FetchFile { actor: user, conversation_id: conversation, draft_id, batch_id, source };
        let (told, progress) = watch::channel(None);
        let fetching = shared.files.fetch_file(&wish, usage, &told);
        let file = self.watched(fetching, progress).await?;
        tell_ready(shared, socket, file.id).await;
        let answer = ready(shared, user, given, file).await?;
        Ok(ServerFrame::AssetFetchResponse(Box::new(answer)))
    }

    /// Waits, and tells meanwhile how far it is.
    async fn watched<T>(
        &self,
        fetching: impl Future<Output = Result<T, AttachmentError>>,
        mut progress: watch::Receiver<Option<FetchProgress>>,
    ) -> Result<T, AttachmentError> {
        let mut fetching = pin!(fetching);
        loop {
            tokio::select! {
                done = &mut fetching => return done,
                changed = progress.changed() => {
                    let newest = *progress.borrow_and_update();
                    if changed.is_ok() && let Some(newest) = newest {
                        self.tell(newest).await;
                    }
                }
            }
            tokio::select! {
                done = &mut fetching => return done,
                () = sleep(WORD) => {}
            }
        }
    }

    async fn tell(&self, newest: FetchProgress) {
        let FetchProgress { id, bytes, total } = newest;
        let given = AssetGiven { attachment_id: Some(id.to_string()), ..self.given.clone() };
        let progress = AssetProgress {
            progress: total.map_or(0.0, |total| percent(bytes, total)),
            bytes_uploaded: Some(bytes),
            total_bytes: total,
        };
        let frame = on_its_way(self.shared, self.socket, &given, progress).await;
        self.socket.frame(&frame);
    }
}

/// Never more than 100.
#[allow(clippy::cast_precision_loss, reason = "no file has more bytes than a double counts")]
fn percent(bytes: u64, total: u64) -> f64 {
    bytes.min(total) as f64 * 100.0 / total.max(1) as f64
}
