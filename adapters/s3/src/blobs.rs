//! The port on S3.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::presigning::PresigningConfig;
use futures::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use slipstream_commands::ports::{
    Blob, BlobError, BlobMeta, BlobRead, BlobStore, ByteRange, ByteStream, Clock, Disposition, Listed,
    SignedUrl, UploadInstructions,
};
use slipstream_domain::{BlobKey, MediaType, Timestamp};
use tokio_util::io::ReaderStream;
use tokio_util::task::TaskTracker;

use crate::S3Settings;
use crate::errors::{refused, unavailable};
use crate::upload::upload;

/// What is escaped of a key in a copy's source: all but what may stand in a path as it is (RFC 3986, 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Blobs in S3.
pub struct S3Blobs {
    pub(crate) client: Client,
    clock: Arc<dyn Clock>,
    tasks: TaskTracker,
}

impl S3Blobs {
    /// Blobs where these settings lead; nothing is asked yet. `tasks` clear up behind uploads that were given up.
    #[must_use]
    pub fn new(settings: &S3Settings, clock: Arc<dyn Clock>, tasks: TaskTracker) -> Self {
        Self { client: settings.client(), clock, tasks }
    }

    /// A time for a URL to be signed at and to work for, and when that ends.
    fn presigning(&self, expires_in: Duration) -> Result<(PresigningConfig, Timestamp), BlobError> {
        let now = u64::try_from(self.clock.now().millis() / 1000).unwrap_or(0);
        let config = PresigningConfig::builder()
            .start_time(UNIX_EPOCH + Duration::from_secs(now))
            .expires_in(expires_in)
            .build()
            .map_err(|error| unavailable(error.to_string()))?;
        let until = i64::try_from(now.saturating_add(expires_in.as_secs())).unwrap_or(i64::MAX);
        Ok((config, Timestamp::from_millis(until.saturating_mul(1000))))
    }
}

#[async_trait]
impl BlobStore for S3Blobs {
    async fn sign_upload(
        &self,
        key: &BlobKey,
        mime: &MediaType,
        size: u64,
        expires_in: Duration,
    ) -> Result<UploadInstructions, BlobError> {
        let put = self.client.put_object().bucket(key.bucket()).key(key.key()).content_type(mime.as_str());
        let put = put.content_length(i64::try_from(size).unwrap_or(i64::MAX));
        let signed = put.presigned(self.presigning(expires_in)?.0).await.map_err(refused)?;
        let headers = signed
            .headers()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(UploadInstructions { method: "PUT", url: signed.uri().to_owned(), headers, expires_in })
    }

    async fn sign_download(
        &self,
        blob: &Blob,
        disposition: &Disposition,
        expires_in: Duration,
    ) -> Result<SignedUrl, BlobError> {
        let get = self.client.get_object().bucket(blob.key.bucket()).key(blob.key.key());
        let get =
            get.set_version_id(blob.version_id.clone()).response_content_disposition(disposition.header());
        let (config, expires_at) = self.presigning(expires_in)?;
        let signed = get.presigned(config).await.map_err(refused)?;
        Ok(SignedUrl { url: signed.uri().to_owned(), expires_at })
    }

    async fn head(&self, key: &BlobKey) -> Result<BlobMeta, BlobError> {
        let head = self.client.head_object().bucket(key.bucket()).key(key.key());
        let head = head.send().await.map_err(refused)?;
        Ok(meta(head))
    }

    async fn get(&self, blob: &Blob, range: Option<ByteRange>) -> Result<BlobRead, BlobError> {
        let get = self.client.get_object().bucket(blob.key.bucket()).key(blob.key.key());
        let get = get.set_version_id(blob.version_id.clone()).set_range(range.map(header));
        let got = match get.send().await {
            Ok(got) => got,
            Err(error) => {
                let status = error.raw_response().map(|response| response.status().as_u16());
                if status == Some(416) {
                    return Err(BlobError::OutOfRange { size: self.head(&blob.key).await?.size });
                }
                return Err(refused::<GetObjectError>(error));
            }
        };
        let length = u64::try_from(got.content_length.unwrap_or_default()).unwrap_or_default();
        let (range, size) = got.content_range.as_deref().and_then(ranged).unwrap_or((0..length, length));
        let meta = BlobMeta {
            size,
            mime: media_type(got.content_type.as_deref()),
            etag: got.e_tag.unwrap_or_default(),
            version_id: known_version(got.version_id),
            checksum: got.checksum_sha256.map(|digest| format!("sha256:{digest}")),
            storage_class: got.storage_class.map(|class| class.as_str().to_owned()),
        };
        let bytes = ReaderStream::new(got.body.into_async_read()).boxed();
        Ok(BlobRead { meta, range, bytes })
    }

    async fn put(&self, key: &BlobKey, mime: &MediaType, bytes: ByteStream) -> Result<BlobMeta, BlobError> {
        upload(&self.client, &self.tasks, key, mime, bytes).await?;
        self.head(key).await
    }

    async fn copy(&self, from: &Blob, to: &BlobKey) -> Result<BlobMeta, BlobError> {
        let mut source = format!("{}/{}", from.key.bucket(), utf8_percent_encode(from.key.key(), ESCAPED));
        if let Some(version) = &from.version_id {
            source.push_str("?versionId=");
            source.extend(utf8_percent_encode(version, ESCAPED));
        }
        let copy = self.client.copy_object().copy_source(source).bucket(to.bucket()).key(to.key());
        copy.send().await.map_err(refused)?;
        self.head(to).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        // Without versions of its own it takes the blob, or leaves a marker, which is a version too.
        let delete = || self.client.delete_object().bucket(key.bucket()).key(key.key());
        delete().send().await.map_err(refused)?;
        for version in self.versions(key).await? {
            delete().version_id(version).send().await.map_err(refused)?;
        }
        Ok(())
    }

    async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u16,
    ) -> Result<Vec<Listed>, BlobError> {
        let list = self.client.list_objects_v2().bucket(bucket).prefix(prefix).max_keys(limit.into());
        let list = list.set_start_after(after.map(str::to_owned)).send().await.map_err(refused)?;
        let listed = list.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let key = BlobKey::parse(bucket, object.key.as_deref()?).ok()?;
            Some(Listed { key, size: u64::try_from(object.size.unwrap_or_default()).ok()? })
        });
        Ok(listed.collect())
    }
}

impl S3Blobs {
    /// The ids of all versions of a blob and of its delete markers. None where there are no versions.
    async fn versions(&self, key: &BlobKey) -> Result<Vec<String>, BlobError> {
        let mut ids = Vec::new();
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let list = self.client.list_object_versions().bucket(key.bucket()).prefix(key.key());
            let list = list.set_key_marker(key_marker).set_version_id_marker(version_marker).send().await;
            let page = match list {
                Ok(page) => page,
                // R2 and others have no versions and say so.
                Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 501) => {
                    return Ok(ids);
                }
                Err(error) => return Err(refused(error)),
            };
            let versions = page.versions.unwrap_or_default().into_iter().map(|v| (v.key, v.version_id));
            let markers = page.delete_markers.unwrap_or_default().into_iter().map(|v| (v.key, v.version_id));
            let same = |(name, id): (Option<String>, Option<String>)| {
                id.filter(|_| name.as_deref() == Some(key.key()))
            };
            ids.extend(versions.chain(markers).filter_map(same).filter(|id| id != "null"));
            if page.is_truncated != Some(true) {
                return Ok(ids);
            }
            (key_marker, version_marker) = (page.next_key_marker, page.next_version_id_marker);
        }
    }
}

fn meta(head: HeadObjectOutput) -> BlobMeta {
    BlobMeta {
        size: u64::try_from(head.content_length.unwrap_or_default()).unwrap_or_default(),
        mime: media_type(head.content_type.as_deref()),
        etag: head.e_tag.unwrap_or_default(),
        version_id: known_version(head.version_id),
        checksum: head.checksum_sha256.map(|digest| format!("sha256:{digest}")),
        storage_class: head.storage_class.map(|class| class.as_str().to_owned()),
    }
}

fn media_type(text: Option<&str>) -> MediaType {
    text.and_then(|text| MediaType::parse(text).ok()).unwrap_or_else(MediaType::octet_stream)
}

/// A bucket whose versions are suspended calls its one version so.
fn known_version(id: Option<String>) -> Option<String> {
    id.filter(|id| id != "null")
}

/// RFC 9110, 14.1.2.
fn header(range: ByteRange) -> String {
    match range {
        ByteRange::From(first) => format!("bytes={first}-"),
        ByteRange::Between(first, last) => format!("bytes={first}-{last}"),
        ByteRange::Last(count) => format!("bytes=-{count}"),
    }
}

/// Which bytes of how many, out of `bytes 2-4/10` (RFC 9110, 14.4).
fn ranged(header: &str) -> Option<(std::ops::Range<u64>, u64)> {
    let (range, size) = header.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?, size.parse().ok()?))
}
