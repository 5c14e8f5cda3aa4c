//! Files of other servers, as far as this one fetches any.

use async_trait::async_trait;
use slipstream_domain::MediaType;
use url::{Host, Url};

use super::ByteStream;

/// A URL that a user names for a file to be fetched from: `http` or `https`, without a user or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceUrl(Url);

/// A file elsewhere that has begun to come.
pub struct RemoteFile {
    /// What its server says that it is; `None` when it does not know.
    pub mime: Option<MediaType>,
    /// What it is called there, if anything.
    pub filename: Option<String>,
    /// How many bytes it has, if its server says.
    pub size: Option<u64>,
    /// They end with an error when there are fewer than was said, or when they take too long.
    pub bytes: ByteStream,
}

/// Why a file elsewhere cannot be had. The words are for whoever asked, and tell nothing of what is inside our network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It is at no address that files are fetched from. Whether there is anything is not said.
    #[error("files are fetched from public addresses only")]
    NotPublic,
    /// Its server redirects to what is no URL to fetch from.
    #[error("the file's server redirects to what is no http or https URL")]
    Redirect,
    /// Its server redirects more often than is followed.
    #[error("the file's server redirects too often")]
    TooManyRedirects,
    /// Its server answers with something else than the file.
    #[error("the file's server answered with status {0}")]
    Status(u16),
    /// Its name leads nowhere, or its server cannot be reached.
    #[error("the file's server cannot be reached")]
    Unreachable,
    /// Its server takes too long.
    #[error("the file's server takes too long")]
    TimedOut,
    /// This server fetches none.
    #[error("this server fetches no files")]
    NotOffered,
}

/// The web.
///
/// Laws: nothing is sent to an address that is not public, whatever name, number or redirect leads to it; of a name that has
/// several, all must be. An answer is not held whole in memory. Opening and reading to the end take a bounded time together.
#[async_trait]
pub trait Web: Send + Sync {
    /// Asks for a file, following redirects.
    ///
    /// # Errors
    /// See [`FetchError`].
    async fn open(&self, url: &SourceUrl) -> Result<RemoteFile, FetchError>;
}

impl SourceUrl {
    /// The longest URL, in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// `None` for what is no such URL, or longer than [`SourceUrl::MAX_BYTES`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > Self::MAX_BYTES {
            return None;
        }
        Url::parse(text).ok().and_then(Self::checked)
    }

    /// Where a redirect from here leads; `None` when that is no such URL.
    #[must_use]
    pub fn join(&self, location: &str) -> Option<Self> {
        self.0.join(location).ok().and_then(Self::checked)
    }

    fn checked(url: Url) -> Option<Self> {
        let plain = url.username().is_empty() && url.password().is_none();
        (matches!(url.scheme(), "http" | "https") && url.has_host() && plain).then_some(Self(url))
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The host; numbers in any notation are addresses here (`2130706433` and `0x7f.1` are 127.0.0.1).
    #[must_use]
    pub fn host(&self) -> Option<Host<&str>> {
        self.0.host()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn a_file_is_fetched_by_http_from_a_host_without_a_user() {
        assert!(SourceUrl::parse("https://example.com/a.png?b#c").is_some());
        let long = format!("http://example.com/{}", "a".repeat(SourceUrl::MAX_BYTES));
        for wrong in [
            "",
            "a.png",
            "file:///etc/passwd",
            "ftp://example.com/a",
            "gopher://example.com",
            "http://",
            "http:///",
            "data:text/plain,a",
            "http://ann:secret@example.com/",
            "http://ann@example.com/",
            "http://exa mple.com/",
            "javascript:1",
            &long,
        ] {
            assert_eq!(SourceUrl::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_is_one_in_whatever_notation() {
        for notation in [
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "127.1",
            "127.0.0.1.",
        ] {
            let url = SourceUrl::parse(&format!("http://{notation}/")).unwrap();
            assert_eq!(url.host(), Some(Host::Ipv4(Ipv4Addr::LOCALHOST)), "{notation}");
        }
        assert_eq!(SourceUrl::parse("http://0/").unwrap().host(), Some(Host::Ipv4(Ipv4Addr::UNSPECIFIED)));
        assert_eq!(SourceUrl::parse("http://[::1]/").unwrap().host(), Some(Host::Ipv6(Ipv6Addr::LOCALHOST)));
    }

    #[test]
    fn a_redirect_leads_where_a_url_may_or_nowhere() {
        let from = SourceUrl::parse("https://example.com/a/b").unwrap();
        assert_eq!(from.join("../c").unwrap().url().as_str(), "https://example.com/c");
        assert_eq!(from.join("//other.example/").unwrap().url().as_str(), "https://other.example/");
        for wrong in ["file:///etc/passwd", "http://u:p@example.com/", "http://"] {
            assert_eq!(from.join(wrong), None, "{wrong}");
        }
    }
}
