//! What a v1 client does to messages that are there, without asking for a reply.

use slipstream_commands::{choose_leaf, rate_message};
use slipstream_domain::{ConversationId, MessageId};

use super::ask::conversation_of;
use crate::protocol::{Ack, OnMessage, Rate, ServerFrame};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::socket::Socket;

/// Goes to another branch; acknowledged before the frame that tells it.
///
/// # Errors
/// What the use case refuses.
pub(crate) async fn choose(shared: &Shared, socket: &Socket, on: OnMessage) -> Result<(), Refusal> {
    let conversation = conversation_of(shared, socket, on).await?;
    let followed = socket.subscriptions.get(conversation);
    let _untold = match &followed {
        Some(ticket) => Some(ticket.posting().await),
        None => None,
    };
    let version = choose_leaf(&shared.app, socket.user, conversation, on.message).await?;
    socket.frame(&ack(conversation, on.message, version));
    Ok(())
}

/// Rates a reply; acknowledged before the frame that tells it.
///
/// # Errors
/// What the use case refuses.
pub(crate) async fn rate(shared: &Shared, socket: &Socket, rate: Rate) -> Result<(), Refusal> {
    let conversation = conversation_of(shared, socket, rate.on).await?;
    let followed = socket.subscriptions.get(conversation);
    let _untold = match &followed {
        Some(ticket) => Some(ticket.posting().await),
        None => None,
    };
    let version = rate_message(&shared.app, socket.user, conversation, rate.on.message, rate.rating).await?;
    socket.frame(&ack(conversation, rate.on.message, version));
    Ok(())
}

fn ack(conversation_id: ConversationId, message_id: MessageId, version: i64) -> ServerFrame {
    let (client_message_id, generation_id, queued) = (None, None, None);
    ServerFrame::Ack(Ack { client_message_id, conversation_id, message_id, generation_id, queued, version })
}
