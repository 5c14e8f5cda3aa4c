//! The end of a reply: recorded in the conversation, and what waits next goes out in the same append.

use super::ask::NewGeneration;
use super::queue::{Waiting, message_ask, reply_ask};
use super::redo::answer_again;
use super::{Conversation, Settings, withdraw};
use crate::event::{
    ConversationEvent, ReplyQueued, ReplyRecorded, UserMessagePosted, UserMessageQueued, WithdrawReason,
};
use crate::ids::{ConversationId, GenerationId, MessageId};
use crate::values::{KeySource, ProviderId, Seq, TerminalStatus};

/// What the end of a reply leads to: all of it goes into one append, beside the generation's own last event.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The conversation's events.
    pub events: Vec<ConversationEvent>,
    /// The next reply, when something waited.
    pub next: Option<NewGeneration>,
}

impl Conversation {
    /// The running reply `generation` has ended. Accepted after the conversation was deleted, but then nothing follows.
    /// `None` when it is not the running one: it was recorded before.
    ///
    /// `key_source` decides whose key pays for what goes out next, or why it is withdrawn instead.
    #[must_use]
    pub fn record_reply(
        &self,
        id: ConversationId,
        generation: GenerationId,
        status: TerminalStatus,
        final_seq: Seq,
        key_source: impl Fn(&ProviderId) -> Result<KeySource, WithdrawReason>,
    ) -> Option<Reply> {
        let running = self.running().filter(|reply| reply.generation_id == generation)?;
        let mut events = vec![ConversationEvent::ReplyRecorded(ReplyRecorded {
            message_id: running.message_id,
            parent_message_id: Some(running.parent_message_id),
            generation_id: generation,
            status,
            final_seq,
        })];
        let mut next = None;
        for waiting in self.queued() {
            let sent = key_source(waiting.provider()).and_then(|key| {
                let sent = match waiting {
                    Waiting::Message(queued) => send(id, running.message_id, queued, key, self.settings()),
                    Waiting::Reply(queued) => {
                        let leaf = self.messages().leaf_after(running);
                        send_again(id, leaf, queued, key, self.settings())
                    }
                };
                sent.ok_or(WithdrawReason::Erased)
            });
            match sent {
                Ok((sent, generation)) => {
                    events.extend(sent);
                    next = Some(generation);
                    break;
                }
                Err(reason) => events.push(withdraw(waiting, reason)),
            }
        }
        Some(Reply { events, next })
    }
}

/// `None` when the waiting message's text was erased. An edit stands where the message it replaces stands, which may be
/// at the beginning; any other message without a place follows `ended`.
fn send(
    conversation_id: ConversationId,
    ended: MessageId,
    queued: &UserMessageQueued,
    key: KeySource,
    settings: &Settings,
) -> Option<(Vec<ConversationEvent>, NewGeneration)> {
    let (ask, content) = (message_ask(queued, key)?, queued.content.open()?);
    let otherwise = if queued.edited_from.is_some() { None } else { Some(ended) };
    let posted = UserMessagePosted {
        message_id: queued.message_id,
        parent_message_id: queued.parent_message_id.or(otherwise),
        attachment_ids: queued.attachment_ids.clone(),
        edited_from: queued.edited_from,
        content: content.message.clone().into(),
    };
    let reply = ask.reply_to(queued.message_id);
    let events = vec![ConversationEvent::UserMessagePosted(posted), ConversationEvent::ReplyRequested(reply)];
    Some((events, ask.into_generation(conversation_id, settings)))
}

/// `None` when the instructions were erased.
fn send_again(
    conversation_id: ConversationId,
    leaf: Option<MessageId>,
    queued: &ReplyQueued,
    key: KeySource,
    settings: &Settings,
) -> Option<(Vec<ConversationEvent>, NewGeneration)> {
    let ask = reply_ask(queued, key)?;
    let events = answer_again(leaf, queued.parent_message_id, &ask).collect();
    Some((events, ask.into_generation(conversation_id, settings)))
}
