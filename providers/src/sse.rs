//! Server-sent events out of bytes cut anywhere, with a bound on memory. The parsing is the `sseer` crate's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use slipstream_domain::ErrorClass;
use sseer::errors::EventStreamError;
use sseer::event::Event;

use crate::ProviderError;

/// The events of a stream. More than `max_bytes` without a complete event (an endless line, comments only) is a
/// protocol error, and so is invalid UTF-8; comments, a byte order mark and every line ending are the parser's matter.
pub(crate) fn events<S>(bytes: S, max_bytes: usize) -> impl Stream<Item = Result<Event, ProviderError>> + Send
where
    S: Stream<Item = Result<Bytes, ProviderError>> + Send,
{
    let since_event = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&since_event);
    let bounded = bytes.map(move |chunk| {
        let chunk = chunk?;
        let total = counter.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len();
        if total > max_bytes {
            let message =
                format!("the provider sent more than {max_bytes} bytes without completing an event");
            return Err(ProviderError::new(ErrorClass::Protocol, &message));
        }
        Ok(chunk)
    });
    sseer::EventStream::new(bounded).map(move |event| {
        since_event.store(0, Ordering::Relaxed);
        event.map_err(|error| match error {
            EventStreamError::Transport(error) => error,
            EventStreamError::Utf8Error(_) => {
                ProviderError::new(ErrorClass::Protocol, "the provider sent text that is not UTF-8")
            }
        })
    })
}
