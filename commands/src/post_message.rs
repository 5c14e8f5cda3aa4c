//! The user says something: posted at once with a request for a reply, or queued while another reply is being made.

use slipstream_domain::conversation::PostMessage;
use slipstream_domain::event::MessageContent;
use slipstream_domain::{
    AttachmentId, ConversationId, GenerationId, GenerationKind, MessageId, ModelId, OnBusy, Params,
    ProviderId, SystemPrompt, Title, UserId,
};
use slipstream_eventlog::{CommandId, Guard, StreamId};

use crate::ask_reply::{Decision, Once, Request};
use crate::attachments::free_files;
use crate::retrying::retrying;
use crate::{CommandError, Commands, Posted, loading};

/// A message to post.
#[derive(Debug, Clone)]
pub struct PostRequest {
    /// Who says it.
    pub actor: UserId,
    /// Where. A new conversation's id is the caller's to make ([`Commands::new_conversation_id`]), so that it can listen
    /// to it before anything is said there.
    pub conversation: Place,
    /// The attempt at the reply: the caller's to make ([`Commands::new_generation_id`]), because its id is also that of the
    /// trace that begins with the request. A repeat is answered with the first one's.
    pub generation_id: GenerationId,
    /// The client's own name of the message. The same name of a user is accepted once in seven days; a repeat gets the
    /// first answer again.
    pub client_message_id: Option<String>,
    /// What it follows; the conversation's leaf when absent.
    pub parent_message_id: Option<MessageId>,
    /// Its files. Those that are not the actor's, not ready or part of another message are left out, and so is the
    /// eleventh.
    pub attachment_ids: Vec<AttachmentId>,
    /// What is said.
    pub content: MessageContent,
    /// Whom it asks.
    pub provider: ProviderId,
    /// Which model.
    pub model: ModelId,
    /// With which parameters of its own; what it does not say, the conversation's settings may.
    pub params: Params,
    /// Under which standing instructions of its own.
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

impl Commands {
    /// An id for a conversation to be started.
    #[must_use]
    pub fn new_conversation_id(&self) -> ConversationId {
        ConversationId::from_uuid(self.ids.uuid())
    }

    /// An id for a reply to be asked for.
    #[must_use]
    pub fn new_generation_id(&self) -> GenerationId {
        GenerationId::from_uuid(self.ids.uuid())
    }
}

/// Posts or queues a message. Durable when it returns. Cancel-safe in the sense that the message may still be posted.
///
/// # Errors
/// `NotFound` for an unknown user, or a conversation that does not exist, is deleted or is not the actor's;
/// `UnknownParent`, `Busy`, `QueueFull`, `FreeLimit`, `Contended`, `TooLarge`, `Erased`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(conversation.id = %request.conversation.id(), generation.id = %request.generation_id))]
pub async fn post_message(app: &Commands, request: PostRequest) -> Result<Posted, CommandError> {
    post(app, request, GenerationKind::Chat).await
}

pub(crate) async fn post(
    app: &Commands,
    request: PostRequest,
    kind: GenerationKind,
) -> Result<Posted, CommandError> {
    let _turn = app.turns.take(request.actor).await;
    let command = match app.once(request.actor, request.client_message_id.as_deref()).await? {
        Once::Before(posted) => return Ok(posted),
        Once::Now(command) => command,
    };
    let done = retrying!(app, attempt(app, &request, kind, command));
    app.unless_done(command, done).await
}

async fn attempt(
    app: &Commands,
    request: &PostRequest,
    kind: GenerationKind,
    command_id: CommandId,
) -> Result<Posted, CommandError> {
    let (actor, conversation_id) = (request.actor, request.conversation.id());
    let conversation = loading::conversation(&app.log, conversation_id).await?;
    let mut guards = Vec::new();
    match request.conversation {
        Place::In(_) => conversation.state.check_owner(actor)?,
        Place::New(_) => guards.push(registered(app, actor).await?),
    }
    let ask = Request {
        provider: request.provider.clone(),
        model: request.model.clone(),
        kind,
        params: request.params,
        system_prompt: request.system_prompt.clone(),
    };
    let message_id = MessageId::from_uuid(app.ids.uuid());
    let (attachment_ids, files) =
        free_files(app, actor, message_id, conversation_id, &request.attachment_ids).await?;
    let post = PostMessage {
        conversation_id,
        message_id,
        parent_message_id: request.parent_message_id,
        attachment_ids,
        content: request.content.clone(),
        ask: app.ask(actor, request.generation_id, ask).await?,
        on_busy: request.on_busy,
    };
    let title = conversation.state.is_new().then(|| Title::provisional(&request.content.text));
    let posted = Posted { title, ..Posted::of(conversation_id, post.message_id, &post.ask) };
    let asked = conversation.state.post(actor, post)?;
    let decision = Decision { actor, conversation_id, conversation: &conversation, asked, files, guards };
    app.append_asked(decision, posted, command_id).await
}

/// The guard that the user is still who they were: a command that creates a stream depends on it.
pub(crate) async fn registered(app: &Commands, actor: UserId) -> Result<Guard, CommandError> {
    let user = loading::user(&app.log, actor).await?;
    user.state.check_active()?;
    Ok(Guard { stream: StreamId::from_uuid(actor.as_uuid()), version: user.version })
}
