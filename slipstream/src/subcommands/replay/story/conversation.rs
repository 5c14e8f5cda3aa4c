//! The events of a conversation in words.

use slipstream_domain::event::{
    ConversationEvent, MessageContent, QueuedContent, ReplyQueued, UserMessagePosted, UserMessageQueued,
};
use slipstream_domain::{MessageId, UserId};

use super::{ERASED, Told, params, push, word};

pub(super) fn told(event: &ConversationEvent, owner: Option<UserId>) -> Told {
    let user = owner.map_or_else(|| "nobody".to_owned(), |user| format!("user {user}"));
    match event {
        ConversationEvent::ConversationStarted(_) => Told::plain(format!("{user} starts the conversation")),
        ConversationEvent::UserMessagePosted(posted) => message_posted(&user, posted),
        ConversationEvent::UserMessageQueued(queued) => message_queued(&user, queued),
        ConversationEvent::ReplyQueued(queued) => reply_queued(&user, queued),
        ConversationEvent::QueuedMessageWithdrawn(withdrawn) => Told::plain(format!(
            "the waiting message {} is withdrawn: {}",
            withdrawn.message_id,
            word(&withdrawn.reason)
        )),
        ConversationEvent::ReplyRequested(reply) => Told::plain(format!(
            "a reply to message {} is asked for (message {}, generation {})",
            reply.parent_message_id, reply.message_id, reply.generation_id
        )),
        ConversationEvent::ReplyRecorded(reply) => Told::plain(format!(
            "the reply stands (message {}, generation {}): {}, {} deltas",
            reply.message_id,
            reply.generation_id,
            word(&reply.status),
            reply.final_seq.0
        )),
        ConversationEvent::TitleSet(title) => {
            let told = Told::plain(format!("the title is set ({})", word(&title.source)));
            let content = title.content.open();
            told.saying("title", content.map_or(ERASED, |content| content.title.as_str()))
        }
        ConversationEvent::LeafChosen(leaf) => {
            Told::plain(format!("{user} goes on from message {}", leaf.message_id))
        }
        ConversationEvent::MessageRated(rated) => {
            Told::plain(format!("{user} rates message {}: {}", rated.message_id, word(&rated.rating)))
        }
        ConversationEvent::ConversationSettingsChanged(changed) => {
            let told = Told::plain(format!("{user} sets what holds for requests{}", params(&changed.params)));
            match changed.content.open() {
                Some(content) => told.under(content.system_prompt.as_ref()),
                None => told.saying("under the instructions", ERASED),
            }
        }
        ConversationEvent::ConversationDeleted(_) => Told::plain(format!("{user} deletes the conversation")),
    }
}

fn message_posted(user: &str, posted: &UserMessagePosted) -> Told {
    let mut what = format!("{user} says (message {}", posted.message_id);
    follow(&mut what, "after", posted.parent_message_id);
    follow(&mut what, "edited from", posted.edited_from);
    files(&mut what, posted.attachment_ids.len());
    what.push(')');
    message(Told::plain(what), posted.content.open())
}

fn message_queued(user: &str, queued: &UserMessageQueued) -> Told {
    let mut what = format!("{user} says, to wait for the running reply (message {}", queued.message_id);
    follow(&mut what, "after", queued.parent_message_id);
    follow(&mut what, "edited from", queued.edited_from);
    files(&mut what, queued.attachment_ids.len());
    let UserMessageQueued { provider, model, generation_id, .. } = queued;
    let (params, place) = (params(&queued.params), place(queued.at_head));
    push(&mut what, format_args!(") to {provider} / {model} (generation {generation_id}){params}{place}"));
    queued_content(Told::plain(what), queued.content.open())
}

fn reply_queued(user: &str, queued: &ReplyQueued) -> Told {
    let ReplyQueued { message_id, parent_message_id, generation_id, provider, model, .. } = queued;
    let (params, place) = (params(&queued.params), place(queued.at_head));
    let told = Told::plain(format!(
        "{user} wants another reply to message {parent_message_id}, to wait for the running one (message {message_id}) \
         from {provider} / {model} (generation {generation_id}){params}{place}"
    ));
    match queued.content.open() {
        Some(content) => told.under(content.system_prompt.as_ref()),
        None => told.saying("under the instructions", ERASED),
    }
}

fn place(at_head: bool) -> &'static str {
    if at_head { ", before what waits already" } else { "" }
}

fn message(told: Told, content: Option<&MessageContent>) -> Told {
    let Some(content) = content else { return told.saying("said", ERASED) };
    let told = told.saying("said", content.text.as_str());
    match &content.metadata {
        Some(metadata) => told.saying("from", word(metadata)),
        None => told,
    }
}

fn queued_content(told: Told, content: Option<&QueuedContent>) -> Told {
    let told = message(told, content.map(|content| &content.message));
    told.under(content.and_then(|content| content.system_prompt.as_ref()))
}

fn follow(what: &mut String, relation: &str, message: Option<MessageId>) {
    if let Some(message) = message {
        push(what, format_args!(", {relation} {message}"));
    }
}

fn files(what: &mut String, count: usize) {
    if count > 0 {
        push(what, format_args!(", {count} files"));
    }
}
