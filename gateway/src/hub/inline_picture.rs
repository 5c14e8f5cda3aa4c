//! Pictures inside an answer: a v1 client is told where each is shown, a compat client is given it whole.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt;
use slipstream_commands::AttachmentError;
use slipstream_commands::ports::BlobError;
use slipstream_domain::{AttachmentId, UserId};
use slipstream_projections::Output;

use crate::shared::Shared;
use crate::socket::{Delta, Reply};

/// The largest picture that goes to a compat client whole; models make some of 1 to 4 MiB. Of a larger one it gets the URL.
const WHOLE: u64 = 8 * 1024 * 1024;

/// Output of an ordered reply, a picture with its URL.
pub(super) async fn ordered_delta(shared: &Shared, user: UserId, reply: Arc<Reply>, output: Output) -> Delta {
    let shown = match output.run.attachment {
        Some(picture) => url_of(shared, user, picture).await,
        None => None,
    };
    Delta { shown, ..Delta::of(reply, output) }
}

/// Where a picture is shown for a while. Its id is enough to ask again, so a store that does not answer withholds nothing
/// else.
pub(super) async fn url_of(shared: &Shared, user: UserId, picture: AttachmentId) -> Option<String> {
    let shown = async { shared.files.download(&shared.files.ready_file(user, picture).await?).await };
    noted(picture, shown.await).map(|signed| signed.url)
}

/// The picture as a `data:` URL, or where it is shown when it is too large for that.
pub(super) async fn whole(shared: &Shared, user: UserId, picture: AttachmentId) -> Option<String> {
    noted(picture, data_url(shared, user, picture).await)
}

async fn data_url(shared: &Shared, user: UserId, picture: AttachmentId) -> Result<String, AttachmentError> {
    let files = &shared.files;
    let file = files.ready_file(user, picture).await?;
    if file.ready.size > WHOLE {
        return Ok(files.download(&file).await?.url);
    }
    let read = files.store().get(&file.blob()?, None).await?;
    let bytes = read.bytes.try_fold(Vec::new(), async |mut all, piece| {
        all.extend_from_slice(&piece);
        Ok(all)
    });
    let mut url = format!("data:{};base64,", file.ready.mime);
    STANDARD.encode_string(bytes.await.map_err(BlobError::Source)?, &mut url);
    Ok(url)
}

fn noted<T>(picture: AttachmentId, shown: Result<T, AttachmentError>) -> Option<T> {
    let shown = shown.inspect_err(|error| {
        let error = error as &dyn std::error::Error;
        tracing::warn!(error, attachment.id = %picture, "a picture cannot be shown for now");
    });
    shown.ok()
}
