//! URLs that lead to this server and carry their own permission: an HMAC-SHA-256 over method, path and query, as they go
//! over the wire. Knows nothing of files.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::Sha256;
use slipstream_commands::ports::{Blob, BlobUrls, Clock, Disposition, Grant, SignedUrl, UrlRefusal};
use slipstream_domain::{BlobKey, MediaType, Timestamp};
use url::{Url, form_urlencoded};

/// Where this server has its blobs.
const PREFIX: &str = "/blobs/";
/// The signature's field; it is the last.
const SIGNATURE: &str = "&signature=";

/// What is escaped of a key in a path: all but what may stand there as it is (RFC 3986, 2.3), and the slashes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Signs and checks the URLs of one server.
pub struct UrlSigner {
    public: Url,
    keyed: Hmac<Sha256>,
    clock: Arc<dyn Clock>,
}

impl UrlSigner {
    /// `public`: how clients reach this server, such as `https://chat.example.com`; only its scheme, host and port count.
    /// With another secret, the URLs given out before are refused.
    #[must_use]
    pub fn new(mut public: Url, secret: &[u8; 32], clock: Arc<dyn Clock>) -> Self {
        public.set_query(None);
        public.set_fragment(None);
        // A key shorter than a block is filled up with zeros (RFC 2104, 2).
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block[..secret.len()].copy_from_slice(secret);
        Self { public, keyed: Hmac::new(&block), clock }
    }

    pub(crate) fn upload(&self, key: &BlobKey, mime: &MediaType, size: u64, valid: Duration) -> SignedUrl {
        self.sign("PUT", key, valid, &[("type", mime.as_str()), ("size", &size.to_string())])
    }

    pub(crate) fn download(&self, blob: &Blob, disposition: &Disposition, valid: Duration) -> SignedUrl {
        let disposition = disposition.header();
        let mut fields = vec![("disposition", disposition.as_str())];
        fields.extend(blob.version_id.as_deref().map(|version| ("version", version)));
        self.sign("GET", &blob.key, valid, &fields)
    }

    fn sign(&self, method: &str, key: &BlobKey, valid: Duration, fields: &[(&str, &str)]) -> SignedUrl {
        let valid = i64::try_from(valid.as_millis()).unwrap_or(i64::MAX);
        let expires_at = self.clock.now().millis().saturating_add(valid);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("expires", &expires_at.to_string()).extend_pairs(fields);
        let mut url = self.public.clone();
        url.set_path(&format!("{PREFIX}{}/{}", key.bucket(), utf8_percent_encode(key.key(), ESCAPED)));
        let query = query.finish();
        let signature = hex::encode(self.mac(method, url.path(), &query).finalize().into_bytes());
        url.set_query(Some(&format!("{query}{SIGNATURE}{signature}")));
        SignedUrl { url: url.into(), expires_at: Timestamp::from_millis(expires_at) }
    }

    /// No method and no path has a line's end in it, so that what is signed can be read in one way only.
    fn mac(&self, method: &str, path: &str, query: &str) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        for part in [method, "\n", path, "\n", query] {
            mac.update(part.as_bytes());
        }
        mac
    }
}

impl BlobUrls for UrlSigner {
    fn check(&self, method: &str, path: &str, query: &str) -> Result<Grant, UrlRefusal> {
        let (query, signature) = query.rsplit_once(SIGNATURE).ok_or(UrlRefusal::Altered)?;
        let signature = hex::decode(signature).map_err(|_| UrlRefusal::Altered)?;
        // Compares in constant time.
        self.mac(method, path, query).verify_slice(&signature).map_err(|_| UrlRefusal::Altered)?;
        let field = |name: &str| {
            form_urlencoded::parse(query.as_bytes()).find_map(|(key, value)| (key == name).then_some(value))
        };
        let number = |name: &str| field(name)?.parse().ok();
        let expires_at = number("expires").ok_or(UrlRefusal::Altered)?;
        if self.clock.now() >= Timestamp::from_millis(i64::try_from(expires_at).unwrap_or(i64::MAX)) {
            return Err(UrlRefusal::Expired);
        }
        let key = key_of(path).ok_or(UrlRefusal::Altered)?;
        let grant = match method {
            "PUT" => field("type")
                .and_then(|mime| MediaType::parse(&mime).ok())
                .zip(number("size"))
                .map(|(mime, size)| Grant::Upload { key, mime, size }),
            "GET" => field("disposition").map(|disposition| Grant::Download {
                blob: Blob { key, version_id: field("version").map(Into::into) },
                disposition: disposition.into(),
            }),
            _ => None,
        };
        grant.ok_or(UrlRefusal::Altered)
    }
}

fn key_of(path: &str) -> Option<BlobKey> {
    let path = percent_decode_str(path.strip_prefix(PREFIX)?).decode_utf8().ok()?;
    let (bucket, key) = path.split_once('/')?;
    BlobKey::parse(bucket, key).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    struct SetClock(AtomicI64);

    impl Clock for SetClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    const MINUTE: Duration = Duration::from_mins(1);

    fn signer_at(clock: &Arc<SetClock>, secret: u8) -> UrlSigner {
        let public = Url::parse("https://chat.example.com/?x#y").unwrap();
        UrlSigner::new(public, &[secret; 32], Arc::clone(clock) as Arc<dyn Clock>)
    }

    fn signer() -> UrlSigner {
        signer_at(&Arc::new(SetClock(AtomicI64::new(0))), 1)
    }

    fn key(key: &str) -> BlobKey {
        BlobKey::parse("assets", key).unwrap()
    }

    fn parts(url: &str) -> (String, String) {
        let url = Url::parse(url).unwrap();
        (url.path().to_owned(), url.query().unwrap().to_owned())
    }

    #[test]
    fn a_signed_url_allows_what_it_was_signed_for_and_with_its_method_only() {
        let (key, mime) = (key("upload/ü 1/a%2Fb?.png"), MediaType::parse("image/svg+xml").unwrap());
        let (path, query) = parts(&signer().upload(&key, &mime, 5, MINUTE).url);
        let allowed = signer().check("PUT", &path, &query);
        assert_eq!(allowed, Ok(Grant::Upload { key: key.clone(), mime, size: 5 }));
        assert_eq!(signer().check("GET", &path, &query), Err(UrlRefusal::Altered));

        let blob = Blob { key, version_id: Some("v1".into()) };
        let saved = Disposition::Attachment { filename: "ü&=.png".into() };
        let (path, query) = parts(&signer().download(&blob, &saved, MINUTE).url);
        let allowed = signer().check("GET", &path, &query);
        assert_eq!(allowed, Ok(Grant::Download { blob, disposition: saved.header() }));
        assert_eq!(signer().check("PUT", &path, &query), Err(UrlRefusal::Altered));
    }

    #[test]
    fn an_altered_url_allows_nothing() {
        let mime = MediaType::parse("image/png").unwrap();
        let signed = signer().upload(&key("a.png"), &mime, 5, MINUTE);
        let (path, query) = parts(&signed.url);
        let (fields, signature) = query.rsplit_once(SIGNATURE).unwrap();
        for altered in [
            query.replace("size=5", "size=50"),
            query.replace("expires=60000", "expires=90000"),
            query.replace("png", "gif"),
            format!("{fields}&size=50{SIGNATURE}{signature}"),
            format!("size=50&{query}"),
            format!("{query}0"),
            query[..query.len() - 1].to_owned(),
            format!("{query}&size=50"),
            fields.to_owned(),
            format!("{fields}{SIGNATURE}"),
            String::new(),
        ] {
            assert_eq!(signer().check("PUT", &path, &altered), Err(UrlRefusal::Altered), "{altered}");
        }
        for path in ["/blobs/assets/b.png", "/blobs/other/a.png", "/blobs/assets/x/../a.png", "/blobs/", ""] {
            assert_eq!(signer().check("PUT", path, &query), Err(UrlRefusal::Altered), "{path}");
        }
        let other = signer_at(&Arc::new(SetClock(AtomicI64::new(0))), 2);
        assert_eq!(other.check("PUT", &path, &query), Err(UrlRefusal::Altered));
    }

    #[test]
    fn a_url_works_until_it_expires() {
        let clock = Arc::new(SetClock(AtomicI64::new(0)));
        let signer = signer_at(&clock, 1);
        let inline = Disposition::Inline { filename: "a".into() };
        let url = signer.download(&Blob::newest(key("a")), &inline, MINUTE);
        assert_eq!(url.expires_at, Timestamp::from_millis(60_000));
        let (path, query) = parts(&url.url);
        clock.0.store(59_999, Ordering::Relaxed);
        assert!(signer.check("GET", &path, &query).is_ok());
        clock.0.store(60_000, Ordering::Relaxed);
        assert_eq!(signer.check("GET", &path, &query), Err(UrlRefusal::Expired));
    }
}
