//! The user says something: posted at once with a request for a reply, or queued while another reply is being made.

use slipstream_domain::event::{ConversationEvent, MessageContent};
use slipstream_domain::{
    AttachmentId, ConversationId, Event, GenerationId, MessageId, ModelId, OnBusy, Params, PostMessage,
    ProviderId, SystemPrompt, Title, UserId,
};
use slipstream_eventlog::{Append, AppendError, Appended, CommandId, Guard, Position, StreamId, Version};

use crate::cancel_generation::cancel;
use crate::decoded::decode;
use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// A message to post.
#[derive(Debug, Clone)]
pub struct PostRequest {
    /// Who says it.
    pub actor: UserId,
    /// Where. A new conversation's id is the caller's to make ([`Commands::new_conversation_id`]), so that it can listen
    /// to it before anything is said there.
    pub conversation: Place,
    /// The client's own name of the message. The same name of a user is accepted once in seven days; a repeat gets the
    /// first answer again.
    pub client_message_id: Option<String>,
    /// What it follows; the conversation's leaf when absent.
    pub parent_message_id: Option<MessageId>,
    /// Its files.
    pub attachment_ids: Vec<AttachmentId>,
    /// What is said.
    pub content: MessageContent,
    /// Whom it asks.
    pub provider: ProviderId,
    /// Which model.
    pub model: ModelId,
    /// With which parameters.
    pub params: Params,
    /// Under which standing instructions.
    pub system_prompt: Option<SystemPrompt>,
    /// What to do while another reply is being made.
    pub on_busy: OnBusy,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Into a conversation that this message starts.
    New(ConversationId),
    /// Into one that exists.
    In(ConversationId),
}

impl Place {
    /// The conversation's id.
    #[must_use]
    pub const fn id(self) -> ConversationId {
        match self {
            Self::New(id) | Self::In(id) => id,
        }
    }
}

/// A message that was posted or queued, durably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Where.
    pub conversation_id: ConversationId,
    /// The message.
    pub message_id: MessageId,
    /// The reply's message.
    pub reply_message_id: MessageId,
    /// The attempt at the reply; it begins later when the message is queued.
    pub generation_id: GenerationId,
    /// How many messages wait, this one included; `None` when it was posted at once.
    pub queued: Option<usize>,
    /// The version of the conversation with this message in it.
    pub version: i64,
    /// The provisional title, when the message started the conversation.
    pub title: Option<Title>,
}

impl Commands {
    /// An id for a conversation to be started.
    #[must_use]
    pub fn new_conversation_id(&self) -> ConversationId {
        ConversationId::from_uuid(self.ids.uuid())
    }
}

/// Posts or queues a message. Durable when it returns. Cancel-safe in the sense that the message may still be posted.
///
/// # Errors
/// `NotFound` for an unknown user, or a conversation that does not exist, is deleted or is not the actor's;
/// `UnknownParent`, `Busy`, `QueueFull`, `Contended`, `TooLarge`, `Erased`, `Unavailable`, `Unreadable`.
pub async fn post_message(app: &Commands, request: PostRequest) -> Result<Posted, CommandError> {
    let _turn = app.turns.take(request.actor).await;
    let command = match &request.client_message_id {
        Some(name) => {
            let command = Commands::client_command(request.actor, name);
            if let Some(earlier) = app.log.command(command).await? {
                return posted_before(app, &earlier).await;
            }
            command
        }
        None => app.new_command(),
    };
    retrying!(app, attempt(app, &request, command))
}

async fn attempt(
    app: &Commands,
    request: &PostRequest,
    command_id: CommandId,
) -> Result<Posted, CommandError> {
    let actor = request.actor;
    let id = request.conversation.id();
    let conversation = loading::conversation(&app.log, id).await?;
    let mut guards = Vec::new();
    match request.conversation {
        Place::In(_) => conversation.state.check_owner(actor)?,
        Place::New(_) => guards.push(registered(app, actor).await?),
    }
    let command = app.decide_ids(request).await?;
    let posted = Posted {
        conversation_id: id,
        message_id: command.message_id,
        reply_message_id: command.reply_message_id,
        generation_id: command.generation_id,
        queued: None,
        version: 0,
        title: conversation.state.is_new().then(|| Title::provisional(&request.content.text)),
    };
    let post = conversation.state.post(actor, command)?;
    let mut appends = vec![streams::conversation(id, Some(actor), conversation.version, post.events)?];
    if let Some(generation) = post.generation {
        appends.push(streams::new_generation(generation, Some(actor))?);
    }
    if let Some(running) = post.cancel {
        appends.extend(app.cancel_append(actor, running).await?);
    }
    let streams = appends.into_iter().map(|append| streams::caused_by(append, conversation.last)).collect();
    match app.log.append(Append { streams, command_id, guards }).await {
        Ok(appended) => {
            if let Some(running) = post.cancel {
                app.stop_replaced(actor, running).await;
            }
            Ok(Posted { queued: post.queued, version: version_of(&appended, id), ..posted })
        }
        Err(AppendError::Duplicate(earlier)) => posted_before(app, &earlier).await,
        Err(error) => Err(error.into()),
    }
}

/// The guard that the user is still who they were: a command that creates a stream depends on it.
async fn registered(app: &Commands, actor: UserId) -> Result<Guard, CommandError> {
    let user = loading::user(&app.log, actor).await?;
    if user.version == Version::NONE {
        return Err(CommandError::NotFound("user"));
    }
    Ok(Guard { stream: StreamId::from_uuid(actor.as_uuid()), version: user.version })
}

impl Commands {
    /// Stops the reply that a message replaces: tells its owner, or ends it when no worker has taken it yet. The message
    /// is posted whatever comes of it.
    async fn stop_replaced(&self, actor: UserId, running: GenerationId) {
        if let Err(error) = cancel(self, actor, running).await {
            tracing::warn!(%error, generation = %running, "a replaced reply could not be stopped");
        }
    }

    async fn decide_ids(&self, request: &PostRequest) -> Result<PostMessage, CommandError> {
        Ok(PostMessage {
            conversation_id: request.conversation.id(),
            message_id: MessageId::from_uuid(self.ids.uuid()),
            reply_message_id: MessageId::from_uuid(self.ids.uuid()),
            generation_id: GenerationId::from_uuid(self.ids.uuid()),
            parent_message_id: request.parent_message_id,
            attachment_ids: request.attachment_ids.clone(),
            content: request.content.clone(),
            provider: request.provider.clone(),
            model: request.model.clone(),
            params: request.params,
            system_prompt: request.system_prompt.clone(),
            key_source: self.keys.source(request.actor, &request.provider).await?,
            on_busy: request.on_busy,
        })
    }
}

/// The first answer again, out of what the command recorded.
async fn posted_before(app: &Commands, earlier: &Appended) -> Result<Posted, CommandError> {
    let count = usize::try_from(earlier.last.get() - earlier.first.get() + 1).unwrap_or(usize::MAX);
    let recorded = app.log.feed(Position::new(earlier.first.get() - 1), count).await?;
    let mut waiting = None;
    let mut posted: Option<Posted> = None;
    let mut title = None;
    for event in &recorded {
        let conversation_id = ConversationId::from_uuid(event.stream.as_uuid());
        let version = version_of(earlier, conversation_id);
        let Event::Conversation(event) = decode(event)?.0 else { continue };
        match event {
            ConversationEvent::UserMessagePosted(message) => waiting = Some(message.message_id),
            ConversationEvent::ReplyRequested(reply) => {
                posted = waiting.map(|message_id| Posted {
                    conversation_id,
                    message_id,
                    reply_message_id: reply.message_id,
                    generation_id: reply.generation_id,
                    queued: None,
                    version,
                    title: None,
                });
            }
            ConversationEvent::UserMessageQueued(queued) => {
                let waiting = loading::conversation(&app.log, conversation_id).await?.state.queued().len();
                posted = Some(Posted {
                    conversation_id,
                    message_id: queued.message_id,
                    reply_message_id: queued.reply_message_id,
                    generation_id: queued.generation_id,
                    queued: Some(waiting),
                    version,
                    title: None,
                });
            }
            ConversationEvent::TitleSet(set) => title = set.content.into_open().map(|content| content.title),
            ConversationEvent::ConversationStarted(_)
            | ConversationEvent::QueuedMessageWithdrawn(_)
            | ConversationEvent::ReplyRecorded(_)
            | ConversationEvent::ConversationDeleted(_) => {}
        }
    }
    let posted =
        posted.ok_or_else(|| CommandError::Inner("a client's command recorded no message".into()))?;
    Ok(Posted { title, ..posted })
}

fn version_of(appended: &Appended, id: ConversationId) -> i64 {
    let of =
        |(stream, version): &(StreamId, Version)| (stream.as_uuid() == id.as_uuid()).then(|| version.get());
    appended.versions.iter().find_map(of).unwrap_or(0)
}
