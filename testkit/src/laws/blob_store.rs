//! The laws of [`BlobStore`], but for those of its URLs: these need somebody who serves them.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use slipstream_commands::ports::{
    Blob, BlobError, BlobMeta, BlobStore, ByteRange, ByteStream, Disposition, Listed, exactly,
};
use slipstream_domain::{BlobKey, MediaType};
use uuid::Uuid;

/// Checks every law in a bucket that is there.
///
/// # Panics
/// When a law is broken.
pub async fn blob_store(store: &dyn BlobStore, bucket: &str) {
    let place = Place { store, bucket, folder: format!("laws/{}", Uuid::new_v4()) };
    what_is_stored_is_there_with_its_size_and_type(&place).await;
    what_is_not_there_is_not_found(&place).await;
    a_part_is_read_by_its_range(&place).await;
    what_is_stored_again_is_replaced_and_a_version_never_changes(&place).await;
    bytes_that_break_off_leave_what_was_there(&place).await;
    a_put_that_is_given_up_stores_nothing(&place).await;
    a_large_blob_passes_in_pieces(&place).await;
    a_copy_is_a_blob_of_its_own(&place).await;
    what_is_deleted_is_gone_by_its_version_too(&place).await;
    a_list_is_in_order_and_goes_on_where_it_ended(&place).await;
    signed_urls_say_what_was_asked(&place).await;
}

struct Place<'a> {
    store: &'a dyn BlobStore,
    bucket: &'a str,
    folder: String,
}

impl Place<'_> {
    fn key(&self, name: &str) -> BlobKey {
        BlobKey::parse(self.bucket, &format!("{}/{name}", self.folder)).expect("a key")
    }

    fn blob(&self, name: &str) -> Blob {
        Blob::newest(self.key(name))
    }

    async fn put(&self, name: &str, mime: &str, content: &'static [u8]) -> BlobMeta {
        self.store.put(&self.key(name), &media_type(mime), pieces(content)).await.expect("bytes are stored")
    }

    async fn read(&self, blob: &Blob) -> Vec<u8> {
        whole(self.store.get(blob, None).await.expect("a blob is read").bytes).await
    }

    async fn absent(&self, name: &str) -> bool {
        matches!(self.store.head(&self.key(name)).await, Err(BlobError::NotFound))
    }

    async fn names(&self, prefix: &str, after: Option<&str>, limit: u16) -> Vec<String> {
        let (prefix, after) = (format!("{}/{prefix}", self.folder), after.map(|name| self.key(name)));
        let listed = self.store.list(self.bucket, &prefix, after.as_ref().map(BlobKey::key), limit).await;
        let name = |blob: Listed| blob.key.key()[self.folder.len() + 1..].to_owned();
        listed.expect("the store lists").into_iter().map(name).collect()
    }
}

fn media_type(text: &str) -> MediaType {
    MediaType::parse(text).expect("a media type")
}

/// The content in pieces of three bytes.
fn pieces(content: &'static [u8]) -> ByteStream {
    futures::stream::iter(content.chunks(3).map(|piece| Ok(Bytes::from_static(piece)))).boxed()
}

async fn whole(bytes: ByteStream) -> Vec<u8> {
    let joined = bytes.try_fold(Vec::new(), async |mut joined, piece| {
        joined.extend_from_slice(&piece);
        Ok(joined)
    });
    joined.await.expect("a blob is read to its end")
}

async fn what_is_stored_is_there_with_its_size_and_type(place: &Place<'_>) {
    let stored = place.put("photo.png", "image/png", b"the photo").await;
    let found = place.store.head(&place.key("photo.png")).await.expect("it is there");
    assert_eq!((found.size, found.mime.as_str()), (9, "image/png"));
    assert_eq!((&found.etag, &found.version_id), (&stored.etag, &stored.version_id));
    assert!(found.etag.starts_with('"') && found.etag.ends_with('"'), "{} has no quotes", found.etag);
    let read = place.store.get(&place.blob("photo.png"), None).await.expect("it is read");
    assert_eq!((&read.meta.etag, read.range, read.meta.size), (&found.etag, 0..9, 9));
    assert_eq!(whole(read.bytes).await, b"the photo");
    place.put("nothing", "text/plain", b"").await;
    assert_eq!(place.read(&place.blob("nothing")).await, b"");
}

async fn what_is_not_there_is_not_found(place: &Place<'_>) {
    place.put("folder/file", "text/plain", b"x").await;
    for absent in ["never", "folder", "folder/file/below"] {
        assert!(place.absent(absent).await, "{absent} was found");
        let read = place.store.get(&place.blob(absent), Some(ByteRange::From(0))).await;
        assert!(matches!(read, Err(BlobError::NotFound)), "{absent} was read");
        let copied = place.store.copy(&place.blob(absent), &place.key("copy of nothing")).await;
        assert!(matches!(copied, Err(BlobError::NotFound)), "{absent} was copied");
    }
    let unknown = Blob { version_id: Some("no-such-version".into()), ..place.blob("folder/file") };
    assert!(matches!(place.store.get(&unknown, None).await, Err(BlobError::NotFound)));
}

async fn a_part_is_read_by_its_range(place: &Place<'_>) {
    place.put("digits", "text/plain", b"0123456789").await;
    for (range, expected) in [
        (ByteRange::From(7), "789"),
        (ByteRange::Between(0, 0), "0"),
        (ByteRange::Between(2, 4), "234"),
        (ByteRange::Between(8, 1_000_000), "89"),
        (ByteRange::Last(2), "89"),
        (ByteRange::Last(1000), "0123456789"),
    ] {
        let read = place.store.get(&place.blob("digits"), Some(range)).await.expect("a part is read");
        assert_eq!((read.meta.size, Some(read.range)), (10, range.within(10)), "{range:?}");
        assert_eq!(whole(read.bytes).await, expected.as_bytes(), "{range:?}");
    }
    let beyond = place.store.get(&place.blob("digits"), Some(ByteRange::From(10))).await;
    assert!(matches!(beyond, Err(BlobError::OutOfRange { size: 10 })));
}

async fn what_is_stored_again_is_replaced_and_a_version_never_changes(place: &Place<'_>) {
    let first = place.put("again", "text/plain", b"first").await;
    let before = Blob { version_id: first.version_id, ..place.blob("again") };
    let second = place.put("again", "text/html", b"second").await;
    assert_eq!(place.read(&place.blob("again")).await, b"second");
    assert_eq!(place.store.head(&place.key("again")).await.expect("it is there").mime.as_str(), "text/html");
    assert_ne!(first.etag, second.etag);
    if before.version_id.is_some() {
        match place.store.get(&before, None).await {
            Ok(read) => assert_eq!(whole(read.bytes).await, b"first"),
            Err(error) => assert!(matches!(error, BlobError::NotFound), "{error}"),
        }
    }
}

async fn bytes_that_break_off_leave_what_was_there(place: &Place<'_>) {
    let breaking = || pieces(b"half of it").chain(broken()).boxed();
    let refused = place.store.put(&place.key("broken"), &media_type("text/plain"), breaking()).await;
    assert!(matches!(refused, Err(BlobError::Source(_))));
    assert!(place.absent("broken").await, "half a blob was stored");
    place.put("broken", "text/plain", b"the old one").await;
    for wrong in [breaking(), exactly(3, pieces(b"four")), exactly(5, pieces(b"four"))] {
        let refused = place.store.put(&place.key("broken"), &media_type("text/plain"), wrong).await;
        assert!(matches!(refused, Err(BlobError::Source(_))));
        assert_eq!(place.read(&place.blob("broken")).await, b"the old one");
    }
}

fn broken() -> ByteStream {
    futures::stream::iter([Err(io::Error::from(io::ErrorKind::ConnectionReset))]).boxed()
}

async fn a_put_that_is_given_up_stores_nothing(place: &Place<'_>) {
    let endless = pieces(b"the beginning").chain(futures::stream::pending()).boxed();
    let (key, mime) = (place.key("given up"), media_type("text/plain"));
    let putting = place.store.put(&key, &mime, endless);
    assert!(tokio::time::timeout(Duration::from_millis(200), putting).await.is_err(), "it did not wait");
    assert!(place.absent("given up").await);
}

/// Larger than two parts of a multipart upload to S3, which are 5 MiB at least.
async fn a_large_blob_passes_in_pieces(place: &Place<'_>) {
    const PIECE: usize = 100_000;
    let bytes = futures::stream::iter((0..126_u8).map(|n| Ok(Bytes::from(vec![n; PIECE])))).boxed();
    let stored = place.store.put(&place.key("large"), &media_type("video/mp4"), bytes).await;
    assert_eq!(stored.expect("it is stored").size, 12_600_000);
    let read = place.store.get(&place.blob("large"), None).await.expect("it is read");
    let mut at = 0;
    let mut reading = read.bytes;
    while let Some(piece) = reading.try_next().await.expect("it is read to its end") {
        assert!(piece.len() < 6_000_000, "{} bytes came as one", piece.len());
        for byte in piece {
            assert_eq!(usize::from(byte), at / PIECE);
            at += 1;
        }
    }
    assert_eq!(at, 12_600_000);
}

async fn a_copy_is_a_blob_of_its_own(place: &Place<'_>) {
    place.put("original", "image/gif", b"GIF89a").await;
    let copied = place.store.copy(&place.blob("original"), &place.key("copies/one")).await.expect("copied");
    assert_eq!((copied.size, copied.mime.as_str()), (6, "image/gif"));
    place.store.delete(&place.key("original")).await.expect("deleted");
    assert_eq!(place.read(&place.blob("copies/one")).await, b"GIF89a");
}

async fn what_is_deleted_is_gone_by_its_version_too(place: &Place<'_>) {
    let first = place.put("secret", "text/plain", b"one").await;
    let second = place.put("secret", "text/plain", b"two").await;
    for _ in 0..2 {
        place.store.delete(&place.key("secret")).await.expect("deleted, or nothing there");
        assert!(place.absent("secret").await);
    }
    for meta in [first, second] {
        let blob = Blob { version_id: meta.version_id, ..place.blob("secret") };
        assert!(matches!(place.store.get(&blob, None).await, Err(BlobError::NotFound)));
    }
}

async fn a_list_is_in_order_and_goes_on_where_it_ended(place: &Place<'_>) {
    for name in ["list/b", "list/a/2", "list/a-1", "list/a/1", "list.txt", "other"] {
        place.put(name, "text/plain", b"x").await;
    }
    assert_eq!(place.names("list/", None, 10).await, ["list/a-1", "list/a/1", "list/a/2", "list/b"]);
    assert_eq!(place.names("list/a", None, 2).await, ["list/a-1", "list/a/1"]);
    assert_eq!(place.names("list/a", Some("list/a/1"), 2).await, ["list/a/2"]);
    assert_eq!(place.names("li", None, 1).await, ["list.txt"]);
    assert!(place.names("nothing/", None, 10).await.is_empty());
}

async fn signed_urls_say_what_was_asked(place: &Place<'_>) {
    let (key, mime) = (place.key("signed.png"), media_type("image/png"));
    let minutes = Duration::from_mins(15);
    let upload = place.store.sign_upload(&key, &mime, 5, minutes).await.expect("signed");
    assert_eq!((upload.method, upload.expires_in), ("PUT", minutes));
    assert!(upload.url.contains("signed.png"), "{}", upload.url);
    let lower = upload.url.to_lowercase();
    assert!(!lower.contains("checksum"), "a client that computes no checksum cannot send one: {lower}");
    let mime = upload.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    assert_eq!(mime.map(|(_, value)| value.as_str()), Some("image/png"));
    let inline = Disposition::Inline { filename: "Grüße.png".into() };
    let download = place.store.sign_download(&Blob::newest(key), &inline, minutes).await.expect("signed");
    assert!(download.url.contains("signed.png"), "{}", download.url);
}
