//! The port on HTTP.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream};
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Client, Response, redirect};
use slipstream_commands::ports::{ByteStream, FetchError, RemoteFile, SourceUrl, Web};
use tokio::time::{Instant, timeout_at};
use url::Host;

use crate::resolve::{Judged, NotAllowed};
use crate::{Reach, Resolver, head};

/// Redirects that are followed.
const REDIRECTS: usize = 3;

/// How long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebSettings {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub silence: Duration,
    /// From the request to the last byte, redirects included.
    pub whole: Duration,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            silence: Duration::from_secs(10),
            whole: Duration::from_secs(30),
        }
    }
}

/// Files by HTTP.
pub struct HttpWeb {
    client: Client,
    reach: Arc<Reach>,
    settings: WebSettings,
}

impl HttpWeb {
    /// Fetches from where `reach` allows; `resolver` says where names lead.
    ///
    /// # Errors
    /// There is no TLS to be had.
    pub fn new(
        reach: Reach,
        resolver: Arc<dyn Resolver>,
        settings: WebSettings,
    ) -> Result<Self, reqwest::Error> {
        // An error says that the process has chosen its cryptography already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let reach = Arc::new(reach);
        let client = Client::builder()
            .user_agent(concat!("slipstream/", env!("CARGO_PKG_VERSION")))
            // What an answer is compressed with is its file's own matter: nothing is unpacked here.
            .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]))
            .connect_timeout(settings.connect)
            .read_timeout(settings.silence)
            .dns_resolver(Judged { resolver, reach: reach.clone() })
            // A proxy would look the name up itself.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            // A connection that is kept was judged for its name at another time.
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self { client, reach, settings })
    }

    /// Asks, and again where it is told to.
    async fn follow(&self, url: &SourceUrl) -> Result<(Response, SourceUrl), FetchError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            self.judge(&url)?;
            let answer = self.client.get(url.url().clone()).send().await.map_err(|error| refused(&error))?;
            match answer.status().as_u16() {
                200 => return Ok((answer, url)),
                301 | 302 | 303 | 307 | 308 => {
                    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                    url = location.and_then(|location| url.join(location)).ok_or(FetchError::Redirect)?;
                }
                status => return Err(FetchError::Status(status)),
            }
        }
        Err(FetchError::TooManyRedirects)
    }

    /// An address is not resolved, so it is judged here; a name is when it is.
    fn judge(&self, url: &SourceUrl) -> Result<(), FetchError> {
        let allowed = match url.host() {
            Some(Host::Ipv4(address)) => self.reach.allows(address.into()),
            Some(Host::Ipv6(address)) => self.reach.allows(address.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        };
        if allowed { Ok(()) } else { Err(FetchError::NotPublic) }
    }
}

#[async_trait]
impl Web for HttpWeb {
    async fn open(&self, url: &SourceUrl) -> Result<RemoteFile, FetchError> {
        let deadline = Instant::now() + self.settings.whole;
        let followed = timeout_at(deadline, self.follow(url)).await;
        let (answer, url) = followed.map_err(|_| FetchError::TimedOut)??;
        Ok(RemoteFile {
            mime: head::mime(answer.headers()),
            filename: head::filename(answer.headers(), &url),
            size: answer.content_length(),
            bytes: until(deadline, answer),
        })
    }
}

/// The body; breaks off at the deadline.
fn until(deadline: Instant, answer: Response) -> ByteStream {
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    stream::unfold(Some(Box::pin(answer.bytes_stream())), move |body| async move {
        let mut body = body?;
        match timeout_at(deadline, body.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(body))),
            Ok(Some(Err(error))) => Some((Err(io::Error::other(deepest(&error).to_string())), None)),
            Ok(None) => None,
            Err(_) => Some((Err(late()), None)),
        }
    })
    .boxed()
}

/// What a user may know of it; the rest is for the operator.
fn refused(error: &reqwest::Error) -> FetchError {
    let cause = deepest(error);
    if cause.is::<NotAllowed>() {
        return FetchError::NotPublic;
    }
    tracing::debug!(error = cause, "a file cannot be fetched");
    if error.is_timeout() { FetchError::TimedOut } else { FetchError::Unreachable }
}

fn deepest(error: &reqwest::Error) -> &(dyn Error + 'static) {
    let mut deepest: &(dyn Error + 'static) = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest
}
