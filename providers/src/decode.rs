//! Drives a vendor's decoder over a stream of bytes. The decoder is pure: events in, deltas out; so a vendor's format
//! is tested without a network, cut at every byte.

use std::collections::VecDeque;
use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use slipstream_domain::values::clean_text;
use slipstream_domain::{ErrorClass, FinishReason};
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
}

/// The deltas of a response body. Ends after the vendor's terminal event or with an error; a body that ends before its
/// terminal event was cut, which is a network error. Empty deltas are dropped, U+0000 becomes U+FFFD.
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
                None => Err(cut()),
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

fn cut() -> ProviderError {
    ProviderError::new(ErrorClass::Network, "the provider's stream was cut before its last event")
}

/// The delta as the rest of the system may see it; none if it says nothing.
fn cleaned(delta: Delta) -> Option<Delta> {
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
