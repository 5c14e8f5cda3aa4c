//! The user says something else instead of what they said before.

use slipstream_domain::conversation::EditMessage;
use slipstream_domain::event::MessageContent;
use slipstream_domain::{ConversationId, GenerationId, MessageId, OnBusy, UserId};
use slipstream_eventlog::CommandId;

use crate::ask_reply::{Decision, Once};
use crate::retrying::retrying;
use crate::{CommandError, Commands, Posted, loading};

/// A message to edit.
#[derive(Debug, Clone)]
pub struct EditRequest {
    /// Who edits it.
    pub actor: UserId,
    /// Where it is.
    pub conversation_id: ConversationId,
    /// The message.
    pub message_id: MessageId,
    /// The attempt at the reply: the caller's to make, as a message's is.
    pub generation_id: GenerationId,
    /// The client's own name of the edit; accepted once in seven days, as a message's is.
    pub client_message_id: Option<String>,
    /// What is said instead.
    pub content: MessageContent,
    /// What to do while another reply is being made.
    pub on_busy: OnBusy,
}

/// Posts or queues another version of a message, beside it in the tree and with its files, and asks for a reply as the
/// newest reply to the old version was asked for: same provider and model, and what the request itself said of parameters
/// and instructions, under the settings that hold now. Durable when it
/// returns. Cancel-safe in the sense that it may still be posted.
///
/// # Errors
/// `NotFound` for a conversation that does not exist, is deleted or is not the actor's, and for a message that is not in
/// it or still waits; `WrongMessage` for a reply; `Busy`, `QueueFull`, `FreeLimit`, `Contended`, `TooLarge`, `Erased`, `Unavailable`,
/// `Unreadable`.
#[tracing::instrument(skip_all, fields(conversation.id = %request.conversation_id, generation.id = %request.generation_id))]
pub async fn edit_message(app: &Commands, request: EditRequest) -> Result<Posted, CommandError> {
    let _turn = app.turns.take(request.actor).await;
    let command = match app.once(request.actor, request.client_message_id.as_deref()).await? {
        Once::Before(posted) => return Ok(posted),
        Once::Now(command) => command,
    };
    let done = retrying!(app, attempt(app, &request, command));
    app.unless_done(command, done).await
}

async fn attempt(
    app: &Commands,
    request: &EditRequest,
    command_id: CommandId,
) -> Result<Posted, CommandError> {
    let (actor, conversation_id) = (request.actor, request.conversation_id);
    let conversation = loading::conversation(&app.log, conversation_id).await?;
    conversation.state.check_owner(actor)?;
    let before = conversation.state.messages().said(request.message_id)?.asked;
    let before =
        before.ok_or_else(|| CommandError::Inner("a message was posted without a request".into()))?;
    let ask = app.ask(actor, request.generation_id, app.asked_before(before).await?).await?;
    let edit = EditMessage {
        conversation_id,
        edited_from: request.message_id,
        message_id: MessageId::from_uuid(app.ids.uuid()),
        content: request.content.clone(),
        ask,
        on_busy: request.on_busy,
    };
    let posted = Posted::of(conversation_id, edit.message_id, &edit.ask);
    let asked = conversation.state.edit(actor, edit)?;
    let decision = Decision {
        actor,
        conversation_id,
        conversation: &conversation,
        asked,
        files: Vec::new(),
        guards: Vec::new(),
    };
    app.append_asked(decision, posted, command_id).await
}
