//! What a v1 client asks for: a message, another version of one, a reply made again. Posted, acknowledged, and its
//! conversation followed: whoever asks wants the answer.

use std::sync::Arc;

use slipstream_commands::{
    CommandError, EditRequest, Place, Posted, RegenerateRequest, Whom, edit_message, post_message,
    regenerate_reply,
};
use slipstream_domain::{ConversationId, Epoch, GenerationId, MessageId, Seq};
use slipstream_projections::{conversation_log, generation_log, transcript};
use tokio::sync::oneshot;
use tracing::Instrument;

use super::chat::{files_of, post_request};
use super::subscribe::{After, Wish, reserve, start, subscribe};
use crate::protocol::{Ack, ChatFrame, Edit, OnMessage, Regenerate, ServerFrame, Standing};
use crate::refusal::{Refusal, SOON};
use crate::shared::Shared;
use crate::socket::Socket;

/// Something that a v1 client asks a reply for.
pub(crate) enum Ask {
    Post(Box<ChatFrame>),
    Edit(Box<Edit>),
    Regenerate(Box<Regenerate>),
}

/// Asks for a reply. The acknowledgement comes before any frame of what it acknowledges. A socket that does not follow the
/// conversation yet does from then on, as if its client had subscribed with the version before. Drops `posting` early when
/// it waits for files.
///
/// # Errors
/// What the frame, the catalogue, a limit or the use case refuses.
pub(crate) async fn ask(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    ask: Ask,
    posting: &mut Option<oneshot::Sender<()>>,
) -> Result<(), Refusal> {
    let generation_id = shared.app.new_generation_id();
    let span = tracing::info_span!("chat", generation.id = %generation_id);
    // It waits for files, for the log and for the transcript: too large to lie in every socket's future.
    Box::pin(ask_for(shared, socket, generation_id, ask, posting)).instrument(span).await
}

async fn ask_for(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    generation_id: GenerationId,
    ask: Ask,
    posting: &mut Option<oneshot::Sender<()>>,
) -> Result<(), Refusal> {
    let (app, actor) = (&shared.app, socket.user);
    match ask {
        Ask::Post(frame) => {
            let (request, extras) = (frame.request?, frame.extras?);
            let files = files_of(shared, socket, &request, posting).await;
            let request = post_request(shared, actor, generation_id, request, extras, files)?;
            let (place, name) = (request.conversation, request.client_message_id.clone());
            asked(shared, socket, place, name, post_message(app, request)).await?;
        }
        Ask::Edit(frame) => {
            let Edit { on, content, client_message_id, on_busy } = *frame;
            let conversation_id = conversation_of(shared, socket, on).await?;
            let (message_id, name) = (on.message, client_message_id.clone());
            let request = EditRequest {
                actor,
                conversation_id,
                message_id,
                generation_id,
                client_message_id,
                content,
                on_busy,
            };
            asked(shared, socket, Place::In(conversation_id), name, edit_message(app, request)).await?;
        }
        Ask::Regenerate(frame) => {
            let Regenerate { on, provider, model, client_message_id, on_busy } = *frame;
            let conversation_id = conversation_of(shared, socket, on).await?;
            let provider = match (provider, &model) {
                (None, Some(_)) => Some(provider_of(shared, socket, conversation_id, on.message).await?),
                (provider, _) => provider,
            };
            let whom = whom(shared, provider.as_deref(), model.as_deref())?;
            let (message_id, name) = (on.message, client_message_id.clone());
            let request = RegenerateRequest {
                actor,
                conversation_id,
                message_id,
                generation_id,
                client_message_id,
                whom,
                on_busy,
            };
            asked(shared, socket, Place::In(conversation_id), name, regenerate_reply(app, request)).await?;
        }
    }
    Ok(())
}

fn whom(shared: &Shared, provider: Option<&str>, model: Option<&str>) -> Result<Whom, Refusal> {
    let Some(provider) = provider else { return Ok(Whom::AsBefore) };
    let (provider, model) = shared.catalogue.resolve(provider, model)?;
    Ok(Whom::Provider(provider, model))
}

/// Whom a reply was asked of.
async fn provider_of(
    shared: &Shared,
    socket: &Socket,
    conversation: ConversationId,
    reply: MessageId,
) -> Result<String, Refusal> {
    let told = conversation_log(&shared.tiers.log, conversation).await?;
    if told.owner != Some(socket.user) {
        return Err(CommandError::NotFound("conversation").into());
    }
    let asked = told.state.messages().reply(reply).map_err(CommandError::from)?;
    let log = generation_log(&shared.tiers.log, asked.generation).await?;
    let request = log.state.request().ok_or(CommandError::NotFound("message"))?;
    Ok(request.asked.provider.as_str().to_owned())
}

/// Where a message is, as the client says or as the read model knows.
pub(super) async fn conversation_of(
    shared: &Shared,
    socket: &Socket,
    on: OnMessage,
) -> Result<ConversationId, Refusal> {
    match on.conversation {
        Some(conversation) => Ok(conversation),
        None => transcript::conversation_of(&shared.models, socket.user, on.message)
            .await?
            .ok_or_else(|| CommandError::NotFound("message").into()),
    }
}

/// Posts what a v1 client asks, acknowledges it, and follows its conversation.
pub(super) async fn asked(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    place: Place,
    client_message_id: Option<String>,
    posting: impl Future<Output = Result<Posted, CommandError>>,
) -> Result<Posted, Refusal> {
    may_ask(shared, socket)?;
    let followed = socket.subscriptions.get(place.id());
    // In its place before anything is posted, so that what the post makes is told once, and by the subscription.
    let reserved = followed.is_none().then(|| reserve(shared, socket, place.id())).transpose()?;
    if let (Some(ticket), Place::New(_)) = (&reserved, place) {
        ticket.tells_after(0);
    }
    let posted = {
        let _untold = match &followed {
            Some(ticket) => Some(ticket.posting().await),
            None => None,
        };
        let posted = posting.await;
        if let Ok(posted) = &posted {
            socket.frame(&ack(posted, client_message_id));
        }
        posted
    };
    let here = posted.as_ref().is_ok_and(|posted| posted.conversation_id == place.id());
    if let Some(ticket) = reserved {
        match &posted {
            Ok(posted) if here => start(shared, socket, wish(posted), ticket),
            Ok(_) | Err(_) => socket.subscriptions.forget(place.id(), &ticket),
        }
    }
    let posted = posted?;
    // A repeated message is of the conversation that it was posted in first.
    if !here && socket.subscriptions.get(posted.conversation_id).is_none() {
        subscribe(shared, socket, wish(&posted)).await?;
    }
    Ok(posted)
}

fn ack(posted: &Posted, client_message_id: Option<String>) -> ServerFrame {
    ServerFrame::Ack(Ack {
        client_message_id,
        conversation_id: posted.conversation_id,
        message_id: posted.message_id,
        generation_id: Some(posted.generation_id),
        queued: posted.queued,
        version: posted.version,
    })
}

/// What a client that has just asked would subscribe to.
fn wish(posted: &Posted) -> Wish {
    let has = vec![Standing { generation: posted.generation_id, epoch: Epoch::FIRST, seq: Seq::START }];
    Wish { conversation: posted.conversation_id, after: After::Asking(posted.generation_id), has }
}

fn may_ask(shared: &Shared, socket: &Socket) -> Result<(), Refusal> {
    let most = shared.settings.max_in_flight;
    if shared.drain.is_cancelled() {
        return Err(Refusal::draining());
    }
    if socket.subscriptions.live_replies() >= most {
        let message = format!("at most {most} replies at once on one connection");
        return Err(Refusal::too_many(message, SOON));
    }
    Ok(())
}
