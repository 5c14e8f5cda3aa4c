//! Drives a vendor's decoder over a stream of bytes. The decoder is pure: events in, deltas out; so a vendor's format
//! is tested without a network, cut at every byte.

use std::collections::VecDeque;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use slipstream_domain::values::clean_text;
use slipstream_domain::{Citation, ErrorClass, FinishReason};
use sseer::event::Event;

use crate::{Delta, ProviderError, sse};

/// Whether a vendor's stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    More,
    /// The vendor's terminal event has been read.
    Finished,
}

/// One vendor's stream format.
pub(crate) trait Decoder: Send + 'static {
    /// Reads the data of one event and appends what it means to `deltas`. Unknown events mean nothing.
    fn event(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<Progress, ProviderError>;

    /// The body has ended properly, before [`Progress::Finished`]. For a vendor with a terminal event that is a cut; one
    /// without appends its [`Delta::Finish`] here, if its answer was whole.
    fn end(&mut self, _deltas: &mut VecDeque<Delta>) -> Result<(), ProviderError> {
        Err(cut())
    }
}

/// The deltas of a response body. Ends after the vendor's terminal event or with an error; a body that ends before its
/// vendor would end it was cut, which is a network error. Empty deltas are dropped, U+0000 becomes U+FFFD.
pub(crate) fn deltas<S, D>(
    bytes: S,
    decoder: D,
    max_bytes: usize,
) -> impl Stream<Item = Result<Delta, ProviderError>>
where
    S: Stream<Item = Result<Bytes, ProviderError>> + Send,
    D: Decoder,
{
    let events = Some(Box::pin(sse::events(bytes, max_bytes)));
    let reader = Reader { events, decoder, ready: VecDeque::new(), failure: None };
    stream::unfold(reader, |mut reader| async move { reader.next().await.map(|item| (item, reader)) })
}

struct Reader<E, D> {
    /// None when no more is to be read; the connection is then closed, whatever else the vendor would send.
    events: Option<Pin<Box<E>>>,
    decoder: D,
    /// What the events read so far mean and nobody has taken yet: at most one event's worth.
    ready: VecDeque<Delta>,
    /// Handed out once, after `ready`.
    failure: Option<ProviderError>,
}

impl<E, D> Reader<E, D>
where
    E: Stream<Item = Result<Event, ProviderError>>,
    D: Decoder,
{
    async fn next(&mut self) -> Option<Result<Delta, ProviderError>> {
        loop {
            while let Some(delta) = self.ready.pop_front() {
                if let Some(delta) = cleaned(delta) {
                    return Some(Ok(delta));
                }
            }
            if let Some(error) = self.failure.take() {
                return Some(Err(error));
            }
            let progress = match self.events.as_mut()?.next().await {
                Some(Ok(event)) => self.decoder.event(&event.data, &mut self.ready),
                Some(Err(error)) => Err(error),
                None => self.decoder.end(&mut self.ready).map(|()| Progress::Finished),
            };
            match progress {
                Ok(Progress::More) => {}
                Ok(Progress::Finished) => self.events = None,
                Err(error) => {
                    self.events = None;
                    self.failure = Some(error);
                }
            }
        }
    }
}

/// The end of a body that is not the end of its answer.
pub(crate) fn cut() -> ProviderError {
    ProviderError::new(ErrorClass::Network, "the provider's stream was cut before its last event")
}

/// The delta as the rest of the system may see it; none if it says nothing.
pub(crate) fn cleaned(delta: Delta) -> Option<Delta> {
    match delta {
        Delta::Text(text) | Delta::Thinking(text) if text.is_empty() => None,
        Delta::Text(text) => Some(Delta::Text(clean_text(text))),
        Delta::Thinking(text) => Some(Delta::Thinking(clean_text(text))),
        Delta::Citation(mut citation) => {
            citation.url = clean_text(citation.url);
            citation.title = citation.title.map(clean_text);
            Some(Delta::Citation(citation))
        }
        Delta::Finish { reason: FinishReason::Other(word) } => {
            Some(Delta::Finish { reason: FinishReason::Other(clean_text(word)) })
        }
        other @ (Delta::ThinkingSignature(_)
        | Delta::Image { .. }
        | Delta::ToolStatus { .. }
        | Delta::Usage(_)
        | Delta::Finish { .. }) => Some(other),
    }
}

/// Between two parts of an answer, or of its thinking.
pub(crate) const FURTHER: &str = "\n\n";

/// `delta`, after a blank line when it is the first of a further part; none when it is empty. `last` remembers the place.
pub(crate) fn continued<P: PartialEq>(last: &mut Option<P>, place: P, delta: String) -> Option<String> {
    if delta.is_empty() {
        return None;
    }
    let further = last.as_ref().is_some_and(|before| *before != place);
    *last = Some(place);
    Some(if further { format!("{FURTHER}{delta}") } else { delta })
}

/// A source, if it is at a web address: a client turns it into a link.
pub(crate) fn citation(url: Option<String>, title: Option<String>) -> Option<Delta> {
    let url = url.filter(|url| url.starts_with("https://") || url.starts_with("http://"))?;
    Some(Delta::Citation(Citation { url, title: title.filter(|title| !title.is_empty()) }))
}

/// A picture out of base64.
pub(crate) fn picture(mime: &str, base64: &str) -> Result<Delta, ProviderError> {
    let bytes =
        STANDARD.decode(base64).map_err(|_| protocol("the provider sent a picture that is not base64"))?;
    Ok(Delta::Image { mime: mime.to_owned(), bytes: bytes.into() })
}

/// What cannot be understood.
pub(crate) fn protocol(message: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Protocol, message)
}

/// An event as its type, or the error that names its kind (in `type`), never its content, which may be a user's text.
pub(crate) fn parsed<T: DeserializeOwned>(data: &str) -> Result<T, ProviderError> {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: Option<String>,
    }
    serde_json::from_str(data).map_err(|_| match serde_json::from_str::<Kind>(data) {
        Ok(Kind { kind: Some(kind) }) => {
            protocol(&format!("the provider sent an event {kind} of an unknown form"))
        }
        Ok(Kind { kind: None }) => protocol("the provider sent an event of an unknown form"),
        Err(_) => protocol("the provider sent an event that is not JSON"),
    })
}

/// Drops a repeat of all reasoning so far in one late piece, which some models (and proxies) send.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    said: String,
    pieces: usize,
}

impl Repeats {
    /// Below this many bytes an equal piece may well be meant ("no, no").
    const LEAST: usize = 32;

    /// The piece, unless it is such a repeat.
    pub(crate) fn without(&mut self, piece: String) -> Option<String> {
        if self.pieces > 1 && piece.len() >= Self::LEAST && piece == self.said {
            return None;
        }
        self.pieces += 1;
        self.said.push_str(&piece);
        Some(piece)
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
