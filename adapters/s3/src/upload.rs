//! Puts bytes of unknown length into S3: small ones at once, larger ones in parts, of which one is in memory at a time.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream as Body;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use slipstream_commands::ports::{BlobError, ByteStream};
use slipstream_domain::{BlobKey, MediaType};
use tokio_util::task::TaskTracker;

use crate::errors::{refused, unavailable};

/// Bytes of a part: the least that S3 takes, so that an upload needs little memory. With the most parts S3 takes, 10 000,
/// a blob may have 48 GiB.
const PART: usize = 5 * 1024 * 1024;

/// Stores the bytes, whole or not at all.
pub(crate) async fn upload(
    client: &Client,
    tasks: &TaskTracker,
    key: &BlobKey,
    mime: &MediaType,
    bytes: ByteStream,
) -> Result<(), BlobError> {
    let mut parts = Parts { bytes, left: BytesMut::new(), ended: false };
    let first = parts.next().await?;
    if parts.ended {
        let put = client.put_object().bucket(key.bucket()).key(key.key()).content_type(mime.as_str());
        put.body(Body::from(first)).send().await.map_err(refused)?;
        return Ok(());
    }
    let upload = client.create_multipart_upload().bucket(key.bucket()).key(key.key());
    let begun = upload.content_type(mime.as_str()).send().await.map_err(refused)?;
    let id = begun.upload_id.ok_or_else(|| unavailable("a multipart upload has no id".to_owned()))?;
    let open = Open { client, tasks, key, id: Some(id) };
    open.finish(first, parts).await
}

/// The bytes, cut into parts.
struct Parts {
    bytes: ByteStream,
    left: BytesMut,
    ended: bool,
}

impl Parts {
    /// The next part: full, or the last.
    async fn next(&mut self) -> Result<Bytes, BlobError> {
        while self.left.len() < PART {
            if let Some(piece) = self.bytes.next().await {
                self.left.extend_from_slice(&piece.map_err(BlobError::Source)?);
            } else {
                self.ended = true;
                break;
            }
        }
        let part = self.left.len().min(PART);
        Ok(self.left.split_to(part).freeze())
    }
}

/// A multipart upload that is not finished. Dropped so, it is given up, or S3 keeps its parts, and their price, for ever.
struct Open<'a> {
    client: &'a Client,
    tasks: &'a TaskTracker,
    key: &'a BlobKey,
    id: Option<String>,
}

impl Open<'_> {
    async fn finish(mut self, first: Bytes, mut parts: Parts) -> Result<(), BlobError> {
        let mut done = vec![self.part(1, first).await?];
        for number in 2.. {
            if parts.ended {
                break;
            }
            let part = parts.next().await?;
            if !part.is_empty() {
                done.push(self.part(number, part).await?);
            }
        }
        let all = CompletedMultipartUpload::builder().set_parts(Some(done)).build();
        let complete = self.client.complete_multipart_upload().bucket(self.key.bucket()).key(self.key.key());
        complete.set_upload_id(self.id.clone()).multipart_upload(all).send().await.map_err(refused)?;
        self.id = None;
        Ok(())
    }

    async fn part(&self, number: i32, bytes: Bytes) -> Result<CompletedPart, BlobError> {
        let part = self.client.upload_part().bucket(self.key.bucket()).key(self.key.key());
        let part = part.set_upload_id(self.id.clone()).part_number(number).body(Body::from(bytes));
        let stored = part.send().await.map_err(refused)?;
        Ok(CompletedPart::builder().part_number(number).set_e_tag(stored.e_tag).build())
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let abort = self.client.abort_multipart_upload().bucket(self.key.bucket()).key(self.key.key());
        self.tasks.spawn(async move {
            if let Err(error) = abort.upload_id(id).send().await.map_err(refused) {
                tracing::warn!(%error, "an upload that was given up could not be cleared away");
            }
        });
    }
}
