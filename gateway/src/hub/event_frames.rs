//! A conversation's events as the frames of v1: one each, with the version that the event makes. Pure.

use slipstream_domain::ConversationId;
use slipstream_domain::event::ConversationEvent;

use crate::protocol::{
    MessagePosted, MessageQueued, MessageWithdrawn, Nothing, OfConversation, ReplyRecorded, ReplyRequested,
    ServerFrame, TitleUpdated,
};

/// The frame that tells an event.
pub(super) fn event_frame(
    conversation_id: ConversationId,
    version: i64,
    event: &ConversationEvent,
) -> ServerFrame {
    match event {
        ConversationEvent::ConversationStarted(_) => {
            ServerFrame::ConversationCreated(OfConversation { conversation_id, version, what: Nothing {} })
        }
        ConversationEvent::UserMessagePosted(posted) => {
            let text = posted.content.open().map(|content| content.text.as_str().to_owned());
            let what = MessagePosted {
                message_id: posted.message_id,
                parent_message_id: posted.parent_message_id,
                edited_from: posted.edited_from,
                text,
            };
            ServerFrame::MessagePosted(OfConversation { conversation_id, version, what })
        }
        ConversationEvent::ReplyRequested(reply) => {
            let what = ReplyRequested {
                generation_id: reply.generation_id,
                message_id: reply.message_id,
                parent_message_id: reply.parent_message_id,
            };
            ServerFrame::ReplyRequested(OfConversation { conversation_id, version, what })
        }
        ConversationEvent::UserMessageQueued(queued) => {
            let text = queued.content.open().map(|content| content.message.text.as_str().to_owned());
            let what = MessageQueued {
                message_id: queued.message_id,
                parent_message_id: queued.parent_message_id,
                generation_id: queued.generation_id,
                reply_message_id: queued.reply_message_id,
                provider: queued.provider.clone(),
                model: queued.model.clone(),
                at_head: queued.at_head,
                text,
            };
            ServerFrame::MessageQueued(OfConversation { conversation_id, version, what })
        }
        ConversationEvent::QueuedMessageWithdrawn(withdrawn) => {
            let what = MessageWithdrawn { message_id: withdrawn.message_id, reason: withdrawn.reason };
            ServerFrame::MessageWithdrawn(OfConversation { conversation_id, version, what })
        }
        ConversationEvent::ReplyRecorded(reply) => {
            let what = ReplyRecorded {
                generation_id: reply.generation_id,
                message_id: reply.message_id,
                parent_message_id: reply.parent_message_id,
                status: reply.status,
                final_seq: reply.final_seq,
            };
            ServerFrame::ReplyRecorded(OfConversation { conversation_id, version, what })
        }
        ConversationEvent::TitleSet(set) => {
            let title = set.content.open().map(|content| content.title.as_str().to_owned());
            let what = TitleUpdated { title, source: set.source };
            ServerFrame::TitleUpdated(OfConversation { conversation_id, version, what })
        }
        ConversationEvent::ConversationDeleted(_) => {
            ServerFrame::ConversationDeleted(OfConversation { conversation_id, version, what: Nothing {} })
        }
    }
}
