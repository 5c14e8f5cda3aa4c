//! Whoever reads a conversation as an auditor leaves a trace: before they are told anything.

use slipstream_domain::event::{AuditEvent, AuditRead};
use slipstream_domain::{ConversationId, UserId};
use slipstream_eventlog::{Append, Position, StreamId, Version};
use uuid::Uuid;

use crate::retrying::retrying;
use crate::{CommandError, Commands, streams};

/// Records that `actor` (`None`: an operator at the command line) reads the history of a conversation up to `as_of`. Each
/// conversation has a stream of its own for that.
///
/// # Errors
/// `Contended`, `Unavailable`: then nothing must be shown.
#[tracing::instrument(skip_all, fields(conversation.id = %conversation))]
pub async fn record_audit_read(
    app: &Commands,
    actor: Option<UserId>,
    conversation: ConversationId,
    as_of: Position,
) -> Result<Position, CommandError> {
    let stream = audit_stream(conversation);
    retrying!(app, async {
        let recorded = app.log.read_stream(StreamId::from_uuid(stream), Version::NONE).await?;
        let version = recorded.last().map_or(Version::NONE, |event| event.version);
        let read = AuditRead { actor, conversation_id: conversation, as_of: as_of.get() };
        let streams = vec![streams::audit(stream, version, AuditEvent::AuditRead(read))?];
        let appended =
            app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        Ok(appended.last)
    })
}

/// Who has read this conversation.
fn audit_stream(conversation: ConversationId) -> Uuid {
    Uuid::new_v5(&conversation.as_uuid(), b"audit")
}
