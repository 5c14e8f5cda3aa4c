//! The user wants another reply to the same message.

use slipstream_domain::conversation::RegenerateReply;
use slipstream_domain::{ConversationId, GenerationId, MessageId, ModelId, OnBusy, ProviderId, UserId};
use slipstream_eventlog::CommandId;

use crate::ask_reply::{Decision, Once, Request};
use crate::retrying::retrying;
use crate::{CommandError, Commands, Posted, loading};

/// A reply to make again.
#[derive(Debug, Clone)]
pub struct RegenerateRequest {
    /// Who wants it.
    pub actor: UserId,
    /// Where it is.
    pub conversation_id: ConversationId,
    /// The reply that is there.
    pub message_id: MessageId,
    /// The attempt at the new one: the caller's to make, as a message's is.
    pub generation_id: GenerationId,
    /// The client's own name of the wish; accepted once in seven days, as a message's is.
    pub client_message_id: Option<String>,
    /// Whom it asks.
    pub whom: Whom,
    /// What to do while another reply is being made.
    pub on_busy: OnBusy,
}

/// Whom a reply is asked of that is made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// The provider and the model that were asked before.
    AsBefore,
    /// Another model of the same provider.
    Model(ModelId),
    /// Another provider; which model, the caller has looked up in the catalogue.
    Provider(ProviderId, ModelId),
}

/// Requests or queues another reply beside the one there is, with the parameters and instructions that one's request said
/// itself, under the settings that hold now. [`Posted::message_id`] is the user message both answer. Durable when it returns. Cancel-safe in the sense that it
/// may still be requested.
///
/// # Errors
/// `NotFound` for a conversation that does not exist, is deleted or is not the actor's, and for a message that is not in
/// it or still waits; `WrongMessage` for one that is no reply; `Busy`, `QueueFull`, `FreeLimit`, `Contended`, `Erased`, `Unavailable`,
/// `Unreadable`.
#[tracing::instrument(skip_all, fields(conversation.id = %request.conversation_id, generation.id = %request.generation_id))]
pub async fn regenerate_reply(app: &Commands, request: RegenerateRequest) -> Result<Posted, CommandError> {
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
    request: &RegenerateRequest,
    command_id: CommandId,
) -> Result<Posted, CommandError> {
    let (actor, conversation_id) = (request.actor, request.conversation_id);
    let conversation = loading::conversation(&app.log, conversation_id).await?;
    conversation.state.check_owner(actor)?;
    let reply = conversation.state.messages().reply(request.message_id)?;
    let asked = request.whom.instead_in(app.asked_before(reply.generation).await?);
    let again = RegenerateReply {
        conversation_id,
        message_id: request.message_id,
        ask: app.ask(actor, request.generation_id, asked).await?,
        on_busy: request.on_busy,
    };
    let posted = Posted::of(conversation_id, reply.answers, &again.ask);
    let asked = conversation.state.regenerate(actor, again)?;
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

impl Whom {
    fn instead_in(&self, before: Request) -> Request {
        match self.clone() {
            Self::AsBefore => before,
            Self::Model(model) => Request { model, ..before },
            Self::Provider(provider, model) => Request { provider, model, ..before },
        }
    }
}
