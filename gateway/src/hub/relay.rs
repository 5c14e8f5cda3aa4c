//! What sockets ask beside replies: to stop one, and to tell the user's other sockets that somebody types.

use std::sync::Arc;

use slipstream_commands::ports::{BusEvent, LiveMessage, Subject};
use slipstream_commands::{cancel_conversation, cancel_generation};
use slipstream_domain::{ConversationId, GenerationId};
use slipstream_projections::generations;

use crate::protocol::{CancelTarget, ServerFrame};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::socket::Socket;

/// Tells the user's other sockets, in whatever process, that the user types. Nobody else listens there.
pub(crate) async fn typing(shared: &Shared, socket: &Socket, conversation: ConversationId) {
    let message = LiveMessage::Typing { conversation, user: socket.user, connection: socket.id };
    shared.app.bus().publish(Subject::User(socket.user), Arc::new(message)).await;
}

/// Passes on to a socket what its user's other sockets tell, for as long as the socket lives.
pub(crate) async fn relay_to(shared: &Shared, socket: &Socket) {
    let mut told = match shared.app.bus().subscribe(Subject::User(socket.user)).await {
        Ok(told) => told,
        Err(error) => {
            tracing::warn!(%error, "a socket does not hear of its user's others");
            return std::future::pending().await;
        }
    };
    while let Some(event) = told.next().await {
        let BusEvent::Message(message) = event else { continue };
        match *message {
            LiveMessage::Typing { conversation, user, connection } if connection != socket.id => {
                socket.frame(&ServerFrame::Typing { conversation_id: conversation, user_id: user });
            }
            LiveMessage::Typing { .. }
            | LiveMessage::Output { .. }
            | LiveMessage::Beat { .. }
            | LiveMessage::Cancel { .. } => {}
        }
    }
    // The bus is gone; the socket is not.
    std::future::pending::<()>().await;
}

/// Stops replies. Their terminal frames follow from the log, wherever they are shown; stopping what is over is no error.
///
/// # Errors
/// `not_found` for what is not the user's; what stops a use case.
pub(crate) async fn cancel(shared: &Shared, socket: &Socket, target: CancelTarget) -> Result<(), Refusal> {
    match target {
        CancelTarget::Generation(id) => {
            cancel_generation(&shared.app, socket.user, id).await?;
        }
        CancelTarget::Conversation(id) => {
            cancel_conversation(&shared.app, socket.user, id).await?;
        }
        CancelTarget::All => {
            // The read model may not have the newest ones yet; those that this socket asked for are known here.
            let mut all: Vec<GenerationId> = socket.replies();
            let running = generations::running_of(&shared.models, socket.user).await?;
            all.extend(running.into_iter().map(|running| running.generation));
            all.sort_unstable();
            all.dedup();
            let mut first = Ok(());
            for id in all {
                // One that cannot be stopped must not keep the others going.
                let cancelled = cancel_generation(&shared.app, socket.user, id).await;
                first = first.and(cancelled.map(drop).map_err(Refusal::from));
            }
            first?;
        }
    }
    Ok(())
}
