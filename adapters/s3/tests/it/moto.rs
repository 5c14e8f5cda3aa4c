//! On moto, which has versions, parts and CORS, and checks neither signatures nor lengths.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use bytes::Bytes;
use futures::StreamExt;
use slipstream_commands::ports::{Blob, BlobSignatures, BlobStore, ByteStream, Disposition};
use slipstream_domain::{BlobKey, MediaType};
use slipstream_local::SystemClock;
use slipstream_s3::{S3Blobs, S3Settings};
use slipstream_testkit::{laws, servers};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

const MINUTES: Duration = Duration::from_mins(15);

/// A bucket of its own, and a look past the adapter.
struct Moto {
    blobs: S3Blobs,
    tasks: TaskTracker,
    raw: aws_sdk_s3::Client,
    bucket: String,
}

impl Moto {
    async fn new() -> Self {
        let settings = S3Settings {
            region: "us-east-1".into(),
            endpoint: Some(servers::s3_url().parse().unwrap()),
            path_style: true,
            access_key_id: "tests".into(),
            secret_access_key: "not a secret".into(),
        };
        let tasks = TaskTracker::new();
        let blobs = S3Blobs::new(&settings, Arc::new(SystemClock::new()), tasks.clone());
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(Credentials::new("tests", "not a secret", None, None, "tests"))
            .region(Region::new("us-east-1"))
            .force_path_style(true)
            .endpoint_url(servers::s3_url());
        let raw = aws_sdk_s3::Client::from_conf(config.build());
        let bucket = format!("b-{}", Uuid::new_v4());
        raw.create_bucket().bucket(&bucket).send().await.unwrap();
        Self { blobs, tasks, raw, bucket }
    }

    async fn versioned() -> Self {
        let moto = Self::new().await;
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        moto.raw
            .put_bucket_versioning()
            .bucket(&moto.bucket)
            .versioning_configuration(on)
            .send()
            .await
            .unwrap();
        moto
    }

    fn key(&self, key: &str) -> BlobKey {
        BlobKey::parse(&self.bucket, key).unwrap()
    }

    async fn unfinished(&self) -> usize {
        let uploads = self.raw.list_multipart_uploads().bucket(&self.bucket).send().await.unwrap();
        uploads.uploads.unwrap_or_default().len()
    }
}

fn png() -> MediaType {
    MediaType::parse("image/png").unwrap()
}

pub(crate) fn http() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

/// More than one part, and then nothing more.
fn endless() -> ByteStream {
    let pieces = futures::stream::iter((0..7).map(|_| Ok(Bytes::from(vec![1; 1024 * 1024]))));
    pieces.chain(futures::stream::pending()).boxed()
}

#[tokio::test]
async fn s3_keeps_the_laws_of_a_blob_store() {
    let moto = Moto::new().await;
    laws::blob_store(&moto.blobs, &moto.bucket).await;
}

#[tokio::test]
async fn s3_with_versions_keeps_them_too() {
    let moto = Moto::versioned().await;
    laws::blob_store(&moto.blobs, &moto.bucket).await;
    let key = moto.key("v");
    let bytes = futures::stream::iter([Ok(Bytes::from_static(b"x"))]).boxed();
    assert!(moto.blobs.put(&key, &png(), bytes).await.unwrap().version_id.is_some());
}

#[tokio::test]
async fn a_client_uploads_and_downloads_by_signed_urls() {
    let moto = Moto::versioned().await;
    let key = moto.key("upload/1/2-photo.png");
    let told = moto.blobs.sign_upload(&key, &png(), 9, MINUTES).await.unwrap();
    let signed = told.url.split("X-Amz-SignedHeaders=").nth(1).unwrap().split('&').next().unwrap();
    assert_eq!(signed.to_lowercase(), "content-length%3bcontent-type%3bhost", "type and length are signed");
    assert!(told.url.contains("X-Amz-Expires=900"), "{}", told.url);
    assert_eq!(told.headers.len(), 1, "a browser sends the length itself: {:?}", told.headers);

    let mut put = http().put(&told.url).body("the photo");
    for (name, value) in &told.headers {
        put = put.header(name, value);
    }
    let answer = put.send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    let found = moto.blobs.head(&key).await.unwrap();
    assert_eq!(answer.headers()["etag"], found.etag.as_str());
    assert_eq!(Some(answer.headers()["x-amz-version-id"].to_str().unwrap()), found.version_id.as_deref());
    assert_eq!((found.size, found.mime), (9, png()));

    let inline = Disposition::Inline { filename: "Grüße.png".into() };
    let blob = Blob { key, version_id: found.version_id };
    let shown = moto.blobs.sign_download(&blob, &inline, MINUTES).await.unwrap();
    let answer = http().get(&shown.url).send().await.unwrap();
    assert_eq!(answer.headers()["content-disposition"], inline.header());
    assert_eq!(answer.headers()["content-type"], "image/png");
    assert_eq!(answer.bytes().await.unwrap(), "the photo");
}

#[tokio::test]
async fn an_upload_that_is_given_up_or_breaks_off_leaves_no_parts_behind() {
    let moto = Moto::new().await;
    let (key, mime) = (moto.key("large"), png());
    let putting = moto.blobs.put(&key, &mime, endless());
    assert!(tokio::time::timeout(Duration::from_secs(2), putting).await.is_err());
    let broken = endless().take(7).chain(futures::stream::iter([Err(std::io::Error::other("broken"))]));
    assert!(moto.blobs.put(&key, &mime, broken.boxed()).await.is_err());
    moto.tasks.close();
    moto.tasks.wait().await;
    assert_eq!(moto.unfinished().await, 0);
}

#[tokio::test]
async fn a_bucket_is_taught_to_let_pages_upload() {
    let moto = Moto::new().await;
    let origins = vec!["https://chat.example.com".to_owned()];
    assert!(!moto.blobs.has_cors(&moto.bucket, &origins).await.unwrap());
    moto.blobs.set_cors(&moto.bucket, &origins).await.unwrap();
    assert!(moto.blobs.has_cors(&moto.bucket, &origins).await.unwrap());
    assert!(!moto.blobs.has_cors(&moto.bucket, &["https://evil.example.com".to_owned()]).await.unwrap());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_the_error_tells_no_secret() {
    let settings = S3Settings {
        region: "us-east-1".into(),
        endpoint: Some("http://127.0.0.1:9".parse().unwrap()),
        path_style: true,
        access_key_id: "tests".into(),
        secret_access_key: "not a secret".into(),
    };
    let blobs = S3Blobs::new(&settings, Arc::new(SystemClock::new()), TaskTracker::new());
    let error = blobs.head(&BlobKey::parse("b", "a").unwrap()).await.unwrap_err().to_string();
    assert!(error.starts_with("blob store is unavailable"), "{error}");
    assert!(!error.contains("not a secret") && !format!("{settings:?}").contains("not a secret"), "{error}");
}

#[tokio::test]
async fn a_bucket_keeps_the_laws_of_a_store_of_signatures() {
    let moto = Moto::new().await;
    let (blobs, bucket) = (Arc::new(moto.blobs), moto.bucket);
    laws::signatures(&BlobSignatures::new(blobs, bucket)).await;
}
