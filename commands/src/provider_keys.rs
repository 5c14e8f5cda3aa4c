//! A person's own key of a provider: kept in the vault, and the log says that it is there.

use std::sync::Arc;

use secrecy::SecretString;
use slipstream_domain::event::{ProviderKeyRemoved, ProviderKeyStored, UserEvent};
use slipstream_domain::{ProviderId, UserId};
use slipstream_eventlog::Append;

use crate::ports::{LiveMessage, ProviderKeys, StoredKey, Subject};
use crate::retrying::retrying;
use crate::{CommandError, Commands, loading, streams};

/// Keeps a key that the provider has accepted, in place of the one before. A crash in between may leave it kept without
/// the log's saying so; the vault counts.
///
/// # Errors
/// `NotFound` for an unknown user, `Erased`; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(provider.id = %provider))]
pub async fn store_provider_key(
    app: &Commands,
    keys: &dyn ProviderKeys,
    actor: UserId,
    provider: &ProviderId,
    key: &SecretString,
    is_default: bool,
) -> Result<StoredKey, CommandError> {
    let _turn = app.turns.take(actor).await;
    loading::user(&app.log, actor).await?.state.check_active()?;
    let stored = keys.put(actor, provider, key, is_default).await?;
    let event = UserEvent::ProviderKeyStored(ProviderKeyStored {
        provider: stored.provider.clone(),
        key_id: stored.key_id,
        fingerprint: stored.fingerprint.clone(),
        master_key_id: stored.master_key_id.clone(),
        is_default,
    });
    append(app, actor, event).await?;
    tell(app, actor, provider, true).await;
    Ok(stored)
}

/// Removes a person's own key of a provider.
///
/// # Errors
/// `NotFound` when they have none; `Contended`, `Unavailable`, `Unreadable`.
#[tracing::instrument(skip_all, fields(provider.id = %provider))]
pub async fn remove_provider_key(
    app: &Commands,
    keys: &dyn ProviderKeys,
    actor: UserId,
    provider: &ProviderId,
) -> Result<(), CommandError> {
    let _turn = app.turns.take(actor).await;
    let key_id = keys.remove(actor, provider).await?.ok_or(CommandError::NotFound("provider key"))?;
    let removed = ProviderKeyRemoved { provider: provider.clone(), key_id };
    append(app, actor, UserEvent::ProviderKeyRemoved(removed)).await?;
    tell(app, actor, provider, false).await;
    Ok(())
}

/// Tells the person's sockets.
async fn tell(app: &Commands, actor: UserId, provider: &ProviderId, is_set: bool) {
    let message = LiveMessage::ApiKeyUpdated { provider: provider.clone(), is_set };
    app.bus.publish(Subject::User(actor), Arc::new(message)).await;
}

async fn append(app: &Commands, actor: UserId, event: UserEvent) -> Result<(), CommandError> {
    retrying!(app, async {
        let user = loading::user(&app.log, actor).await?;
        user.state.check_active()?;
        let streams = vec![streams::user(actor, user.version, vec![event.clone()])?];
        app.log.append(Append { streams, command_id: app.new_command(), guards: Vec::new() }).await?;
        Ok(())
    })
}
