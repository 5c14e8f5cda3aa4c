//! What can be asked about files: one use case a file. The log says what there is, the store has the bytes; a file is
//! shown to nobody before both have been compared.

mod announce;
mod complete_upload;
mod delete_attachment;
mod error;
mod fail_upload;
mod fetch_file;
mod frames;
mod inspect;
mod keep_picture;
mod keep_provider_file;
mod link;
mod start_upload;
mod store_file;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use slipstream_domain::attachment::{Announced, Attachment, Limits, Stored};
use slipstream_domain::event::{AttachmentEvent, AttachmentReady, ProviderFileUploaded};
use slipstream_domain::{AttachmentId, BlobKey, Origin, Timestamp, UserId};
use slipstream_eventlog::{Append, Guard, Version};
use tokio::sync::Semaphore;

use crate::loading::Loaded;
use crate::ports::{Blob, BlobStore, Disposition, Documents, SignedUrl, Web};
use crate::{CommandError, Commands, loading, streams};

pub use announce::{Announce, Instructed};
pub use error::AttachmentError;
pub use fetch_file::{FetchFile, FetchProgress};
pub(crate) use link::free_files;

/// Files that are looked into at once: each may take the memory of a whole picture.
const INSPECTIONS: usize = 2;
/// Documents that are read at once: each may take one core for some seconds.
const READINGS: usize = 2;
/// Files that are fetched at once: each holds a part of a file on its way to the store, 5 MiB at the most.
const FETCHES: usize = 8;

/// Where files go, and what is taken.
#[derive(Debug, Clone)]
pub struct AttachmentSettings {
    /// For what models make.
    pub generated_bucket: String,
    /// For everything else.
    pub assets_bucket: String,
    /// How much is taken.
    pub limits: Limits,
    /// How long an upload may begin.
    pub upload_for: Duration,
    /// How long a file is shown by one URL.
    pub download_for: Duration,
}

impl Default for AttachmentSettings {
    fn default() -> Self {
        Self {
            generated_bucket: "generated".to_owned(),
            assets_bucket: "assets".to_owned(),
            limits: Limits::default(),
            upload_for: Duration::from_mins(15),
            download_for: Duration::from_hours(1),
        }
    }
}

/// The surroundings of the use cases of files. Cheap to clone.
#[derive(Clone)]
pub struct Attachments {
    app: Commands,
    store: Arc<dyn BlobStore>,
    settings: Arc<AttachmentSettings>,
    web: Option<Arc<dyn Web>>,
    documents: Option<Arc<dyn Documents>>,
    inspections: Arc<Semaphore>,
    readings: Arc<Semaphore>,
    fetches: Arc<Semaphore>,
    last_key: Arc<AtomicI64>,
}

/// A file that is stored and has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadyFile {
    /// Which.
    pub id: AttachmentId,
    /// What was said of it.
    pub announced: Announced,
    /// What was found.
    pub ready: AttachmentReady,
    /// The vendors that keep it, or have kept it.
    pub kept_by: Vec<ProviderFileUploaded>,
}

impl ReadyFile {
    /// The version of its bytes that was checked.
    ///
    /// # Errors
    /// `Erased`.
    pub fn blob(&self) -> Result<Blob, CommandError> {
        let key = self.announced.blob().ok_or(CommandError::Erased)?;
        Ok(Blob { key, version_id: self.ready.version_id.clone() })
    }
}

impl Attachments {
    /// Puts the use cases on a store.
    #[must_use]
    pub fn new(app: Commands, store: Arc<dyn BlobStore>, settings: AttachmentSettings) -> Self {
        let turns = |most| Arc::new(Semaphore::new(most));
        Self {
            app,
            store,
            settings: Arc::new(settings),
            web: None,
            documents: None,
            inspections: turns(INSPECTIONS),
            readings: turns(READINGS),
            fetches: turns(FETCHES),
            last_key: Arc::default(),
        }
    }

    /// Files of other servers are fetched from here.
    #[must_use]
    pub fn with_web(self, web: Arc<dyn Web>) -> Self {
        Self { web: Some(web), ..self }
    }

    /// Documents are read by this.
    #[must_use]
    pub fn with_documents(self, documents: Arc<dyn Documents>) -> Self {
        Self { documents: Some(documents), ..self }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn BlobStore> {
        &self.store
    }

    /// What is taken.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// A URL that shows a file for a while.
    ///
    /// # Errors
    /// `Erased`, `Unavailable`.
    pub async fn download(&self, file: &ReadyFile) -> Result<SignedUrl, AttachmentError> {
        let content = file.announced.content().ok_or(CommandError::Erased)?;
        self.show(&file.blob()?, content.filename.as_str()).await
    }

    /// The same of a blob whose name is known. Whether the user may see it is the caller's to know.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn show(&self, blob: &Blob, filename: &str) -> Result<SignedUrl, AttachmentError> {
        let inline = Disposition::Inline { filename: filename.to_owned() };
        Ok(self.store.sign_download(blob, &inline, self.settings.download_for).await?)
    }

    /// A file of the user's that is ready.
    ///
    /// # Errors
    /// `NotFound` for everybody else, `NotFree` while it is not ready, `Unavailable`, `Unreadable`.
    pub async fn ready_file(&self, actor: UserId, id: AttachmentId) -> Result<ReadyFile, AttachmentError> {
        let file = self.load(id).await?.state;
        ready_of(id, actor, &file)
    }

    fn bucket(&self, origin: Origin) -> &str {
        match origin {
            Origin::Generated => &self.settings.generated_bucket,
            Origin::Upload
            | Origin::Remote
            | Origin::Pasted
            | Origin::Screenshot
            | Origin::Imported
            | Origin::Scraped => &self.settings.assets_bucket,
        }
    }

    /// A moment for a key: later than every other this process has given, so that two files of one name, pasted at once,
    /// have two keys.
    fn key_time(&self) -> Timestamp {
        let now = self.app.now().millis();
        let last = self.last_key.fetch_max(now, Ordering::Relaxed);
        if last < now {
            Timestamp::from_millis(now)
        } else {
            Timestamp::from_millis(self.last_key.fetch_add(1, Ordering::Relaxed) + 1)
        }
    }

    async fn load(&self, id: AttachmentId) -> Result<Loaded<Attachment>, CommandError> {
        loading::attachment(&self.app.log, id).await
    }

    /// Appends one event of a file's.
    async fn append(
        &self,
        id: AttachmentId,
        owner: UserId,
        at: Version,
        event: AttachmentEvent,
        guards: Vec<Guard>,
    ) -> Result<(), CommandError> {
        let streams = vec![streams::attachment(id, Some(owner), at, vec![event])?];
        self.app.log.append(Append { streams, command_id: self.app.new_command(), guards }).await?;
        Ok(())
    }

    /// Removes the bytes of a file that failed. Best effort: what is left is found by the reaper.
    async fn discard(&self, announced: &Announced) {
        if let Some(key) = announced.blob() {
            self.discard_blob(&key).await;
        }
    }

    async fn discard_blob(&self, key: &BlobKey) {
        if let Err(error) = self.store.delete(key).await {
            tracing::warn!(%error, "the bytes of a failed upload could not be removed");
        }
    }
}

/// A file of the user's, if it is ready.
fn ready_of(id: AttachmentId, actor: UserId, file: &Attachment) -> Result<ReadyFile, AttachmentError> {
    let announced = file.of(actor)?.clone();
    match file {
        Attachment::Ready(_, stored) => {
            let Stored { ready, kept_by, linked: _ } = (**stored).clone();
            Ok(ReadyFile { id, announced, ready, kept_by })
        }
        Attachment::Failed(_, reason) => Err(AttachmentError::Failed(*reason)),
        Attachment::Open(..) | Attachment::Unknown | Attachment::Deleted(_) | Attachment::Purged => {
            Err(AttachmentError::NotUploaded)
        }
    }
}
