//! Blobs in files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use slipstream_commands::ports::{Blob, BlobError, BlobStore, ByteStream};
use slipstream_domain::{BlobKey, MediaType};
use slipstream_local::{FileBlobs, SystemClock, UrlSigner};
use slipstream_testkit::laws;

fn blobs(folder: &Path) -> FileBlobs {
    let public = "http://127.0.0.1:4000".parse().unwrap();
    let signer = UrlSigner::new(public, &[7; 32], Arc::new(SystemClock::new()));
    FileBlobs::open(folder.to_owned(), Arc::new(signer)).unwrap()
}

fn key() -> BlobKey {
    BlobKey::parse("assets", "upload/a.txt").unwrap()
}

fn text() -> MediaType {
    MediaType::parse("text/plain").unwrap()
}

fn pieces(content: &'static str) -> ByteStream {
    futures::stream::iter([Ok(Bytes::from_static(content.as_bytes()))]).boxed()
}

#[tokio::test]
async fn files_keep_the_laws_of_a_blob_store() {
    let folder = tempfile::tempdir().unwrap();
    laws::blob_store(&blobs(folder.path()), "assets").await;
    let aside = std::fs::read_dir(folder.path().join(".incoming")).unwrap();
    assert_eq!(aside.count(), 0, "what was not stored was left behind");
}

#[tokio::test]
async fn blobs_survive_their_process_and_the_remains_of_a_crash_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let stored = blobs(folder.path()).put(&key(), &text(), pieces("kept")).await.unwrap();
    let remains = folder.path().join(".incoming/cut-off");
    std::fs::write(&remains, "half").unwrap();
    let days_ago = std::fs::metadata(&remains).unwrap().modified().unwrap() - Duration::from_hours(49);
    std::fs::File::options().write(true).open(&remains).unwrap().set_modified(days_ago).unwrap();
    let reopened = blobs(folder.path());
    assert_eq!(reopened.head(&key()).await.unwrap(), stored);
    assert!(!remains.exists());
}

#[tokio::test]
async fn a_reader_ends_with_what_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    blobs.put(&key(), &text(), pieces("before")).await.unwrap();
    let mut reading = blobs.get(&Blob::newest(key()), None).await.unwrap();
    blobs.put(&key(), &text(), pieces("after it")).await.unwrap();
    blobs.delete(&key()).await.unwrap();
    assert_eq!(reading.bytes.next().await.unwrap().unwrap(), "before");
    assert!(reading.bytes.next().await.is_none());
}

#[tokio::test]
async fn a_file_of_somebody_else_in_the_folder_is_no_blob() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = blobs(folder.path());
    std::fs::create_dir_all(folder.path().join("assets/upload")).unwrap();
    std::fs::write(folder.path().join("assets/upload/a.txt"), "a plain file of some length").unwrap();
    assert!(matches!(blobs.head(&key()).await, Err(BlobError::Unavailable(_))));
}
