//! Files, between a client's frames and the use cases. What the client says of where a file is or what became of it is not
//! believed: the log and the store are asked.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use slipstream_commands::attachments::{Announce, Instructed};
use slipstream_commands::ports::FileNews;
use slipstream_commands::{AttachmentError, CommandError, ReadyFile};
use slipstream_domain::event::FailReason;
use slipstream_domain::{AttachmentId, AttachmentStatus, BatchId, UserId};
use slipstream_projections::attachments::{self, AttachmentSummary};
use tokio::time::{Instant, sleep, timeout_at};

use super::relay::{tell_on_its_way, tell_ready};
use crate::protocol::{
    AssetBegin, AssetError, AssetFrame, AssetGiven, AssetHead, AssetKind, AssetMetadata, AssetProgress,
    AssetWish, BatchFile, BatchUpload, Dimensions, ReadyAsset, ServerFrame, UploadAborted,
    UploadInstructions, UploadProgress,
};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::socket::Socket;

/// How long the read model may take to know of a file that was announced. Later frames about it, and the quota of the next
/// one, are read from there.
const KNOWN: Duration = Duration::from_secs(1);
/// How long a message waits for its files (compat rule 12).
const READY: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Carries out a frame about a file. A wrong one is answered by its error twin.
pub(crate) async fn asset(shared: &Shared, socket: &Socket, frame: AssetFrame) {
    let AssetFrame { given, kind, wish } = frame;
    let done = match wish {
        Ok(wish) => carry_out(shared, socket, &given, wish).await,
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(answer) => socket.frame(&answer),
        Err(refusal) => refuse(shared, socket, &given, kind, refusal),
    }
}

async fn carry_out(
    shared: &Shared,
    socket: &Socket,
    given: &AssetGiven,
    wish: AssetWish,
) -> Result<ServerFrame, Refusal> {
    let (user, files) = (socket.user, &shared.files);
    match wish {
        AssetWish::Begin(begin) => announce(shared, user, *begin).await,
        AssetWish::Prepare(begin) => prepare(shared, socket, *begin).await,
        AssetWish::Progress(progress) => Ok(on_its_way(shared, socket, given, progress).await),
        AssetWish::Complete(id) => {
            let file = files.complete_upload(user, id).await?;
            tell_ready(shared, socket, id).await;
            Ok(ServerFrame::AssetReady(Box::new(ready(shared, user, given, file).await?)))
        }
        AssetWish::Failed(id) => {
            files.fail_upload(user, id, FailReason::ClientError).await?;
            Err(AttachmentError::Failed(FailReason::ClientError).into())
        }
        AssetWish::Abort(id, reason) => {
            files.fail_upload(user, id, FailReason::Aborted).await?;
            Ok(ServerFrame::AssetUploadAborted(UploadAborted { head: given.head(user), reason }))
        }
        AssetWish::Inline(begin, bytes) => {
            let usage = attachments::usage(&shared.models, user).await?;
            let bytes = futures::stream::iter([Ok(bytes.into())]).boxed();
            let announce = announcement(user, *begin);
            let file = files.store_file(&announce, usage, bytes, FailReason::ClientError).await?;
            tell_ready(shared, socket, file.id).await;
            Ok(ServerFrame::AssetUploadResponse(Box::new(ready(shared, user, given, file).await?)))
        }
        AssetWish::Batch(batch) => {
            let files = attachments::of_batch(&shared.models, user, &batch).await?;
            Ok(ServerFrame::AssetBatchUpload(told(given, user, files)))
        }
        AssetWish::Delete(id) => {
            files.delete(user, id).await?;
            Ok(ServerFrame::AssetDeleted(given.head(user)))
        }
    }
}

/// The frame that says how far a file is; tells the user's other sockets too.
pub(super) async fn on_its_way(
    shared: &Shared,
    socket: &Socket,
    given: &AssetGiven,
    how: AssetProgress,
) -> ServerFrame {
    if let Some(id) = given.attachment_id.as_ref().and_then(|id| id.parse().ok()) {
        tell_on_its_way(shared, socket, id, how).await;
    }
    progress_frame(given.head(socket.user), how)
}

fn progress_frame(head: AssetHead, how: AssetProgress) -> ServerFrame {
    let AssetProgress { progress, bytes_uploaded, total_bytes } = how;
    ServerFrame::AssetUploadProgress(UploadProgress { head, progress, bytes_uploaded, total_bytes })
}

/// What another socket of the user's is told of a file; `None` when the file cannot be shown (any more).
pub(super) async fn news_of_file(
    shared: &Shared,
    user: UserId,
    id: AttachmentId,
    news: FileNews,
) -> Option<ServerFrame> {
    let given = AssetGiven::default();
    match news {
        FileNews::OnItsWay { progress, bytes, total } => {
            let how = AssetProgress { progress, bytes_uploaded: bytes, total_bytes: total };
            Some(progress_frame(given.head(user).of(id), how))
        }
        FileNews::Ready => {
            let file = shared.files.ready_file(user, id).await.ok()?;
            let conversation_id = file.announced.asked.conversation_id.map(|id| id.to_string());
            let given = AssetGiven { conversation_id, ..given };
            Some(ServerFrame::AssetUploaded(Box::new(ready(shared, user, &given, file).await.ok()?)))
        }
    }
}

fn announcement(actor: UserId, begin: AssetBegin) -> Announce {
    let AssetBegin { conversation, draft_id, batch_id, origin, filename, mime, size } = begin;
    Announce {
        actor,
        conversation_id: conversation,
        draft_id,
        batch_id,
        origin,
        filename,
        mime,
        size: Some(size),
        source_url: None,
    }
}

/// Announces a file, and goes on once the read model knows of it.
async fn announce(shared: &Shared, user: UserId, begin: AssetBegin) -> Result<ServerFrame, Refusal> {
    let announce = announcement(user, begin);
    let usage = attachments::usage(&shared.models, user).await?;
    let told = shared.files.announce_upload(&announce, usage).await?;
    known(shared, user, told.id).await?;
    Ok(instructions(&announce, told))
}

async fn known(shared: &Shared, user: UserId, id: AttachmentId) -> Result<(), Refusal> {
    let deadline = Instant::now() + KNOWN;
    while attachments::find(&shared.models, user, id).await?.is_none() && Instant::now() < deadline {
        sleep(LOOK).await;
    }
    Ok(())
}

/// Notes that the upload of an announced file begins; announces one that was not, and says how it is uploaded first.
async fn prepare(shared: &Shared, socket: &Socket, begin: AssetBegin) -> Result<ServerFrame, Refusal> {
    let (user, draft) = (socket.user, begin.draft_id.clone());
    let announced = match &draft {
        Some(draft) => attachments::of_draft(&shared.models, user, draft).await?,
        None => None,
    };
    let (id, batch_id) = if let Some(file) = announced {
        (file.id, file.batch_id)
    } else {
        let batch_id = begin.batch_id.as_ref().map(|batch| batch.as_str().to_owned());
        let frame = announce(shared, user, begin).await?;
        let ServerFrame::AssetUploadInstructions(told) = &frame else { return Ok(frame) };
        let id = told.attachment_id;
        socket.frame(&frame);
        (id, batch_id)
    };
    shared.files.start_upload(user, id).await?;
    let draft_id = draft.map(|draft| draft.as_str().to_owned());
    let given =
        AssetGiven { attachment_id: Some(id.to_string()), draft_id, batch_id, ..AssetGiven::default() };
    let how = AssetProgress { progress: 0.0, bytes_uploaded: Some(0), total_bytes: None };
    Ok(on_its_way(shared, socket, &given, how).await)
}

fn instructions(announce: &Announce, told: Instructed) -> ServerFrame {
    let Instructed { id, key, instructions } = told;
    ServerFrame::AssetUploadInstructions(Box::new(UploadInstructions {
        attachment_id: id,
        draft_id: announce.draft_id.as_ref().map(|draft| draft.as_str().to_owned()),
        batch_id: announce.batch_id.as_ref().map(|batch| batch.as_str().to_owned()),
        mime_type: announce.mime.to_string(),
        method: instructions.method.to_owned(),
        upload_url: instructions.url,
        required_headers: instructions.headers.into_iter().collect::<BTreeMap<_, _>>(),
        expires_in: instructions.expires_in.as_secs(),
        bucket: key.bucket().to_owned(),
        key: key.key().to_owned(),
    }))
}

/// What a client is told of a file that is ready.
pub(super) async fn ready(
    shared: &Shared,
    user: UserId,
    given: &AssetGiven,
    file: ReadyFile,
) -> Result<ReadyAsset, Refusal> {
    let shown = shared.files.download(&file).await?;
    let blob = file.blob()?;
    let ReadyFile { id, announced, ready, kept_by: _ } = file;
    let content = announced.content().ok_or(CommandError::Erased)?;
    let now = shared.app.now();
    let asked = &announced.asked;
    let draft_id = asked.draft_id.as_ref().map(|draft| draft.as_str().to_owned());
    let batch_id = asked.batch_id.as_ref().map(|batch| batch.as_str().to_owned());
    let head = AssetGiven { draft_id, batch_id, ..given.clone() }.head(user).of(id);
    let (bucket, key) = (blob.key.bucket().to_owned(), blob.key.key().to_owned());
    let version = ready.version_id.as_deref().unwrap_or("nov");
    Ok(ReadyAsset {
        head,
        success: true,
        s3_object_id: format!("s3://{bucket}/{key}#{version}"),
        bucket,
        key,
        version_id: ready.version_id,
        etag: ready.etag,
        size: ready.size,
        mime: ready.mime.to_string(),
        origin: asked.origin,
        status: AttachmentStatus::Ready,
        download_url: shown.url,
        download_url_expires_at: shown.expires_at.millis(),
        metadata: AssetMetadata {
            filename: content.filename.as_str().to_owned(),
            uploaded_at: now.millis(),
            upload_duration: u64::try_from(now.since(announced.at).as_millis()).unwrap_or(u64::MAX),
            dimensions: ready.image.map(|image| Dimensions { width: image.width, height: image.height }),
        },
    })
}

fn told(given: &AssetGiven, user: UserId, files: Vec<AttachmentSummary>) -> BatchUpload {
    let with =
        |wanted: &[AttachmentStatus]| files.iter().filter(|file| wanted.contains(&file.status)).count();
    BatchUpload {
        head: given.head(user),
        total: files.len(),
        ready: with(&[AttachmentStatus::Ready, AttachmentStatus::Attached]),
        failed: with(&[AttachmentStatus::Failed]),
        attachments: files
            .into_iter()
            .map(|file| BatchFile {
                attachment_id: file.id,
                draft_id: file.draft_id,
                status: file.status,
                filename: file.filename,
                mime: file.mime,
                size: file.size,
            })
            .collect(),
    }
}

/// The files of a batch that are ready, once none of them is on its way any more, or after ten seconds. None when the read
/// model does not answer: a message goes without its files rather than not at all.
pub(super) async fn ready_files(shared: &Shared, user: UserId, batch: &BatchId) -> Vec<AttachmentId> {
    let deadline = Instant::now() + READY;
    loop {
        let files = match timeout_at(deadline, attachments::of_batch(&shared.models, user, batch)).await {
            Ok(Ok(files)) => files,
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the files of a message cannot be read"
                );
                return Vec::new();
            }
            Err(_) => return Vec::new(),
        };
        let on_its_way = |file: &AttachmentSummary| {
            matches!(file.status, AttachmentStatus::Requested | AttachmentStatus::Uploading)
        };
        if !files.iter().any(on_its_way) || Instant::now() + LOOK > deadline {
            let ready = files.into_iter().filter(|file| file.status == AttachmentStatus::Ready);
            return ready.map(|file| file.id).collect();
        }
        sleep(LOOK).await;
    }
}

/// The error twins of a frame. A failed begin of an upload has two, because the web client handles the second.
fn refuse(shared: &Shared, socket: &Socket, given: &AssetGiven, kind: AssetKind, refusal: Refusal) {
    let (request_id, head) = (shared.ids.uuid(), given.head(socket.user));
    tracing::debug!(%request_id, code = refusal.code.as_str(), "a frame about a file was refused");
    let error = AssetError { head, success: false, error: refusal.message, code: refusal.code };
    match kind {
        AssetKind::Begin => {
            socket.frame(&ServerFrame::AssetUploadError(error.clone()));
            socket.frame(&ServerFrame::AssetUploadCompleteError(error));
        }
        AssetKind::Report => socket.frame(&ServerFrame::AssetUploadError(error)),
        AssetKind::End => socket.frame(&ServerFrame::AssetUploadCompleteError(error)),
    }
}
