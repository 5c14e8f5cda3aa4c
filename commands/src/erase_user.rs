//! The log's part of erasing a person: nothing new for them, an end for everything of theirs, and the word that it is
//! done. In which order, and what else has to go, is the caller's matter.

use slipstream_domain::event::UserEvent;
use slipstream_domain::{Category, ConversationId, EmailAddress, EmailId, Event, GenerationId, User, UserId};
use slipstream_eventlog::{Append, Category as StreamCategory, OwnerId, StreamId, Version};

use crate::decoded::decode;
use crate::delete_conversation::delete_conversation;
use crate::loading::Loaded;
use crate::retrying::retrying;
use crate::take_over_generation::open_generations;
use crate::{CommandError, Commands, loading, streams};

/// From here on no conversation is begun for this person and nothing of theirs is changed. Idempotent.
///
/// # Errors
/// `NotFound` for an unknown user; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(user.id = %user))]
pub async fn request_erasure(app: &Commands, user: UserId) -> Result<(), CommandError> {
    let _turn = app.turns.take(user).await;
    retrying!(app, async {
        let email = claimed_email(app, user).await?;
        let Loaded { state, version, .. } = loading::user(&app.log, user).await?;
        let Some(requested) = state.request_erasure(email)? else { return Ok(()) };
        let streams = vec![streams::user(user, version, vec![requested])?];
        app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        Ok(())
    })
}

/// Deletes every conversation of a person, and with each the reply that is being made there. Answers how many there are
/// and were. Idempotent.
///
/// # Errors
/// `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(user.id = %user))]
pub async fn delete_conversations(app: &Commands, user: UserId) -> Result<usize, CommandError> {
    let owner = OwnerId::from_uuid(user.as_uuid());
    let category = StreamCategory(Category::Conversation.number());
    let conversations = app.log.streams_of(owner, category).await?;
    for stream in &conversations {
        match delete_conversation(app, user, ConversationId::from_uuid(stream.as_uuid())).await {
            // Deleted before.
            Ok(_) | Err(CommandError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(conversations.len())
}

/// A person's replies that have not ended.
///
/// # Errors
/// `Unavailable`.
pub async fn unfinished_generations(app: &Commands, user: UserId) -> Result<Vec<GenerationId>, CommandError> {
    let owner = Some(OwnerId::from_uuid(user.as_uuid()));
    let open = open_generations(app).await?.into_iter();
    Ok(open.filter(|generation| generation.owner == owner).map(|generation| generation.id).collect())
}

/// Says that a person is erased, and gives their address back. Idempotent.
///
/// # Errors
/// `NotFound` when their erasure was never requested; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(user.id = %user))]
pub async fn confirm_erasure(app: &Commands, user: UserId) -> Result<(), CommandError> {
    let _turn = app.turns.take(user).await;
    retrying!(app, async {
        let Loaded { state, version, .. } = loading::user(&app.log, user).await?;
        let User::Erasing { email } = state else {
            return state.confirm_erasure().map(drop).map_err(CommandError::from);
        };
        let mut appends = vec![streams::user(user, version, state.confirm_erasure()?.into_iter().collect())?];
        if let Some(email) = email {
            let claim = loading::email(&app.log, email).await?;
            if let Some(released) = claim.state.release(user) {
                appends.push(streams::email(email, user, claim.version, released)?);
            }
        }
        app.log
            .append(Append { streams: appends, command_id: app.new_command(), guards: Vec::new() })
            .await?;
        Ok(())
    })
}

/// The stream of the address the person was registered with; `None` when it can no longer be read.
async fn claimed_email(app: &Commands, user: UserId) -> Result<Option<EmailId>, CommandError> {
    for recorded in app.log.read_stream(StreamId::from_uuid(user.as_uuid()), Version::NONE).await? {
        let (Event::User(UserEvent::UserRegistered(registered)), _) = decode(&recorded)? else { continue };
        let Some(profile) = registered.profile.open() else { return Ok(None) };
        let email = EmailAddress::parse(&profile.email);
        let email = email.map_err(|_| CommandError::Unreadable("a profile without an address".to_owned()))?;
        return app.email_id(&email).map(Some);
    }
    Ok(None)
}
