//! Why a use case was not carried out.

use std::num::NonZeroU32;
use std::time::Duration;

use slipstream_domain::conversation::{
    MessageRejection, NoSuchConversation, Occupied, PostRejection, Queue, RedoRejection,
};
use slipstream_domain::generation::GenerationRejection;
use slipstream_domain::user::UserRejection;
use slipstream_domain::{Epoch, Seq, TerminalStatus};
use slipstream_eventlog::{AppendError, DecodeFault, FeedError, InvalidAppend, ReadError, Unavailable};

use crate::ports::PortError;

/// Why a use case was not carried out. Nothing was written unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such thing, or it is another user's: the answer is the same.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The message to follow is not of this conversation.
    #[error(transparent)]
    UnknownParent(PostRejection),
    /// The message is not of the kind that this can be done to.
    #[error(transparent)]
    WrongMessage(MessageRejection),
    /// A reply is being made and the sender does not want to wait.
    #[error("a reply is being made in this conversation; wait for its end, or cancel it")]
    Busy,
    /// Too many messages wait.
    #[error("{} messages wait in this conversation already", Queue::MAX)]
    QueueFull,
    /// The user has used all messages of a day on the operator's keys.
    #[error("all {most} messages of a day on the server's keys are used")]
    FreeLimit {
        /// How many a day there are.
        most: NonZeroU32,
        /// When the next one may be.
        retry_after: Duration,
    },
    /// The writer's epoch is not the current one: another owner has the generation.
    #[error("epoch {current} owns the generation")]
    Fenced {
        /// The current epoch.
        current: Epoch,
    },
    /// The generation is over.
    #[error("the generation has ended: {}", status.as_str())]
    Ended {
        /// How.
        status: TerminalStatus,
    },
    /// A delta was recorded out of its order: a fault of the caller.
    #[error("the next delta is {expected}, not {got}")]
    OutOfOrder {
        /// The number that would be right.
        expected: Seq,
        /// The number given.
        got: Seq,
    },
    /// Other processes changed the same thing again and again.
    #[error("the conversation is being changed elsewhere; try again")]
    Contended,
    /// The user's data is erased; nothing can be written for them.
    #[error("the user's data has been erased")]
    Erased,
    /// The command is larger than the log takes.
    #[error("the command is larger than the log takes")]
    TooLarge,
    /// A stored event cannot be read by this program.
    #[error("the stored history cannot be read: {0}")]
    Unreadable(String),
    /// The log itself is damaged: an event is missing. Nothing can be decided on it; an operator must look.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// A rule or the log refused what the use cases themselves made: a fault of ours.
    #[error("an inner rule was broken: {0}")]
    Inner(String),
    /// Something needed did not answer. What was asked **may have been written**.
    #[error("the service is unavailable for now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ReadError> for CommandError {
    fn from(error: ReadError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<FeedError> for CommandError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Gap { .. } => Self::Damaged(error.to_string()),
            FeedError::Read(error) => error.into(),
        }
    }
}

impl From<PortError> for CommandError {
    fn from(error: PortError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<DecodeFault> for CommandError {
    fn from(fault: DecodeFault) -> Self {
        Self::Unreadable(fault.to_string())
    }
}

impl From<NoSuchConversation> for CommandError {
    fn from(_: NoSuchConversation) -> Self {
        Self::NotFound("conversation")
    }
}

impl From<Occupied> for CommandError {
    fn from(occupied: Occupied) -> Self {
        match occupied {
            Occupied::Busy => Self::Busy,
            Occupied::QueueFull => Self::QueueFull,
        }
    }
}

impl From<PostRejection> for CommandError {
    fn from(rejection: PostRejection) -> Self {
        match rejection {
            PostRejection::NoSuchConversation(none) => none.into(),
            PostRejection::UnknownParent => Self::UnknownParent(rejection),
            PostRejection::Occupied(occupied) => occupied.into(),
        }
    }
}

impl From<MessageRejection> for CommandError {
    fn from(rejection: MessageRejection) -> Self {
        match rejection {
            MessageRejection::NoSuchConversation(none) => none.into(),
            MessageRejection::NoSuchMessage => Self::NotFound("message"),
            MessageRejection::NotYours | MessageRejection::NotAReply => Self::WrongMessage(rejection),
        }
    }
}

impl From<RedoRejection> for CommandError {
    fn from(rejection: RedoRejection) -> Self {
        match rejection {
            RedoRejection::Message(rejection) => rejection.into(),
            RedoRejection::Occupied(occupied) => occupied.into(),
        }
    }
}

impl From<UserRejection> for CommandError {
    fn from(rejection: UserRejection) -> Self {
        match rejection {
            UserRejection::Unknown => Self::NotFound("user"),
            UserRejection::AlreadyRegistered => Self::Contended,
            UserRejection::Erased => Self::Erased,
        }
    }
}

impl From<GenerationRejection> for CommandError {
    fn from(rejection: GenerationRejection) -> Self {
        match rejection {
            GenerationRejection::NotFound | GenerationRejection::NotStarted => Self::NotFound("generation"),
            GenerationRejection::Fenced { current } => Self::Fenced { current },
            GenerationRejection::Owned { owner } => Self::Fenced { current: owner.epoch },
            GenerationRejection::Ended { status } => Self::Ended { status },
            GenerationRejection::OutOfOrder { expected, got } => Self::OutOfOrder { expected, got },
        }
    }
}

/// What an append that was not written means, once retrying is off the table.
impl From<AppendError> for CommandError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { .. } => Self::Contended,
            AppendError::Erased(_) => Self::Erased,
            AppendError::Invalid(InvalidAppend::TooLarge { .. }) => Self::TooLarge,
            AppendError::Unavailable(cause) => cause.into(),
            AppendError::Duplicate(_) | AppendError::Closed { .. } | AppendError::Invalid(_) => {
                Self::Inner(error.to_string())
            }
        }
    }
}

impl From<Unavailable> for CommandError {
    fn from(cause: Unavailable) -> Self {
        Self::Unavailable(Box::new(cause))
    }
}
