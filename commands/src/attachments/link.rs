//! Files become part of a message, in its append.

use slipstream_domain::{AttachmentId, ConversationId, MessageId, UserId};
use slipstream_eventlog::StreamAppend;

use crate::{CommandError, Commands, loading, streams};

/// Files of a message at the most.
pub(crate) const MOST: usize = 10;

/// Those of the files that the user may give to a message, at most ten, and the appends that do. Files that are not the
/// user's, not ready or part of another message are left out: the message goes without them.
pub(crate) async fn free_files(
    app: &Commands,
    actor: UserId,
    message: MessageId,
    conversation: ConversationId,
    ids: &[AttachmentId],
) -> Result<(Vec<AttachmentId>, Vec<StreamAppend>), CommandError> {
    let (mut linked, mut appends) = (Vec::new(), Vec::new());
    for id in ids {
        if linked.len() == MOST {
            break;
        }
        let file = loading::attachment(&app.log, *id).await?;
        if let Ok(event) = file.state.link(actor, message, conversation)
            && !linked.contains(id)
        {
            appends.push(streams::attachment(*id, Some(actor), file.version, vec![event])?);
            linked.push(*id);
        }
    }
    Ok((linked, appends))
}
