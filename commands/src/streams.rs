//! The domain's events as appends: which stream, which category, which correlation, whose key.

use slipstream_domain::conversation::NewGeneration;
use slipstream_domain::event::{
    AttachmentEvent, AuditEvent, ConversationEvent, EmailEvent, EncodeError, GenerationEvent, UserEvent,
};
use slipstream_domain::{AttachmentId, Category, ConversationId, EmailId, Event, GenerationId, UserId};
use slipstream_eventlog::{
    Category as StreamCategory, CorrelationId, Expected, NewEvent, OwnerId, Position, StreamAppend, StreamId,
    Version,
};
use uuid::Uuid;

use crate::CommandError;

impl From<EncodeError> for CommandError {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::Erased(_) => Self::Erased,
            EncodeError::Json(_) => Self::Inner(error.to_string()),
        }
    }
}

pub(crate) fn user(id: UserId, at: Version, events: Vec<UserEvent>) -> Result<StreamAppend, CommandError> {
    stream(id.as_uuid(), Category::User, Some(id), id.as_uuid(), at, events)
}

pub(crate) fn email(
    id: EmailId,
    owner: UserId,
    at: Version,
    event: EmailEvent,
) -> Result<StreamAppend, CommandError> {
    stream(id.as_uuid(), Category::Email, Some(owner), id.as_uuid(), at, vec![event])
}

pub(crate) fn conversation(
    id: ConversationId,
    owner: Option<UserId>,
    at: Version,
    events: Vec<ConversationEvent>,
) -> Result<StreamAppend, CommandError> {
    stream(id.as_uuid(), Category::Conversation, owner, id.as_uuid(), at, events)
}

/// Events of a generation. The last event of its life closes the stream.
pub(crate) fn generation(
    id: GenerationId,
    conversation: ConversationId,
    owner: Option<UserId>,
    at: Version,
    event: GenerationEvent,
) -> Result<StreamAppend, CommandError> {
    let close = match event {
        GenerationEvent::GenerationCompleted(_)
        | GenerationEvent::GenerationCancelled(_)
        | GenerationEvent::GenerationInterrupted(_)
        | GenerationEvent::GenerationFailed(_) => true,
        GenerationEvent::GenerationRequested(_)
        | GenerationEvent::GenerationStarted(_)
        | GenerationEvent::GenerationTakenOver(_)
        | GenerationEvent::ChunksRecorded(_)
        | GenerationEvent::CancelRequested(_) => false,
    };
    let append = stream(id.as_uuid(), Category::Generation, owner, conversation.as_uuid(), at, vec![event])?;
    Ok(StreamAppend { close, ..append })
}

/// The stream of a generation that is requested now.
pub(crate) fn new_generation(
    new: NewGeneration,
    owner: Option<UserId>,
) -> Result<StreamAppend, CommandError> {
    let conversation = new.requested.conversation_id;
    generation(
        new.id,
        conversation,
        owner,
        Version::NONE,
        GenerationEvent::GenerationRequested(new.requested),
    )
}

/// Events of a file, which belong to it until it is linked: with that they belong to the conversation. The last event of its
/// life closes the stream.
pub(crate) fn attachment(
    id: AttachmentId,
    owner: Option<UserId>,
    at: Version,
    events: Vec<AttachmentEvent>,
) -> Result<StreamAppend, CommandError> {
    let (mut correlation, mut close) = (id.as_uuid(), false);
    for event in &events {
        match event {
            AttachmentEvent::AttachmentLinked(linked) => correlation = linked.conversation_id.as_uuid(),
            AttachmentEvent::AttachmentPurged(_) => close = true,
            AttachmentEvent::AttachmentRequested(_)
            | AttachmentEvent::UploadStarted(_)
            | AttachmentEvent::AttachmentReady(_)
            | AttachmentEvent::AttachmentFailed(_)
            | AttachmentEvent::ProviderFileUploaded(_)
            | AttachmentEvent::AttachmentDeleted(_) => {}
        }
    }
    let append = stream(id.as_uuid(), Category::Attachment, owner, correlation, at, events)?;
    Ok(StreamAppend { close, ..append })
}

/// An event of an audit stream, which is nobody's.
pub(crate) fn audit(id: Uuid, at: Version, event: AuditEvent) -> Result<StreamAppend, CommandError> {
    stream(id, Category::Audit, None, id, at, vec![event])
}

/// The same append, with the event that led to it.
pub(crate) fn caused_by(append: StreamAppend, causation: Position) -> StreamAppend {
    StreamAppend { causation: Some(causation).filter(|position| *position != Position::START), ..append }
}

fn stream<E: Into<Event>>(
    id: Uuid,
    category: Category,
    owner: Option<UserId>,
    correlation: Uuid,
    at: Version,
    events: Vec<E>,
) -> Result<StreamAppend, CommandError> {
    let encode = |event: E| {
        let encoded = event.into().encode()?;
        let (event_type, schema_version) = (encoded.event_type, encoded.schema_version);
        Ok(NewEvent { event_type, schema_version, data: encoded.data, sealed: encoded.sealed })
    };
    Ok(StreamAppend {
        stream: StreamId::from_uuid(id),
        category: StreamCategory(category.number()),
        owner: owner.map(|owner| OwnerId::from_uuid(owner.as_uuid())),
        correlation: CorrelationId::from_uuid(correlation),
        causation: None,
        expected: Expected::Exact(at),
        events: events.into_iter().map(encode).collect::<Result<_, CommandError>>()?,
        close: false,
    })
}
