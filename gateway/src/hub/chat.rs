//! A request for a reply: posted, and followed to its end. Every request gets a terminal frame, refused ones at once.

use std::sync::Arc;

use slipstream_commands::{Place, PostRequest, Posted, post_message};
use slipstream_domain::{
    AttachmentId, ConversationId, Epoch, GenerationId, ModelId, Params, ProviderId, Seq, SystemPrompt,
    Temperature, Title, TopP, UserId,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Instrument;
use uuid::Uuid;

use super::assets::ready_files;
use super::listening::Listening;
use super::reader::Reader;
use super::stream::Stream;
use super::viewer::Viewer;
use crate::protocol::{
    ChatChunk, ChatError, ChatFrame, ChatHead, ChatRequest, ErrorCode, Extras, Given, ServerFrame, Where,
};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::socket::{Reply, Socket};

/// Carries out an `ai_chat_request`. What was posted stays posted when the socket ends meanwhile. Drops `posting` once it
/// is posted and booked, or refused.
pub(crate) async fn chat(
    shared: Arc<Shared>,
    socket: Arc<Socket>,
    frame: ChatFrame,
    permit: OwnedSemaphorePermit,
    posting: oneshot::Sender<()>,
) {
    let ChatFrame { given, request, extras: _ } = frame;
    let (request_id, generation) = (shared.ids.uuid(), shared.app.new_generation_id());
    let mut posting = Some(posting);
    let asked = post(&shared, &socket, generation, request.map_err(Refusal::from), &mut posting);
    let span = tracing::info_span!("chat", request.id = %request_id, generation.id = %generation);
    match asked.instrument(span).await {
        Ok((listening, posted, head, system_prompt)) => {
            if let Some(title) = &posted.title {
                socket.frame(&opening(&head, title, system_prompt));
            }
            let stream = Stream {
                id: shared.ids.uuid(),
                under_way: socket.under_way(posted.generation_id, permit),
                reader: Reader::new(
                    shared.tiers.clone(),
                    posted.generation_id,
                    Viewer::at(Epoch::FIRST, Seq::START),
                ),
                shared,
                socket,
                listening,
                conversation: posted.conversation_id,
                reply: Reply::new(head, Seq::START),
            };
            drop(posting);
            stream.run(None).await;
        }
        Err(refusal) => {
            let head = given_head(socket.user, given);
            refuse_chat(&socket, &head, refusal, request_id);
        }
    }
}

/// The terminal frame of a request that is not carried out, after a text that a person can read: a compat client does
/// not show the error itself. What is our fault carries the id under which the operator finds it in the log.
pub(crate) fn refuse_chat(socket: &Socket, head: &Arc<ChatHead>, refusal: Refusal, request_id: Uuid) {
    let Refusal { code, mut message, retry_after_ms: _ } = refusal;
    tracing::debug!(%request_id, code = code.as_str(), "a request for a reply was refused");
    if code == ErrorCode::Internal {
        message = format!("{message} Request id: {request_id}");
    }
    socket.frame(&ServerFrame::ChatChunk(ChatChunk::text(head.clone(), message.clone(), None)));
    socket.frame(&ServerFrame::ChatError(ChatError {
        head: head.clone(),
        message,
        stop_reason: Some(code.as_str().to_owned()),
        usage: None,
        done: true,
        end: None,
    }));
}

/// The head of a refusal: what the client gave.
pub(crate) fn given_head(user_id: UserId, given: Given) -> Arc<ChatHead> {
    let Given { conversation_id, provider, model } = given;
    Arc::new(ChatHead { conversation_id, user_id, provider, model, temperature: None, top_p: None })
}

async fn post(
    shared: &Shared,
    socket: &Socket,
    generation_id: GenerationId,
    request: Result<ChatRequest, Refusal>,
    posting: &mut Option<oneshot::Sender<()>>,
) -> Result<(Listening, Posted, Arc<ChatHead>, Option<SystemPrompt>), Refusal> {
    let request = request?;
    let files = files_of(shared, socket, &request, posting).await;
    let request = post_request(shared, socket.user, generation_id, request, Extras::NONE, files)?;
    let id = request.conversation.id();
    let listening = Listening::to(shared, id).await;
    let head = head_of(socket.user, id, &request.provider, &request.model, request.params);
    let system_prompt = request.system_prompt.clone();
    let posted = post_message(&shared.app, request).await?;
    Ok((listening, posted, head, system_prompt))
}

/// The files that belong to a request. Other frames are read while they are waited for: those that say they are there.
pub(super) async fn files_of(
    shared: &Shared,
    socket: &Socket,
    request: &ChatRequest,
    posting: &mut Option<oneshot::Sender<()>>,
) -> Vec<AttachmentId> {
    let Some(batch) = &request.batch else { return Vec::new() };
    drop(posting.take());
    ready_files(shared, socket.user, batch).await
}

/// The use case's request out of a client's.
///
/// # Errors
/// The catalogue does not know the provider or the model.
pub(super) fn post_request(
    shared: &Shared,
    actor: UserId,
    generation_id: GenerationId,
    request: ChatRequest,
    extras: Extras,
    attachment_ids: Vec<AttachmentId>,
) -> Result<PostRequest, Refusal> {
    let ChatRequest { conversation, content, provider, model, system_prompt, params, batch: _ } = request;
    let Extras { client_message_id, parent_message_id, on_busy, enable_thinking, enable_web_search } = extras;
    let params = Params { enable_thinking, enable_web_search, ..params };
    let (provider, model) = shared.catalogue.resolve(&provider, model.as_deref())?;
    let conversation = match conversation {
        Where::NewChat => Place::New(shared.app.new_conversation_id()),
        Where::Conversation(id) => Place::In(id),
    };
    Ok(PostRequest {
        actor,
        conversation,
        generation_id,
        client_message_id,
        parent_message_id,
        attachment_ids,
        content,
        provider,
        model,
        params,
        system_prompt,
        on_busy,
    })
}

/// The head of every frame of a reply.
pub(super) fn head_of(
    user_id: UserId,
    conversation: ConversationId,
    provider: &ProviderId,
    model: &ModelId,
    params: Params,
) -> Arc<ChatHead> {
    Arc::new(ChatHead {
        conversation_id: Some(conversation.to_string()),
        user_id,
        provider: Some(provider.as_str().to_owned()),
        model: Some(model.as_str().to_owned()),
        temperature: params.temperature.map(Temperature::get),
        top_p: params.top_p.map(TopP::get),
    })
}

/// The first frame of a new chat: no text yet, but the conversation's real id and its title.
fn opening(head: &Arc<ChatHead>, title: &Title, system_prompt: Option<SystemPrompt>) -> ServerFrame {
    ServerFrame::ChatChunk(ChatChunk {
        title: Some(title.as_str().to_owned()),
        system_prompt: system_prompt.map(|prompt| prompt.as_str().to_owned()),
        ..ChatChunk::text(head.clone(), String::new(), None)
    })
}
