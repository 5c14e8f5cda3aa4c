//! Aggregates out of their streams.

use slipstream_domain::{
    Attachment, AttachmentId, Conversation, ConversationId, EmailClaim, EmailId, Event, Generation,
    GenerationId, Meta, User, UserId,
};
use slipstream_eventlog::{EventLog, Position, Recorded, StreamId, Version};
use uuid::Uuid;

use crate::CommandError;
use crate::decoded::decode;

/// An aggregate, and where its stream stood when it was read.
pub(crate) struct Loaded<A> {
    pub(crate) state: A,
    pub(crate) version: Version,
    /// The first event; `Position::START` when there is none.
    pub(crate) first: Position,
    /// The last event; `Position::START` when there is none.
    pub(crate) last: Position,
}

pub(crate) async fn user(log: &EventLog, id: UserId) -> Result<Loaded<User>, CommandError> {
    load(log, id.as_uuid(), |user: &mut User, event, meta| match event {
        Event::User(event) => {
            user.evolve(&event, meta);
            true
        }
        Event::Email(_)
        | Event::Conversation(_)
        | Event::Generation(_)
        | Event::Attachment(_)
        | Event::Audit(_) => false,
    })
    .await
}

pub(crate) async fn email(log: &EventLog, id: EmailId) -> Result<Loaded<EmailClaim>, CommandError> {
    load(log, id.as_uuid(), |claim: &mut EmailClaim, event, _| match event {
        Event::Email(event) => {
            claim.evolve(&event);
            true
        }
        Event::User(_)
        | Event::Conversation(_)
        | Event::Generation(_)
        | Event::Attachment(_)
        | Event::Audit(_) => false,
    })
    .await
}

pub(crate) async fn conversation(
    log: &EventLog,
    id: ConversationId,
) -> Result<Loaded<Conversation>, CommandError> {
    load(log, id.as_uuid(), evolve_conversation).await
}

/// A conversation as it was at `position`.
pub(crate) async fn conversation_at(
    log: &EventLog,
    id: ConversationId,
    position: Position,
) -> Result<Loaded<Conversation>, CommandError> {
    fold(log.read_streams(&[StreamId::from_uuid(id.as_uuid())], position).await?, evolve_conversation)
}

fn evolve_conversation(conversation: &mut Conversation, event: Event, meta: Meta) -> bool {
    match event {
        Event::Conversation(event) => {
            conversation.evolve(&event, meta);
            true
        }
        Event::User(_) | Event::Email(_) | Event::Generation(_) | Event::Attachment(_) | Event::Audit(_) => {
            false
        }
    }
}

pub(crate) async fn generation(log: &EventLog, id: GenerationId) -> Result<Loaded<Generation>, CommandError> {
    load(log, id.as_uuid(), |generation: &mut Generation, event, meta| match event {
        Event::Generation(event) => {
            generation.evolve(&event, meta);
            true
        }
        Event::User(_)
        | Event::Email(_)
        | Event::Conversation(_)
        | Event::Attachment(_)
        | Event::Audit(_) => false,
    })
    .await
}

pub(crate) async fn attachment(log: &EventLog, id: AttachmentId) -> Result<Loaded<Attachment>, CommandError> {
    load(log, id.as_uuid(), |attachment: &mut Attachment, event, meta| match event {
        Event::Attachment(event) => {
            attachment.evolve(&event, meta);
            true
        }
        Event::User(_)
        | Event::Email(_)
        | Event::Conversation(_)
        | Event::Generation(_)
        | Event::Audit(_) => false,
    })
    .await
}

/// Takes in what was appended to a generation since it was loaded.
pub(crate) async fn catch_up(
    log: &EventLog,
    id: GenerationId,
    generation: &mut Loaded<Generation>,
) -> Result<(), CommandError> {
    for recorded in log.read_stream(StreamId::from_uuid(id.as_uuid()), generation.version).await? {
        if let (Event::Generation(event), meta) = decode(&recorded)? {
            generation.state.evolve(&event, meta);
        }
        (generation.version, generation.last) = (recorded.version, recorded.position);
    }
    Ok(())
}

async fn load<A: Default>(
    log: &EventLog,
    id: Uuid,
    evolve: impl Fn(&mut A, Event, Meta) -> bool,
) -> Result<Loaded<A>, CommandError> {
    fold(log.read_stream(StreamId::from_uuid(id), Version::NONE).await?, evolve)
}

/// Folds a stream. `evolve` answers whether it knows an event; one that is not of the aggregate means that the id names a
/// stream of another kind, which is as unknown as one that does not exist.
fn fold<A: Default>(
    stream: Vec<Recorded>,
    evolve: impl Fn(&mut A, Event, Meta) -> bool,
) -> Result<Loaded<A>, CommandError> {
    let none = || {
        let (version, first, last) = (Version::NONE, Position::START, Position::START);
        Loaded { state: A::default(), version, first, last }
    };
    let mut loaded = none();
    for recorded in stream {
        let (event, meta) = decode(&recorded)?;
        if !evolve(&mut loaded.state, event, meta) {
            return Ok(none());
        }
        if loaded.version == Version::NONE {
            loaded.first = recorded.position;
        }
        (loaded.version, loaded.last) = (recorded.version, recorded.position);
    }
    Ok(loaded)
}
