//! A v1 client's `ai_chat_request`: posted, acknowledged, and its conversation followed: whoever asks wants the answer.

use std::sync::Arc;

use slipstream_commands::{Place, PostRequest, Posted, post_message};
use slipstream_domain::{Epoch, Seq};

use super::chat::post_request;
use super::subscribe::{After, Wish, reserve, start, subscribe};
use crate::protocol::{Ack, ChatFrame, ErrorCode, ServerFrame, Standing};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::socket::{Socket, Ticket};

/// Posts a message. The acknowledgement comes before any frame of what it acknowledges. A socket that does not follow the
/// conversation yet does from then on, as if its client had subscribed with the version before the message.
///
/// # Errors
/// What the frame, the catalogue, a limit or the use case refuses.
pub(crate) async fn ask(shared: &Arc<Shared>, socket: &Arc<Socket>, frame: ChatFrame) -> Result<(), Refusal> {
    let request = post_request(shared, socket.user, frame.request?, frame.extras?)?;
    let client_message_id = request.client_message_id.clone();
    may_ask(shared, socket)?;
    let place = request.conversation;
    let followed = socket.subscriptions.get(place.id());
    // In its place before anything is posted, so that what the post makes is told once, and by the subscription.
    let reserved = followed.is_none().then(|| reserve(shared, socket, place.id())).transpose()?;
    if let (Some(ticket), Place::New(_)) = (&reserved, place) {
        ticket.tells_after(0);
    }
    let posted = post(shared, socket, request, followed.as_ref(), client_message_id).await;
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
    Ok(())
}

async fn post(
    shared: &Shared,
    socket: &Socket,
    request: PostRequest,
    followed: Option<&Ticket>,
    client_message_id: Option<String>,
) -> Result<Posted, Refusal> {
    let _untold = match followed {
        Some(ticket) => Some(ticket.posting().await),
        None => None,
    };
    let posted = post_message(&shared.app, request).await?;
    socket.frame(&ServerFrame::Ack(Ack {
        client_message_id,
        conversation_id: posted.conversation_id,
        message_id: posted.message_id,
        generation_id: Some(posted.generation_id),
        queued: posted.queued,
        version: posted.version,
    }));
    Ok(posted)
}

/// What a client that has just asked would subscribe to.
fn wish(posted: &Posted) -> Wish {
    let has = vec![Standing { generation: posted.generation_id, epoch: Epoch::FIRST, seq: Seq::START }];
    Wish { conversation: posted.conversation_id, after: After::Posting(posted.message_id), has }
}

fn may_ask(shared: &Shared, socket: &Socket) -> Result<(), Refusal> {
    let most = shared.settings.max_in_flight;
    if shared.drain.is_cancelled() {
        return Err(Refusal::draining());
    }
    if socket.subscriptions.live_replies() >= most {
        let message = format!("at most {most} replies at once on one connection");
        return Err(Refusal::new(ErrorCode::RateLimited, message));
    }
    Ok(())
}
