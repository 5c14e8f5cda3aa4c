//! A conversation's events as the frames of v1: one each, with the version that the event makes. Pure.

use slipstream_domain::event::{self, ConversationEvent};
use slipstream_domain::{ConversationId, Sealed};
use slipstream_projections::Versioned;

use crate::protocol::{
    LeafChosen, MessagePosted, MessageQueued, MessageRated, MessageWithdrawn, Nothing, OfConversation,
    ReplyQueued, ReplyRecorded, ReplyRequested, ServerFrame, SettingsUpdated, TitleUpdated,
};

/// The frame that tells an event. `next` is the one after it, if there is one: a message says which reply answers it.
pub(super) fn event_frame(id: ConversationId, event: &Versioned, next: Option<&Versioned>) -> ServerFrame {
    let Versioned { version, event } = event;
    let version = *version;
    match event {
        ConversationEvent::ConversationStarted(_) => {
            ServerFrame::ConversationCreated(of(id, version, Nothing {}))
        }
        ConversationEvent::UserMessagePosted(message) => {
            ServerFrame::MessagePosted(of(id, version, posted(message, next)))
        }
        ConversationEvent::ReplyRequested(reply) => {
            ServerFrame::ReplyRequested(of(id, version, requested(*reply)))
        }
        ConversationEvent::UserMessageQueued(message) => {
            ServerFrame::MessageQueued(of(id, version, queued(message)))
        }
        ConversationEvent::ReplyQueued(reply) => {
            ServerFrame::ReplyQueued(of(id, version, reply_queued(reply)))
        }
        ConversationEvent::QueuedMessageWithdrawn(gone) => {
            let what = MessageWithdrawn { message_id: gone.message_id, reason: gone.reason };
            ServerFrame::MessageWithdrawn(of(id, version, what))
        }
        ConversationEvent::ReplyRecorded(reply) => {
            ServerFrame::ReplyRecorded(of(id, version, recorded(*reply)))
        }
        ConversationEvent::LeafChosen(chosen) => {
            ServerFrame::LeafChosen(of(id, version, LeafChosen { message_id: chosen.message_id }))
        }
        ConversationEvent::MessageRated(rated) => {
            let what = MessageRated { message_id: rated.message_id, rating: rated.rating };
            ServerFrame::MessageRated(of(id, version, what))
        }
        ConversationEvent::TitleSet(set) => {
            let title = set.content.open().map(|content| content.title.as_str().to_owned());
            ServerFrame::TitleUpdated(of(id, version, TitleUpdated { title, source: set.source }))
        }
        ConversationEvent::ConversationSettingsChanged(changed) => {
            let content = changed.content.open();
            let system_prompt = content.and_then(|content| content.system_prompt.as_ref());
            let system_prompt = system_prompt.map(|prompt| prompt.as_str().to_owned());
            let what = SettingsUpdated { params: changed.params, system_prompt };
            ServerFrame::SettingsUpdated(of(id, version, what))
        }
        ConversationEvent::ConversationDeleted(_) => {
            ServerFrame::ConversationDeleted(of(id, version, Nothing {}))
        }
    }
}

/// The frame that tells an event to whoever does not follow its conversation: without its version.
pub(super) fn list_frame(id: ConversationId, event: &Versioned) -> ServerFrame {
    let mut frame = event_frame(id, event, None);
    // Nothing else is told of a list.
    if let ServerFrame::ConversationCreated(of) | ServerFrame::ConversationDeleted(of) = &mut frame {
        of.version = None;
    } else if let ServerFrame::TitleUpdated(of) = &mut frame {
        of.version = None;
    }
    frame
}

fn of<T>(conversation_id: ConversationId, version: i64, what: T) -> OfConversation<T> {
    OfConversation { conversation_id, version: Some(version), what }
}

fn posted(message: &event::UserMessagePosted, next: Option<&Versioned>) -> MessagePosted {
    // Both are of one append.
    let mut answer = None;
    if let Some(Versioned { event: ConversationEvent::ReplyRequested(reply), .. }) = next {
        answer = Some(reply).filter(|reply| reply.parent_message_id == message.message_id);
    }
    MessagePosted {
        generation_id: answer.map(|reply| reply.generation_id),
        reply_message_id: answer.map(|reply| reply.message_id),
        message_id: message.message_id,
        parent_message_id: message.parent_message_id,
        edited_from: message.edited_from,
        text: text(&message.content, |content| content.text.as_str()),
    }
}

fn queued(message: &event::UserMessageQueued) -> MessageQueued {
    MessageQueued {
        message_id: message.message_id,
        parent_message_id: message.parent_message_id,
        edited_from: message.edited_from,
        generation_id: message.generation_id,
        reply_message_id: message.reply_message_id,
        provider: message.provider.clone(),
        model: message.model.clone(),
        at_head: message.at_head,
        text: text(&message.content, |content| content.message.text.as_str()),
    }
}

fn reply_queued(reply: &event::ReplyQueued) -> ReplyQueued {
    ReplyQueued {
        message_id: reply.message_id,
        parent_message_id: reply.parent_message_id,
        generation_id: reply.generation_id,
        provider: reply.provider.clone(),
        model: reply.model.clone(),
        at_head: reply.at_head,
    }
}

fn requested(reply: event::ReplyRequested) -> ReplyRequested {
    let event::ReplyRequested { generation_id, message_id, parent_message_id } = reply;
    ReplyRequested { generation_id, message_id, parent_message_id }
}

fn recorded(reply: event::ReplyRecorded) -> ReplyRecorded {
    let event::ReplyRecorded { message_id, parent_message_id, generation_id, status, final_seq } = reply;
    ReplyRecorded { generation_id, message_id, parent_message_id, status, final_seq }
}

/// A text that can still be read.
fn text<T>(content: &Sealed<T>, text: impl Fn(&T) -> &str) -> Option<String> {
    content.open().map(|content| text(content).to_owned())
}
