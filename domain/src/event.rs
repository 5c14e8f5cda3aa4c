//! Events: what happened, in the past tense. Each has a clear half (`data`) and, where it holds personal data, a sealed
//! half; the stored form of both is append-only (a new shape is a new schema version and an upcaster).

mod attachment;
mod audit;
mod codec;
mod conversation;
mod email;
mod generation;
mod schema;
mod user;

pub use attachment::{
    AttachmentContent, AttachmentDeleted, AttachmentEvent, AttachmentFailed, AttachmentLinked,
    AttachmentPurged, AttachmentReady, AttachmentRequested, FailReason, ProviderFileUploaded, ReadyContent,
    UploadStarted,
};
pub use audit::{AuditEvent, AuditRead, LogSigned};
pub use codec::{DecodeError, EncodeError, Encoded, SealedJson};
pub use conversation::{
    ConversationDeleted, ConversationEvent, ConversationSettingsChanged, ConversationStarted, LeafChosen,
    MessageContent, MessageRated, QueuedContent, QueuedMessageWithdrawn, ReplyQueued, ReplyRecorded,
    ReplyRequested, TitleContent, TitleSet, UserMessagePosted, UserMessageQueued, WithdrawReason,
};
pub use email::{EmailClaimed, EmailEvent, EmailReleased};
pub use generation::{
    AnsweredBy, CancelRequested, ChunksRecorded, GenerationEvent, GenerationRequested, GenerationStarted,
    GenerationTakenOver, HistoryCut, OwnWords, ProviderFault, RecordedPart, RequestContent, Terminal,
    TerminalContent, Texts, ThinkingSignature,
};
pub use schema::EventSchema;
pub use user::{
    FreeMessageUsed, ProfileLocated, ProviderKeyRemoved, ProviderKeyStored, RegistrationVia, RoleChanged,
    SettingsChanged, UserErased, UserErasureRequested, UserEvent, UserProfile, UserRegistered, UserRole,
};

use crate::ids::UserId;
use crate::values::Timestamp;

/// What the envelope says of an event, as far as rules need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Whose event it is; `None` for the system's.
    pub owner: Option<UserId>,
    /// When it was recorded.
    pub at: Timestamp,
}

/// The kinds of stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Category {
    /// A person.
    User = 1,
    /// A conversation.
    Conversation = 2,
    /// One attempt at a reply.
    Generation = 3,
    /// A file.
    Attachment = 4,
    /// An e-mail address.
    Email = 5,
    /// What is done about the log itself.
    Audit = 6,
}

impl Category {
    /// The stored number.
    #[must_use]
    pub const fn number(self) -> i16 {
        self as i16
    }
}

/// Any event of the domain.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Of a user's stream.
    User(UserEvent),
    /// Of an e-mail address's stream.
    Email(EmailEvent),
    /// Of a conversation's stream.
    Conversation(ConversationEvent),
    /// Of a generation's stream.
    Generation(GenerationEvent),
    /// Of an attachment's stream.
    Attachment(AttachmentEvent),
    /// Of an audit stream.
    Audit(AuditEvent),
}

impl Event {
    /// Every event type with its current schema version.
    pub const SCHEMAS: [&'static [(&'static str, u16)]; 6] = [
        UserEvent::SCHEMAS,
        EmailEvent::SCHEMAS,
        ConversationEvent::SCHEMAS,
        GenerationEvent::SCHEMAS,
        AttachmentEvent::SCHEMAS,
        AuditEvent::SCHEMAS,
    ];

    /// The JSON Schema of every event type, at its current version.
    #[must_use]
    pub fn schemas() -> Vec<EventSchema> {
        let of_categories = [
            UserEvent::schemas(),
            EmailEvent::schemas(),
            ConversationEvent::schemas(),
            GenerationEvent::schemas(),
            AttachmentEvent::schemas(),
            AuditEvent::schemas(),
        ];
        of_categories.concat()
    }

    /// The stored form.
    ///
    /// # Errors
    /// The sealed half is erased, so there is nothing to store.
    pub fn encode(&self) -> Result<Encoded, EncodeError> {
        match self {
            Self::User(event) => event.encode(),
            Self::Email(event) => event.encode(),
            Self::Conversation(event) => event.encode(),
            Self::Generation(event) => event.encode(),
            Self::Attachment(event) => event.encode(),
            Self::Audit(event) => event.encode(),
        }
    }

    /// An event out of its stored form, at its current schema version (the log's upcasters have run).
    ///
    /// # Errors
    /// An unknown type, or halves that are not of the type's shape.
    pub fn decode(event_type: &str, data: &str, sealed: Option<SealedJson<'_>>) -> Result<Self, DecodeError> {
        let mut found = UserEvent::decode(event_type, data, sealed).map(|event| event.map(Self::User));
        found = found
            .or_else(|| EmailEvent::decode(event_type, data, sealed).map(|event| event.map(Self::Email)));
        found = found.or_else(|| {
            ConversationEvent::decode(event_type, data, sealed).map(|event| event.map(Self::Conversation))
        });
        found = found.or_else(|| {
            GenerationEvent::decode(event_type, data, sealed).map(|event| event.map(Self::Generation))
        });
        found = found.or_else(|| {
            AttachmentEvent::decode(event_type, data, sealed).map(|event| event.map(Self::Attachment))
        });
        found = found
            .or_else(|| AuditEvent::decode(event_type, data, sealed).map(|event| event.map(Self::Audit)));
        found.unwrap_or_else(|| Err(DecodeError::UnknownType(event_type.to_owned())))
    }
}

impl From<UserEvent> for Event {
    fn from(event: UserEvent) -> Self {
        Self::User(event)
    }
}

impl From<EmailEvent> for Event {
    fn from(event: EmailEvent) -> Self {
        Self::Email(event)
    }
}

impl From<ConversationEvent> for Event {
    fn from(event: ConversationEvent) -> Self {
        Self::Conversation(event)
    }
}

impl From<GenerationEvent> for Event {
    fn from(event: GenerationEvent) -> Self {
        Self::Generation(event)
    }
}

impl From<AttachmentEvent> for Event {
    fn from(event: AttachmentEvent) -> Self {
        Self::Attachment(event)
    }
}

impl From<AuditEvent> for Event {
    fn from(event: AuditEvent) -> Self {
        Self::Audit(event)
    }
}
