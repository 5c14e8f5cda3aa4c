//! The user names a conversation, and sets what holds for its requests.

use slipstream_domain::conversation::SettingsPatch;
use slipstream_domain::{ConversationId, Title, UserId};
use slipstream_eventlog::{Append, Position};

use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// What is to be changed; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConversationChange {
    /// The user's own title; no generated one replaces it later.
    pub title: Option<Title>,
    /// What holds for requests from now on. A reply that is being made stays as it was asked for.
    pub settings: SettingsPatch,
}

impl ConversationChange {
    /// Another title, and nothing else.
    #[must_use]
    pub fn titled(title: Title) -> Self {
        Self { title: Some(title), settings: SettingsPatch::default() }
    }
}

/// Makes all of a change, or nothing of it. Settings that hold already write nothing. Answers the conversation's newest
/// event: a reader that has come so far shows the change.
///
/// # Errors
/// `NotFound` when it does not exist, is deleted, or is not the actor's; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(conversation.id = %id))]
pub async fn change_conversation(
    app: &Commands,
    actor: UserId,
    id: ConversationId,
    change: ConversationChange,
) -> Result<Position, CommandError> {
    let _turn = app.turns.take(actor).await;
    retrying!(app, async {
        let conversation = loading::conversation(&app.log, id).await?;
        let ConversationChange { title, settings } = change.clone();
        let renamed = title.map(|title| conversation.state.rename(actor, title)).transpose()?;
        let changed = conversation.state.change_settings(actor, settings)?;
        let events: Vec<_> = renamed.into_iter().chain(changed).collect();
        if events.is_empty() {
            return Ok(conversation.last);
        }
        let streams = vec![streams::conversation(id, Some(actor), conversation.version, events)?];
        let append = Append { streams, command_id: app.new_command(), guards: Vec::new() };
        Ok(app.log.append(append).await?.last)
    })
}
