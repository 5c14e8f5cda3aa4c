//! Reads the log as it grows, without a checkpoint: for whoever needs to know now and forgets when it ends.

use slipstream_eventlog::{EventLog, Position, Wakes};

use crate::followed::{Followed, Unreadable, decode};
use crate::headline::Headline;

/// Why following stopped: a gap in the log (go no further) or a read that failed (call again).
pub use slipstream_eventlog::FeedError as FollowError;

/// Events of one page. A page of small events is some hundred kilobytes.
const PAGE: usize = 500;

/// A reader of the log.
pub struct Follow {
    log: EventLog,
    wakes: Wakes,
    position: Position,
}

/// Reads everything after `from`, in order, as long as it is asked to.
#[must_use]
pub fn follow(log: &EventLog, from: Position) -> Follow {
    // Armed before the first read: what is appended in between wakes the first wait.
    Follow { log: log.clone(), wakes: log.wakes(), position: from }
}

impl Follow {
    /// The next events, at least one; waits for them. Positions rise by one from event to event and from page to
    /// page: nothing is skipped, nothing comes twice. Cancel-safe: a page is given or will be read again. After an
    /// error it may be called again and goes on where it stood.
    ///
    /// # Errors
    /// See [`FollowError`]. A single event that cannot be read is an item of the page, not an error.
    pub async fn next(&mut self) -> Result<Vec<Result<Followed, Unreadable>>, FollowError> {
        loop {
            let page = self.log.feed(self.position, PAGE).await?;
            if let Some(last) = page.last() {
                self.position = last.position;
                return Ok(page.iter().map(decode).collect());
            }
            self.wakes.changed().await;
        }
    }

    /// The same, but only what happened, not what was said: for whoever looks for itself then. The two may be mixed.
    ///
    /// # Errors
    /// See [`FollowError`].
    pub async fn next_headlines(&mut self) -> Result<Vec<Headline>, FollowError> {
        loop {
            let page = self.log.envelopes(self.position, PAGE).await?;
            if let Some(last) = page.last() {
                self.position = last.position;
                return Ok(page.iter().filter_map(Headline::of).collect());
            }
            self.wakes.changed().await;
        }
    }

    /// The last event given; where it began when there was none.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }
}
