//! Files that are fetched from elsewhere.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use slipstream_commands::attachments::{FetchFile, FetchProgress};
use slipstream_commands::ports::{ByteStream, FetchError, RemoteFile, SourceUrl};
use slipstream_commands::{AttachmentError, ReadyFile};
use slipstream_domain::attachment::{LimitRejection, Usage};
use slipstream_domain::event::FailReason;
use slipstream_domain::{MediaType, Origin};
use slipstream_testkit::ScriptedWeb;
use tokio::sync::watch;

use crate::attachments::Files;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x09\0\0\0\x09\x08\x06\0\0\0";

fn pieces(pieces: &[&'static [u8]]) -> ByteStream {
    let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
    stream::iter(pieces).boxed()
}

/// More and more of a text.
fn endless() -> ByteStream {
    stream::repeat_with(|| Ok(Bytes::from(vec![b'x'; 1024 * 1024]))).boxed()
}

fn broken() -> ByteStream {
    pieces(&[b"half"]).chain(stream::iter([Err(io::Error::from(io::ErrorKind::ConnectionReset))])).boxed()
}

fn remote(mime: &str, size: Option<u64>, bytes: ByteStream) -> RemoteFile {
    let mime = MediaType::parse(mime).ok();
    RemoteFile { mime, filename: Some("../a\0b/c d.txt".to_owned()), size, bytes }
}

fn web(url: &str) -> Result<RemoteFile, FetchError> {
    Ok(match url.rsplit('/').next().unwrap_or_default() {
        "text" => remote("text/plain", Some(9), pieces(&[b"some", b" text"])),
        "unsaid" => remote("text/plain", None, pieces(&[b"some", b" text"])),
        "untyped" => remote("", Some(9), pieces(&[b"some", b" text"])),
        "picture" => remote("", Some(PNG.len() as u64), pieces(&[PNG])),
        "lie" => remote("image/png", Some(9), pieces(&[b"some text"])),
        "short" => remote("text/plain", Some(10), pieces(&[b"some text"])),
        "long" => remote("text/plain", Some(8), pieces(&[b"some text"])),
        "empty" => remote("text/plain", Some(0), pieces(&[])),
        "nothing" => remote("text/plain", None, pieces(&[])),
        "endless" => remote("text/plain", None, endless()),
        "huge" => remote("text/plain", Some(5 << 30), pieces(&[])),
        "program" => remote("application/x-msdownload", Some(9), pieces(&[b"some text"])),
        "unknown" => remote("", Some(2), pieces(&[b"\xff\0"])),
        "broken" => remote("text/plain", Some(9), broken()),
        "slow" => remote("text/plain", Some(9), pieces(&[b"some"]).chain(stream::pending()).boxed()),
        _ => return Err(FetchError::NotPublic),
    })
}

async fn files() -> Files {
    Files::new().await.with_web(Arc::new(ScriptedWeb(web)))
}

impl Files {
    fn wish(&self, path: &str) -> FetchFile {
        FetchFile {
            actor: self.ann,
            conversation_id: None,
            draft_id: None,
            batch_id: None,
            source: SourceUrl::parse(&format!("https://files.example/{path}")).unwrap(),
        }
    }

    async fn fetch(&self, path: &str) -> (Result<ReadyFile, AttachmentError>, Option<FetchProgress>) {
        let (told, progress) = watch::channel(None);
        let fetched = self.use_cases.fetch_file(&self.wish(path), Usage::default(), &told).await;
        (fetched, *progress.borrow())
    }

    async fn stored(&self) -> usize {
        self.use_cases.store().list("assets", "", None, 100).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_fetched_file_is_announced_stored_and_checked_like_any_other() {
    let files = files().await;
    for path in ["text", "unsaid", "untyped"] {
        let (file, progress) = files.fetch(path).await;
        let file = file.unwrap();
        assert_eq!((file.ready.size, file.ready.mime.as_str()), (9, "text/plain"), "{path}");
        assert_eq!(file.announced.asked.origin, Origin::Remote);
        let content = file.announced.content().unwrap();
        assert_eq!(content.filename.as_str(), "c d.txt");
        assert_eq!(content.source_url.as_deref(), Some(format!("https://files.example/{path}").as_str()));
        assert!(content.key.starts_with(&format!("remote/{}/", files.ann)), "{}", content.key);
        let progress = progress.unwrap();
        assert_eq!((progress.id, progress.bytes), (file.id, 9));
        assert_eq!(progress.total, (path != "unsaid").then_some(9));
        assert_eq!(files.events(file.id).await, ["AttachmentRequested", "UploadStarted", "AttachmentReady"]);
    }
}

#[tokio::test]
async fn a_file_that_is_not_what_its_server_says_fails_and_nothing_of_it_stays() {
    let files = files().await;
    for (path, expected) in [
        ("lie", FailReason::ContentMismatch),
        ("short", FailReason::FetchFailed),
        ("long", FailReason::FetchFailed),
        ("nothing", FailReason::FetchFailed),
        ("broken", FailReason::FetchFailed),
        // A picture of nothing but a header: known by its bytes.
        ("picture", FailReason::UnreadableImage),
    ] {
        let (fetched, _) = files.fetch(path).await;
        let Err(AttachmentError::Failed(reason)) = fetched else { panic!("{path}: {fetched:?}") };
        assert_eq!(reason, expected, "{path}");
    }
    assert_eq!(files.stored().await, 0);
}

#[tokio::test]
async fn what_would_not_be_taken_as_an_upload_is_not_fetched_either() {
    let files = files().await;
    for path in ["huge", "empty", "program", "unknown"] {
        let (fetched, progress) = files.fetch(path).await;
        assert!(matches!(fetched, Err(AttachmentError::Limit(_))), "{path}: {fetched:?}");
        assert_eq!(progress, None, "{path} was announced");
    }
    let (inside, _) = files.fetch("inside").await;
    assert!(matches!(inside, Err(AttachmentError::Fetch(FetchError::NotPublic))));
}

#[tokio::test]
async fn an_endless_file_is_read_to_the_limit_of_its_type_and_no_further() {
    let files = files().await;
    let (fetched, progress) = files.fetch("endless").await;
    let Err(AttachmentError::Limit(LimitRejection::TooLarge { max, .. })) = fetched else {
        panic!("{fetched:?}")
    };
    let progress = progress.unwrap();
    assert!((max..=max + 2 * 1024 * 1024).contains(&progress.bytes), "{} bytes were read", progress.bytes);
    assert_eq!(files.events(progress.id).await.last().unwrap(), "AttachmentFailed");
    assert_eq!(files.stored().await, 0);
}

#[tokio::test]
async fn a_fetch_that_is_aborted_or_given_up_stores_nothing() {
    let files = files().await;
    let (told, mut progress) = watch::channel(None);
    let wish = files.wish("slow");
    let fetching = files.use_cases.fetch_file(&wish, Usage::default(), &told);
    let given_up = tokio::time::timeout(Duration::from_millis(300), fetching).await;
    assert!(given_up.is_err(), "it did not wait");
    let id = progress.borrow_and_update().unwrap().id;
    assert_eq!(files.stored().await, 0);
    // The reaper does the same a day later.
    files.use_cases.fail_upload(files.ann, id, FailReason::Expired).await.unwrap();
    assert_eq!(files.events(id).await.last().unwrap(), "AttachmentFailed");
}

#[tokio::test]
async fn a_server_without_a_web_fetches_nothing() {
    let files = Files::new().await;
    let (fetched, _) = files.fetch("text").await;
    assert!(matches!(fetched, Err(AttachmentError::Fetch(FetchError::NotOffered))));
}
