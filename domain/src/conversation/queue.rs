//! Messages that wait while a reply is being made.

use std::collections::VecDeque;

use crate::event::UserMessageQueued;
use crate::ids::MessageId;

/// The messages that wait, first to go first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Queue(VecDeque<UserMessageQueued>);

impl Queue {
    /// How many may wait (`04-streaming-and-resume`, "One at a time").
    pub const MAX: usize = 10;

    /// What waits.
    #[must_use]
    pub fn waiting(&self) -> &VecDeque<UserMessageQueued> {
        &self.0
    }

    pub(super) fn insert(&mut self, queued: UserMessageQueued) {
        if queued.at_head { self.0.push_front(queued) } else { self.0.push_back(queued) }
    }

    pub(super) fn remove(&mut self, message: MessageId) {
        self.0.retain(|queued| queued.message_id != message);
    }
}

#[cfg(test)]
impl Queue {
    /// What an erasure leaves of a waiting message.
    pub(super) fn erase(&mut self, message: MessageId) {
        for queued in self.0.iter_mut().filter(|queued| queued.message_id == message) {
            queued.content = crate::sealed::Sealed::Erased;
        }
    }
}
