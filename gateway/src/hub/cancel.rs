//! Stops replies, and withdraws messages that wait.

use slipstream_commands::{CommandError, cancel_conversation, cancel_generation, withdraw_message};
use slipstream_domain::{ConversationId, GenerationId};
use slipstream_projections::{conversation_log, generations};

use super::subscribe::queues;
use crate::protocol::CancelTarget;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::socket::Socket;

/// Stops replies. Their terminal frames follow from the log, wherever they are shown; what waits is withdrawn and has
/// none. Stopping what is over is no error.
///
/// # Errors
/// `not_found` for what is not the user's; what stops a use case.
pub(crate) async fn cancel(shared: &Shared, socket: &Socket, target: CancelTarget) -> Result<(), Refusal> {
    match target {
        CancelTarget::Generation(id) => cancel_one(shared, socket, id).await,
        CancelTarget::Conversation(id) => {
            cancel_conversation(&shared.app, socket.user, id).await?;
            Ok(())
        }
        CancelTarget::All => cancel_all(shared, socket).await,
    }
}

async fn cancel_one(shared: &Shared, socket: &Socket, id: GenerationId) -> Result<(), Refusal> {
    let not_found = match cancel_generation(&shared.app, socket.user, id).await {
        Ok(_) => return Ok(()),
        Err(error @ CommandError::NotFound(_)) => error,
        Err(error) => return Err(error.into()),
    };
    for conversation in conversations(shared, socket).await? {
        let told = conversation_log(&shared.tiers.log, conversation).await?;
        if told.owner == Some(socket.user) && told.events.iter().any(|event| queues(&event.event, id)) {
            withdraw_message(&shared.app, socket.user, conversation, id).await?;
            // It may have been sent meanwhile; one that was withdrawn has nothing to cancel.
            return match cancel_generation(&shared.app, socket.user, id).await {
                Ok(_) | Err(CommandError::NotFound(_)) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
    }
    Err(not_found.into())
}

async fn cancel_all(shared: &Shared, socket: &Socket) -> Result<(), Refusal> {
    let mut first = Ok(());
    // What this socket asked for may be too new for the read model.
    for id in socket.replies() {
        let cancelled = cancel_generation(&shared.app, socket.user, id).await;
        first = first.and(cancelled.map(drop).map_err(Refusal::from));
    }
    for id in conversations(shared, socket).await? {
        // One that cannot be stopped must not keep the others going; one that is deleted has nothing to stop.
        let cancelled = match cancel_conversation(&shared.app, socket.user, id).await {
            Ok(_) | Err(CommandError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        };
        first = first.and(cancelled);
    }
    first
}

/// The user's conversations in which a reply is being made, and only there do messages wait; with those that the socket
/// follows, which may be too new for the read model.
async fn conversations(shared: &Shared, socket: &Socket) -> Result<Vec<ConversationId>, Refusal> {
    let mut all = socket.subscriptions.conversations();
    let running = generations::running_of(&shared.models, socket.user).await?;
    all.extend(running.into_iter().map(|running| running.conversation));
    all.sort_unstable();
    all.dedup();
    Ok(all)
}
