//! Files: from the announcement to the message.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use slipstream_commands::attachments::{Announce, Instructed};
use slipstream_commands::ports::{ByteStream, DocumentFacts, Documents, Web};
use slipstream_commands::{
    AttachmentError, AttachmentSettings, Attachments, CommandError, Place, PostRequest, post_message,
};
use slipstream_domain::attachment::{LimitRejection, Limits, Usage};
use slipstream_domain::event::FailReason;
use slipstream_domain::{AttachmentId, FileName, MediaType, OnBusy, Origin, UserId};
use slipstream_testkit::file_store;
use tempfile::TempDir;
use uuid::Uuid;

use crate::world::{World, says};

pub(crate) struct Files {
    world: World,
    pub(crate) use_cases: Attachments,
    pub(crate) ann: UserId,
    _kept: TempDir,
}

impl Files {
    pub(crate) async fn new() -> Self {
        let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
        let limits = Limits { pixels: 1000, ..Limits::default() };
        let settings = AttachmentSettings { limits, ..AttachmentSettings::default() };
        let use_cases = Attachments::new(world.app.clone(), file_store(folder.path()), settings);
        let ann = world.user("ann@example.com").await;
        Self { world, use_cases, ann, _kept: folder }
    }

    pub(crate) fn with_web(self, web: Arc<dyn Web>) -> Self {
        Self { use_cases: self.use_cases.with_web(web), ..self }
    }

    fn announce(&self, name: &str, mime: &str, size: u64) -> Announce {
        Announce {
            actor: self.ann,
            conversation_id: None,
            draft_id: None,
            batch_id: None,
            origin: Origin::Upload,
            filename: FileName::parse(name).unwrap(),
            mime: media_type(mime),
            size: Some(size),
            source_url: None,
        }
    }

    async fn announced(&self, name: &str, mime: &str, size: usize) -> Instructed {
        let announce = self.announce(name, mime, size as u64);
        self.use_cases.announce_upload(&announce, Usage::default()).await.unwrap()
    }

    /// As the client's PUT does.
    async fn upload(&self, told: &Instructed, mime: &str, bytes: &[u8]) {
        self.use_cases.store().put(&told.key, &media_type(mime), one_piece(bytes)).await.unwrap();
    }

    async fn uploaded(&self, name: &str, mime: &str, bytes: &[u8]) -> AttachmentId {
        let told = self.announced(name, mime, bytes.len()).await;
        self.upload(&told, mime, bytes).await;
        told.id
    }

    async fn ready(&self, name: &str) -> AttachmentId {
        let id = self.uploaded(name, "text/plain", b"some text").await;
        self.use_cases.complete_upload(self.ann, id).await.unwrap();
        id
    }

    /// Why it failed, and that its bytes are gone.
    async fn refused(&self, mime: &str, bytes: &[u8]) -> FailReason {
        let told = self.announced("file", mime, bytes.len()).await;
        self.upload(&told, mime, bytes).await;
        let Err(AttachmentError::Failed(reason)) = self.use_cases.complete_upload(self.ann, told.id).await
        else {
            panic!("{mime} was taken")
        };
        assert!(self.use_cases.store().head(&told.key).await.is_err(), "its bytes are still there");
        reason
    }

    async fn say_with(&self, ids: &[AttachmentId]) -> Uuid {
        let place = Place::New(self.world.app.new_conversation_id());
        let request =
            PostRequest { attachment_ids: ids.to_vec(), ..says(self.ann, place, "look", OnBusy::Reject) };
        post_message(&self.world.app, request).await.unwrap().conversation_id.as_uuid()
    }

    pub(crate) async fn events(&self, id: AttachmentId) -> Vec<String> {
        self.world.events(id.as_uuid()).await
    }
}

fn media_type(text: &str) -> MediaType {
    MediaType::parse(text).unwrap()
}

fn one_piece(bytes: &[u8]) -> ByteStream {
    futures::stream::iter([Ok(Bytes::copy_from_slice(bytes))]).boxed()
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::DynamicImage::new_rgba8(width, height);
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn command(error: AttachmentError) -> CommandError {
    let AttachmentError::Command(error) = error else { panic!("{error:?}") };
    error
}

#[tokio::test]
async fn a_file_is_announced_uploaded_checked_and_ready() {
    let files = Files::new().await;
    let bytes = png(20, 10);
    let told = files.announced("../My Photo.png", "image/png", bytes.len()).await;
    assert_eq!(told.instructions.method, "PUT");
    let key = told.key.key().to_owned();
    assert!(key.starts_with(&format!("upload/{}/", files.ann)) && key.ends_with("-My_Photo.png"), "{key}");
    files.use_cases.start_upload(files.ann, told.id).await.unwrap();
    files.upload(&told, "image/png", &bytes).await;
    let ready = files.use_cases.complete_upload(files.ann, told.id).await.unwrap();
    let image = ready.ready.image.clone().unwrap();
    assert_eq!((image.width, image.height, ready.ready.size), (20, 10, bytes.len() as u64));
    let again = files.use_cases.complete_upload(files.ann, told.id).await.unwrap();
    assert_eq!(again, ready);
    let told_events = ["AttachmentRequested", "UploadStarted", "AttachmentReady"];
    assert_eq!(files.events(told.id).await, told_events, "completing twice is one event");
    assert!(files.use_cases.download(&ready).await.unwrap().url.contains("/blobs/assets/upload/"));
}

#[tokio::test]
async fn to_others_a_file_is_as_absent_as_one_that_never_was() {
    let files = Files::new().await;
    let bob = files.world.user("bob@example.com").await;
    let id = files.uploaded("a.txt", "text/plain", b"some text").await;
    for id in [id, AttachmentId::from_uuid(Uuid::now_v7()), AttachmentId::from_uuid(files.ann.as_uuid())] {
        let actor = bob;
        assert!(matches!(files.use_cases.complete_upload(actor, id).await, Err(AttachmentError::NotFound)));
        assert!(matches!(files.use_cases.start_upload(actor, id).await, Err(AttachmentError::NotFound)));
        assert!(matches!(files.use_cases.delete(actor, id).await, Err(AttachmentError::NotFound)));
        let failed = files.use_cases.fail_upload(actor, id, FailReason::Aborted).await;
        assert!(matches!(failed, Err(AttachmentError::NotFound)));
    }
    assert_eq!(files.events(id).await, ["AttachmentRequested"]);
}

#[tokio::test]
async fn complete_without_an_upload_changes_nothing_and_may_come_again() {
    let files = Files::new().await;
    let told = files.announced("a.txt", "text/plain", 4).await;
    let early = files.use_cases.complete_upload(files.ann, told.id).await;
    assert!(matches!(early, Err(AttachmentError::NotUploaded)));
    files.upload(&told, "text/plain", b"text").await;
    assert!(files.use_cases.complete_upload(files.ann, told.id).await.is_ok());
}

#[tokio::test]
async fn what_is_not_what_was_said_fails_and_its_bytes_go() {
    let files = Files::new().await;
    let told = files.announced("a.txt", "text/plain", 5).await;
    files.upload(&told, "text/plain", b"four").await;
    let short = files.use_cases.complete_upload(files.ann, told.id).await;
    assert!(matches!(short, Err(AttachmentError::Failed(FailReason::SizeMismatch))));
    assert_eq!(files.events(told.id).await, ["AttachmentRequested", "AttachmentFailed"]);
    let later = files.use_cases.complete_upload(files.ann, told.id).await;
    assert!(matches!(later, Err(AttachmentError::Failed(FailReason::SizeMismatch))));

    let executable = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0";
    assert_eq!(files.refused("image/png", executable).await, FailReason::ContentMismatch);
    assert_eq!(files.refused("text/plain", executable).await, FailReason::ContentMismatch);
    assert_eq!(files.refused("image/jpeg", &png(9, 9)).await, FailReason::ContentMismatch);
    assert_eq!(files.refused("image/png", &png(100, 11)).await, FailReason::UnreadableImage);
    assert_eq!(files.refused("image/png", &png(9, 9)[..20]).await, FailReason::UnreadableImage);
}

/// A PNG that says it has 60 000 x 60 000 pixels: 14 GB for whoever decodes it.
fn bomb() -> Vec<u8> {
    let mut bytes = png(9, 9);
    bytes[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    // The checksum of PNG (RFC 2083, 15).
    let crc = !bytes[12..29].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    });
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// An animation of many small pictures, together too many pixels.
fn flicker() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    let frames = (0..20).map(|_| image::Frame::new(image::RgbaImage::new(9, 9)));
    encoder.encode_frames(frames).unwrap();
    drop(encoder);
    bytes.into_inner()
}

/// Says the same of every document.
struct Reader;

#[async_trait]
impl Documents for Reader {
    async fn read_pdf(&self, bytes: ByteStream, most: usize) -> DocumentFacts {
        assert!(bytes.count().await > 0 && most > 0);
        DocumentFacts { pages: Some(3), text: Some("once\0upon".to_owned()) }
    }
}

#[tokio::test]
async fn a_document_has_its_pages_and_every_text_its_beginning() {
    let files = Files::new().await;
    let read = Files { use_cases: files.use_cases.clone().with_documents(Arc::new(Reader)), ..files };
    for (mime, bytes, pages, preview) in [
        ("application/pdf", &b"%PDF-1.7 and so on"[..], Some(3), "once\u{FFFD}upon"),
        ("text/markdown", b"# A title\n", None, "# A title\n"),
    ] {
        let id = read.uploaded("a file", mime, bytes).await;
        let ready = read.use_cases.complete_upload(read.ann, id).await.unwrap().ready;
        assert_eq!(ready.pages, pages, "{mime}");
        let content = ready.content.into_open().unwrap();
        assert_eq!(content.text_preview.as_deref(), Some(preview), "{mime}");
    }
}

#[tokio::test]
async fn a_picture_that_would_burst_its_viewer_is_refused_by_its_header() {
    let files = Files::new().await;
    assert_eq!(files.refused("image/png", &bomb()).await, FailReason::UnreadableImage);
    assert_eq!(files.refused("image/gif", &flicker()).await, FailReason::UnreadableImage);
}

#[tokio::test]
async fn what_is_too_large_empty_or_of_no_type_we_take_is_not_announced() {
    let files = Files::new().await;
    for (mime, size) in [("video/mp4", 5 << 30), ("text/plain", 0), ("application/x-msdownload", 9)] {
        let refused =
            files.use_cases.announce_upload(&files.announce("a", mime, size), Usage::default()).await;
        assert!(matches!(refused, Err(AttachmentError::Limit(_))), "{mime} {size}");
    }
    let full = Usage { bytes: Limits::default().user, open: 0 };
    let refused = files.use_cases.announce_upload(&files.announce("a", "text/plain", 9), full).await;
    assert!(matches!(refused, Err(AttachmentError::Limit(LimitRejection::Quota { .. }))));
    let nobody =
        Announce { actor: UserId::from_uuid(Uuid::now_v7()), ..files.announce("a", "text/plain", 9) };
    let refused = files.use_cases.announce_upload(&nobody, Usage::default()).await.unwrap_err();
    assert!(matches!(command(refused), CommandError::NotFound("user")));
}

#[tokio::test]
async fn two_files_of_one_name_have_two_keys() {
    let files = Files::new().await;
    let (one, two) = tokio::join!(
        files.announced("image.png", "image/png", 9),
        files.announced("image.png", "image/png", 9)
    );
    assert_ne!(one.key, two.key);
}

#[tokio::test]
async fn bytes_that_come_through_us_are_as_many_as_was_said() {
    let files = Files::new().await;
    let store = |announce: Announce, bytes: &'static [u8]| {
        let files = &files.use_cases;
        async move {
            files.store_file(&announce, Usage::default(), one_piece(bytes), FailReason::FetchFailed).await
        }
    };
    let announce = files.announce("a.txt", "text/plain", 4);
    assert_eq!(store(announce.clone(), b"text").await.unwrap().ready.size, 4);
    for (announce, bytes) in [(announce.clone(), &b"longer"[..]), (announce, b"s")] {
        let refused = store(announce, bytes).await;
        assert!(matches!(refused, Err(AttachmentError::Failed(FailReason::FetchFailed))), "{bytes:?}");
    }
}

#[tokio::test]
async fn ready_files_become_part_of_the_message_in_its_append() {
    let files = Files::new().await;
    let (one, two) = (files.ready("1.txt").await, files.ready("2.txt").await);
    let open = files.announced("3.txt", "text/plain", 9).await.id;
    let conversation = files.say_with(&[one, open, two, one]).await;
    let posted = files.world.stream(conversation).await;
    let said = posted.iter().find(|event| &*event.event_type == "UserMessagePosted").unwrap();
    let data: serde_json::Value = serde_json::from_str(&said.payload.as_ref().unwrap().data).unwrap();
    assert_eq!(data["attachmentIds"], serde_json::json!([one, two]));
    for id in [one, two] {
        let linked = files.world.stream(id.as_uuid()).await.pop().unwrap();
        assert_eq!(&*linked.event_type, "AttachmentLinked");
        assert_eq!(linked.correlation.as_uuid(), conversation);
        let together = linked.recorded_at == said.recorded_at;
        assert!(together, "it was linked in another append");
    }
    assert_eq!(files.events(open).await, ["AttachmentRequested"]);

    let next = files.say_with(&[one]).await;
    assert_eq!(files.world.stream(next).await.len(), posted.len(), "the message is posted without it");
    assert_eq!(files.events(one).await.len(), 3, "it belongs to the first message");
}

#[tokio::test]
async fn a_message_has_ten_files_and_none_of_anybody_else() {
    let files = Files::new().await;
    let mut ids = Vec::new();
    for n in 0..11 {
        ids.push(files.ready(&format!("{n}.txt")).await);
    }
    files.say_with(&ids).await;
    assert_eq!(files.events(ids[9]).await.len(), 3);
    assert_eq!(files.events(ids[10]).await.len(), 2, "the eleventh is left out");

    let bob = files.world.user("bob@example.com").await;
    let place = Place::New(files.world.app.new_conversation_id());
    let request = PostRequest { attachment_ids: vec![ids[10]], ..says(bob, place, "mine?", OnBusy::Reject) };
    post_message(&files.world.app, request).await.unwrap();
    assert_eq!(files.events(ids[10]).await.len(), 2);
}

#[tokio::test]
async fn a_deleted_file_is_gone_and_its_bytes_when_it_is_purged() {
    let files = Files::new().await;
    let id = files.ready("a.txt").await;
    let ready = files.use_cases.ready_file(files.ann, id).await.unwrap();
    files.use_cases.purge(files.ann, id).await.unwrap();
    assert_eq!(files.events(id).await.len(), 2, "only what is deleted is purged");
    for _ in 0..2 {
        files.use_cases.delete(files.ann, id).await.unwrap();
    }
    assert!(matches!(files.use_cases.ready_file(files.ann, id).await, Err(AttachmentError::NotFound)));
    let key = ready.blob().unwrap().key;
    assert!(files.use_cases.store().head(&key).await.is_ok());
    for _ in 0..2 {
        files.use_cases.purge(files.ann, id).await.unwrap();
    }
    assert!(files.use_cases.store().head(&key).await.is_err());
    let lived = ["AttachmentRequested", "AttachmentReady", "AttachmentDeleted", "AttachmentPurged"];
    assert_eq!(files.events(id).await, lived);
}
