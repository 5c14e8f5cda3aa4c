//! On an S3 server that is not ours and checks every signature. It keeps no versions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use reqwest::StatusCode;
use slipstream_commands::ports::{Blob, BlobError, BlobStore, ByteRange, Disposition, UploadInstructions};
use slipstream_domain::{BlobKey, MediaType};
use slipstream_local::SystemClock;
use slipstream_s3::{S3Blobs, S3Settings};
use slipstream_testkit::SignedS3;
use tokio_util::task::TaskTracker;

use crate::moto::http;

const BUCKET: &str = "files";
const MINUTES: Duration = Duration::from_mins(15);

fn blobs(server: &SignedS3, secret: &str) -> S3Blobs {
    let settings = S3Settings {
        region: "us-east-1".into(),
        endpoint: Some(server.url().parse().unwrap()),
        path_style: true,
        access_key_id: SignedS3::ACCESS_KEY_ID.into(),
        secret_access_key: secret.into(),
    };
    S3Blobs::new(&settings, Arc::new(SystemClock::new()), TaskTracker::new())
}

async fn server() -> (SignedS3, S3Blobs) {
    let server = SignedS3::start(&[BUCKET]).await;
    let blobs = blobs(&server, SignedS3::SECRET_ACCESS_KEY);
    (server, blobs)
}

fn key(name: &str) -> BlobKey {
    BlobKey::parse(BUCKET, name).unwrap()
}

fn text() -> MediaType {
    MediaType::parse("text/plain").unwrap()
}

async fn put(told: &UploadInstructions, url: &str, mime: &str, body: &'static str) -> StatusCode {
    assert_eq!(told.headers, [("content-type".to_owned(), "text/plain".to_owned())]);
    http().put(url).header("content-type", mime).body(body).send().await.unwrap().status()
}

/// Of the laws, what this server itself keeps: it has no versions, and its folders show through.
#[tokio::test]
async fn every_request_of_ours_is_signed_as_it_must_be() {
    let (_server, blobs) = server().await;
    let pieces = || futures::stream::iter((0..126_u8).map(|n| Ok(Bytes::from(vec![n; 100_000])))).boxed();
    let (large, copy) = (key("a folder/large & ü.txt"), key("copy.txt"));
    assert_eq!(blobs.put(&large, &text(), pieces()).await.unwrap().size, 12_600_000);
    let range = Some(ByteRange::Between(99_999, 100_000));
    let read = blobs.get(&Blob::newest(large.clone()), range).await.unwrap();
    assert_eq!((read.meta.size, read.range.clone()), (12_600_000, 99_999..100_001));
    assert_eq!(read.bytes.try_collect::<Vec<_>>().await.unwrap().concat(), [0, 1]);
    assert_eq!(blobs.copy(&Blob::newest(large.clone()), &copy).await.unwrap().mime, text());
    let listed = blobs.list(BUCKET, "", None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|blob| &blob.key).collect::<Vec<_>>(), [&large, &copy]);
    for _ in 0..2 {
        blobs.delete(&large).await.unwrap();
        assert!(matches!(blobs.head(&large).await, Err(BlobError::NotFound)));
    }
    let broken = pieces().take(70).chain(futures::stream::iter([Err(std::io::Error::other("broken"))]));
    assert!(matches!(blobs.put(&large, &text(), broken.boxed()).await, Err(BlobError::Source(_))));
    assert!(matches!(blobs.head(&large).await, Err(BlobError::NotFound)));
}

#[tokio::test]
async fn an_upload_url_takes_what_it_was_signed_for_and_nothing_else() {
    let (_server, blobs) = server().await;
    let told = blobs.sign_upload(&key("upload/1/a.txt"), &text(), 5, MINUTES).await.unwrap();
    let url = &told.url;
    assert!(url[..url.len() - 64].ends_with("X-Amz-Signature="), "{url}");
    for (url, mime, body) in [
        (url.clone(), "text/html", "hello"),
        (url.clone(), "text/plain", "hello!"),
        (url.clone(), "text/plain", "hell"),
        (url.replace("upload/1", "upload/2"), "text/plain", "hello"),
        (url.replace("X-Amz-Expires=900", "X-Amz-Expires=90000"), "text/plain", "hello"),
        (format!("{}{}", &url[..url.len() - 64], "0".repeat(64)), "text/plain", "hello"),
        (url.split('?').next().unwrap().to_owned(), "text/plain", "hello"),
    ] {
        assert_eq!(put(&told, &url, mime, body).await, StatusCode::FORBIDDEN, "{url} {mime} {body}");
    }
    assert!(matches!(blobs.head(&key("upload/1/a.txt")).await, Err(BlobError::NotFound)));
    assert!(put(&told, url, "text/plain", "hello").await.is_success());
    let found = blobs.head(&key("upload/1/a.txt")).await.unwrap();
    assert_eq!((found.size, found.mime, found.version_id), (5, text(), None));
}

#[tokio::test]
async fn urls_work_until_they_expire_and_only_for_what_they_show() {
    let (_server, blobs) = server().await;
    let told = blobs.sign_upload(&key("a.txt"), &text(), 5, Duration::from_secs(1)).await.unwrap();
    assert!(put(&told, &told.url, "text/plain", "hello").await.is_success());
    let inline = Disposition::Inline { filename: "Grüße.txt".into() };
    let blob = Blob::newest(key("a.txt"));
    let short = blobs.sign_download(&blob, &inline, Duration::from_secs(1)).await.unwrap();
    let long = blobs.sign_download(&blob, &inline, MINUTES).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(put(&told, &told.url, "text/plain", "later").await, StatusCode::FORBIDDEN);
    let get = async |url: &str| http().get(url).send().await.unwrap();
    assert_eq!(get(&short.url).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(get(&long.url.replace("a.txt?", "b.txt?")).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(get(&long.url).await.bytes().await.unwrap(), "hello");
}

#[tokio::test]
async fn a_wrong_secret_opens_nothing_and_is_not_told() {
    let (server, _) = server().await;
    let error = blobs(&server, "another secret").head(&key("a.txt")).await.unwrap_err();
    assert!(matches!(error, BlobError::Unavailable(_)) && !error.to_string().contains("secret"), "{error}");
}
