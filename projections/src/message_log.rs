//! Which events of the log are about a message: for who has to show them, not what they come to.

use slipstream_domain::event::ConversationEvent;
use slipstream_domain::{ConversationId, Event, GenerationId, MessageId};
use slipstream_eventlog::{CorrelationId, EventLog, Position};

use crate::error::QueryError;
use crate::followed::{Followed, decode};

/// The events that made a message what it is, in order: of a user's, that it was queued and said; of a reply, that it was
/// asked for, everything of its generation, and that it was recorded. None when nobody knows the message. Read from the log
/// alone, the conversation it is in is found by a search of the whole log: for what is rare.
///
/// # Errors
/// See [`QueryError`].
pub async fn message_events(log: &EventLog, message: MessageId) -> Result<Vec<Position>, QueryError> {
    let Some(conversation) = conversation_of_message(log, message).await? else { return Ok(Vec::new()) };
    let head = log.head().await?.position;
    let correlation = CorrelationId::from_uuid(conversation.as_uuid());
    let recorded = log.read_correlation(correlation, Position::START, head).await?;
    // What cannot be read has an envelope, but nobody knows what it is about.
    let events: Vec<Followed> = recorded.iter().filter_map(|recorded| decode(recorded).ok()).collect();
    let generations: Vec<GenerationId> =
        events.iter().filter_map(|event| reply(&event.event, message)).collect();
    let of_a_reply = |event: &Followed| {
        let stream = GenerationId::from_uuid(event.stream);
        matches!(event.event, Event::Generation(_)) && generations.contains(&stream)
    };
    let about = events.iter().filter(|event| says(&event.event, message) || of_a_reply(event));
    Ok(about.map(|event| event.position).collect())
}

async fn conversation_of_message(
    log: &EventLog,
    message: MessageId,
) -> Result<Option<ConversationId>, QueryError> {
    let correlation = sqlx::query_scalar!(
        r#"SELECT correlation_id FROM es.event
           WHERE type IN ('UserMessagePosted', 'UserMessageQueued', 'ReplyRequested', 'ReplyQueued')
             AND data ->> 'messageId' = $1::text
           ORDER BY position LIMIT 1"#,
        message.as_uuid().to_string()
    );
    Ok(correlation.fetch_optional(log.pool()).await?.map(ConversationId::from_uuid))
}

/// Whether a conversation's event is the message itself, or asks for or records it as a reply.
fn says(event: &Event, message: MessageId) -> bool {
    let Event::Conversation(event) = event else { return false };
    match event {
        ConversationEvent::UserMessagePosted(posted) => posted.message_id == message,
        ConversationEvent::UserMessageQueued(queued) => queued.message_id == message,
        ConversationEvent::ReplyQueued(queued) => queued.message_id == message,
        ConversationEvent::ReplyRequested(reply) => reply.message_id == message,
        ConversationEvent::ReplyRecorded(reply) => reply.message_id == message,
        ConversationEvent::ConversationStarted(_)
        | ConversationEvent::QueuedMessageWithdrawn(_)
        | ConversationEvent::TitleSet(_)
        | ConversationEvent::ConversationSettingsChanged(_)
        | ConversationEvent::MessageRated(_)
        | ConversationEvent::LeafChosen(_)
        | ConversationEvent::ConversationDeleted(_) => false,
    }
}

/// The generation that makes the message, if the event asks for it.
fn reply(event: &Event, message: MessageId) -> Option<GenerationId> {
    let Event::Conversation(ConversationEvent::ReplyRequested(reply)) = event else { return None };
    (reply.message_id == message).then_some(reply.generation_id)
}
