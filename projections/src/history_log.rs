//! A conversation's history told from the log alone: for a worker that cannot wait for the transcript.

use std::collections::{HashMap, HashSet};

use slipstream_domain::event::{ConversationEvent, GenerationEvent};
use slipstream_domain::{
    AttachmentId, ConversationId, Event, GenerationId, MessageId, ModelId, Part, ProviderId, Role, Sealed,
};
use slipstream_eventlog::{CorrelationId, EventLog, Position};

use crate::error::QueryError;
use crate::followed::{Followed, decode};
use crate::transcript::{HistoryMessage, merged};

/// What [`transcript::history`](crate::transcript::history) answers for a reply that is being made, out of the events of
/// its conversation: what was said from the first message down to the one that `reply` answers. Reads the whole
/// conversation. An event that cannot be read is left out, and named in the server's log.
///
/// # Errors
/// `Unavailable`.
pub async fn history_from_log(
    log: &EventLog,
    conversation: ConversationId,
    reply: MessageId,
) -> Result<Vec<HistoryMessage>, QueryError> {
    let head = log.head().await?.position;
    Ok(told(log, conversation, Position::START, head).await?.branch(reply))
}

/// The same for a conversation that began shortly before `requested_at`, where its reply was requested; `None` for an
/// older one, and for one of which something cannot be read: the transcript knows whether to wait for it. A bounded read instead of a wait for the transcript: a new chat's first reply need not wait for a
/// projector's next commit.
///
/// # Errors
/// `Unavailable`.
pub async fn young_history(
    log: &EventLog,
    conversation: ConversationId,
    reply: MessageId,
    requested_at: Position,
) -> Result<Option<Vec<HistoryMessage>>, QueryError> {
    let after = Position::new(requested_at.get() - YOUNG);
    let told = told(log, conversation, after, requested_at).await?;
    Ok((told.from_the_start && !told.gaps).then(|| told.branch(reply)))
}

/// Events of all conversations together. A first message and its request are five, appended at once.
const YOUNG: i64 = 256;

async fn told(
    log: &EventLog,
    conversation: ConversationId,
    after: Position,
    up_to: Position,
) -> Result<Told, QueryError> {
    let correlation = CorrelationId::from_uuid(conversation.as_uuid());
    let mut told = Told::default();
    for recorded in log.read_correlation(correlation, after, up_to).await? {
        match decode(&recorded) {
            Ok(followed) => told.take(followed),
            Err(unreadable) => {
                told.gaps = true;
                tracing::warn!(%unreadable, "a history is told without it");
            }
        }
    }
    Ok(told)
}

/// What is known of a conversation's messages, posted and replies.
#[derive(Default)]
struct Told {
    messages: HashMap<MessageId, Known>,
    replies: HashMap<GenerationId, MessageId>,
    /// Whether nothing came before.
    from_the_start: bool,
    /// Whether something could not be read.
    gaps: bool,
}

struct Known {
    parent: Option<MessageId>,
    role: Role,
    generation: Option<GenerationId>,
    /// Who was asked; in the end, who answered.
    by: Option<(ProviderId, ModelId)>,
    text: String,
    attachments: Vec<AttachmentId>,
}

impl Told {
    fn take(&mut self, followed: Followed) {
        match followed.event {
            Event::Conversation(event) => self.conversation(event),
            Event::Generation(event) => self.generation(GenerationId::from_uuid(followed.stream), event),
            Event::User(_) | Event::Email(_) | Event::Attachment(_) | Event::Audit(_) => {}
        }
    }

    fn conversation(&mut self, event: ConversationEvent) {
        match event {
            ConversationEvent::UserMessagePosted(posted) => {
                let text = posted.content.into_open().map(|content| content.text.as_str().to_owned());
                let known = Known {
                    parent: posted.parent_message_id,
                    role: Role::User,
                    generation: None,
                    by: None,
                    text: text.unwrap_or_default(),
                    attachments: posted.attachment_ids,
                };
                self.messages.insert(posted.message_id, known);
            }
            ConversationEvent::ReplyRequested(reply) => {
                let parent = Some(reply.parent_message_id);
                let (role, generation) = (Role::Assistant, Some(reply.generation_id));
                let (text, attachments) = (String::new(), Vec::new());
                let known = Known { parent, role, generation, by: None, text, attachments };
                self.messages.insert(reply.message_id, known);
                self.replies.insert(reply.generation_id, reply.message_id);
            }
            ConversationEvent::ConversationStarted(_) => self.from_the_start = true,
            ConversationEvent::UserMessageQueued(_)
            | ConversationEvent::ReplyQueued(_)
            | ConversationEvent::QueuedMessageWithdrawn(_)
            | ConversationEvent::ReplyRecorded(_)
            | ConversationEvent::LeafChosen(_)
            | ConversationEvent::MessageRated(_)
            | ConversationEvent::TitleSet(_)
            | ConversationEvent::ConversationSettingsChanged(_)
            | ConversationEvent::ConversationDeleted(_) => {}
        }
    }

    fn generation(&mut self, id: GenerationId, event: GenerationEvent) {
        let message = self.replies.get(&id).and_then(|reply| self.messages.get_mut(reply));
        let Some(message) = message else { return };
        match event {
            GenerationEvent::GenerationRequested(asked) => {
                message.by = Some((asked.provider, asked.model));
            }
            GenerationEvent::ChunksRecorded(chunks) => match chunks.runs() {
                Ok(Sealed::Open(runs)) => {
                    let text = runs.into_iter().filter(|run| run.part == Part::Text);
                    message.text.extend(text.map(|run| run.text));
                }
                Ok(Sealed::Erased) => {}
                Err(_) => self.gaps = true,
            },
            GenerationEvent::GenerationCompleted(end)
            | GenerationEvent::GenerationCancelled(end)
            | GenerationEvent::GenerationInterrupted(end)
            | GenerationEvent::GenerationFailed(end) => {
                let answered = end.answered_by.map(|by| (by.provider, by.model));
                message.by = answered.or(message.by.take());
            }
            GenerationEvent::GenerationStarted(_)
            | GenerationEvent::GenerationTakenOver(_)
            | GenerationEvent::CancelRequested(_) => {}
        }
    }

    /// The ancestors of `reply`, the first message first.
    fn branch(mut self, reply: MessageId) -> Vec<HistoryMessage> {
        let mut branch = Vec::new();
        let mut seen = HashSet::from([reply]);
        let mut next = self.messages.remove(&reply).and_then(|known| known.parent);
        while let Some(id) = next.filter(|id| seen.insert(*id)) {
            let Some(known) = self.messages.remove(&id) else { break };
            next = known.parent;
            let Known { role, generation, text, attachments, .. } = known;
            let (provider, model) = known.by.unzip();
            if !text.is_empty() {
                branch.push(HistoryMessage { role, generation, provider, model, text, attachments });
            }
        }
        branch.reverse();
        merged(branch)
    }
}
