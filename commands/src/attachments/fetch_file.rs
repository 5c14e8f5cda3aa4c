//! A file that is elsewhere on the web: announced with what its server says of it, and brought here in pieces.

use std::io;

use bytes::Bytes;
use futures::{StreamExt, stream};
use slipstream_domain::attachment::{Sniffed, Usage};
use slipstream_domain::event::FailReason;
use slipstream_domain::{
    AttachmentId, BatchId, ConversationId, DraftId, FileName, MediaType, Origin, UserId,
};
use tokio::sync::watch;

use super::inspect::sniff;
use super::{Announce, AttachmentError, Attachments, ReadyFile};
use crate::CommandError;
use crate::ports::{ByteStream, FetchError, RemoteFile, SourceUrl};

/// A file to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchFile {
    /// Whose it will be.
    pub actor: UserId,
    /// Where its client is, as it says.
    pub conversation_id: Option<ConversationId>,
    /// Its client's name for it.
    pub draft_id: Option<DraftId>,
    /// Its client's name for it and those beside it.
    pub batch_id: Option<BatchId>,
    /// Where it is.
    pub source: SourceUrl,
}

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchProgress {
    /// Which.
    pub id: AttachmentId,
    /// Bytes that are here.
    pub bytes: u64,
    /// Bytes that there are, if its server says.
    pub total: Option<u64>,
}

impl Attachments {
    /// Fetches a file and checks it like any other. `progress` has the newest state; nobody need look at it. Dropped before
    /// its end, the file stays announced until the reaper fails it.
    ///
    /// # Errors
    /// `Fetch`, `Limit`, `Failed`; `NotFound` for an unknown user; `Contended`, `Erased`, `Unavailable`.
    #[tracing::instrument(skip_all)]
    pub async fn fetch_file(
        &self,
        wish: &FetchFile,
        usage: Usage,
        progress: &watch::Sender<Option<FetchProgress>>,
    ) -> Result<ReadyFile, AttachmentError> {
        let web = self.web.as_ref().ok_or(FetchError::NotOffered)?;
        let _turn = self.fetches.acquire().await.map_err(|error| CommandError::Inner(error.to_string()))?;
        let RemoteFile { mime, filename, size, bytes } = web.open(&wish.source).await?;
        let (mime, bytes) = match mime {
            Some(mime) => (mime, bytes),
            None => known_by_its_bytes(bytes).await,
        };
        let announce = Announce {
            actor: wish.actor,
            conversation_id: wish.conversation_id,
            draft_id: wish.draft_id.clone(),
            batch_id: wish.batch_id.clone(),
            origin: Origin::Remote,
            filename: name_of(filename.as_deref(), &mime)?,
            mime,
            size,
            source_url: Some(wish.source.url().to_string()),
        };
        let (id, key) = self.announce(&announce, usage).await?;
        let (told, total) = (progress.clone(), size);
        let counted = counted(bytes, move |bytes| {
            told.send_replace(Some(FetchProgress { id, bytes, total }));
        });
        self.receive((id, key), &announce, counted, FailReason::FetchFailed).await
    }
}

/// What the first piece says that a file is, of which nobody else says it.
async fn known_by_its_bytes(mut bytes: ByteStream) -> (MediaType, ByteStream) {
    let first = bytes.next().await;
    let mime = match &first {
        Some(Ok(piece)) => match sniff(piece) {
            Sniffed::Known(mime) => mime,
            Sniffed::Text => MediaType::plain_text(),
            Sniffed::Media | Sniffed::Unknown => MediaType::octet_stream(),
        },
        Some(Err(_)) | None => MediaType::octet_stream(),
    };
    (mime, stream::iter(first).chain(bytes).boxed())
}

/// What its server calls it, as far as that is a name.
fn name_of(filename: Option<&str>, mime: &MediaType) -> Result<FileName, CommandError> {
    let named = filename.and_then(|name| FileName::parse(name).ok());
    let (kind, extension) = mime.as_str().split_once('/').unwrap_or(("file", "bin"));
    let nameless = || FileName::parse(&format!("{kind}.{extension}"));
    named.map_or_else(nameless, Ok).map_err(|error| CommandError::Inner(error.to_string()))
}

/// The same bytes; tells of each piece how many there have been.
fn counted(bytes: ByteStream, tell: impl Fn(u64) + Send + 'static) -> ByteStream {
    let mut so_far = 0_u64;
    bytes
        .inspect(move |piece: &io::Result<Bytes>| {
            if let Ok(piece) = piece {
                so_far = so_far.saturating_add(piece.len() as u64);
                tell(so_far);
            }
        })
        .boxed()
}
