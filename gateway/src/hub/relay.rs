//! What sockets hear beside replies: that somebody types, and, on v1, that the user's conversations come, go and are named,
//! and what becomes of the user's files.

use std::sync::Arc;

use slipstream_commands::ports::{BusEvent, FileNews, LiveMessage, Subject, Subscription};
use slipstream_domain::{AttachmentId, ConversationId, UserId};
use slipstream_projections::conversation_events;

use super::assets::news_of_file;
use super::event_frames::list_frame;
use super::news::{Listed, Watch};
use crate::protocol::{AssetProgress, ServerFrame};
use crate::shared::Shared;
use crate::socket::{Socket, Speaks};

/// Tells the user's other sockets, in whatever process, that the user types. Nobody else listens there.
pub(crate) async fn typing(shared: &Shared, socket: &Socket, conversation: ConversationId) {
    let message = LiveMessage::Typing { conversation, user: socket.user, connection: socket.id };
    shared.app.bus().publish(Subject::User(socket.user), Arc::new(message)).await;
}

/// Tells them how far a file is.
pub(super) async fn tell_on_its_way(
    shared: &Shared,
    socket: &Socket,
    file: AttachmentId,
    how: AssetProgress,
) {
    let AssetProgress { progress, bytes_uploaded: bytes, total_bytes: total } = how;
    tell_of_file(shared, socket, file, FileNews::OnItsWay { progress, bytes, total }).await;
}

/// Tells them that a file is ready.
pub(super) async fn tell_ready(shared: &Shared, socket: &Socket, file: AttachmentId) {
    tell_of_file(shared, socket, file, FileNews::Ready).await;
}

async fn tell_of_file(shared: &Shared, socket: &Socket, attachment: AttachmentId, news: FileNews) {
    let message = LiveMessage::File { attachment, news, connection: socket.id };
    shared.app.bus().publish(Subject::User(socket.user), Arc::new(message)).await;
}

/// Passes on to a socket what its user's other sockets tell, and what the log tells of the user's conversations, for as
/// long as the socket lives.
pub(crate) async fn relay_to(shared: &Shared, socket: &Socket) {
    let mut list = match socket.speaks {
        Speaks::Compat => None,
        Speaks::V1 => Some(shared.news.watch_list(socket.user)),
    };
    let told = shared.app.bus().subscribe(Subject::User(socket.user)).await;
    let mut told =
        told.inspect_err(|error| tracing::warn!(%error, "a socket does not hear of its user's others")).ok();
    loop {
        tokio::select! {
            listed = next_listed(list.as_mut()) => match listed {
                Some(listed) => tell_listed(shared, socket, listed).await,
                // The client reads the list anew when it is back.
                None => return socket.must_come_back(),
            },
            event = next_told(told.as_mut()) => match event {
                Some(BusEvent::Message(message)) => tell(shared, socket, &message).await,
                Some(BusEvent::Lagged) => {}
                // The bus is gone; the socket is not.
                None => told = None,
            },
        }
    }
}

async fn tell(shared: &Shared, socket: &Socket, message: &LiveMessage) {
    match message {
        LiveMessage::Typing { conversation, user, connection } if *connection != socket.id => {
            socket.frame(&ServerFrame::Typing { conversation_id: *conversation, user_id: *user });
        }
        // A compat client knows the files it has asked about, and no others.
        LiveMessage::File { attachment, news, connection }
            if *connection != socket.id && socket.speaks == Speaks::V1 =>
        {
            if let Some(frame) = news_of_file(shared, socket.user, *attachment, *news).await {
                socket.frame(&frame);
            }
        }
        LiveMessage::SignedOut { session } => socket.sign_out(*session),
        LiveMessage::SettingsUpdated { settings } if socket.speaks == Speaks::V1 => {
            let settings = settings.clone();
            socket.frame(&ServerFrame::UserSettingsUpdated { user_id: socket.user, settings });
        }
        LiveMessage::ApiKeyUpdated { provider, is_set } if socket.speaks == Speaks::V1 => {
            let (provider, is_set) = (provider.clone(), *is_set);
            socket.frame(&ServerFrame::ApiKeyUpdated { user_id: socket.user, provider, is_set });
        }
        LiveMessage::Typing { .. }
        | LiveMessage::File { .. }
        | LiveMessage::SettingsUpdated { .. }
        | LiveMessage::ApiKeyUpdated { .. }
        | LiveMessage::Output { .. }
        | LiveMessage::Beat { .. }
        | LiveMessage::Cancel { .. } => {}
    }
}

/// A conversation that the socket follows tells its events itself, in order.
async fn tell_listed(shared: &Shared, socket: &Socket, listed: Listed) {
    let Listed { conversation, version } = listed;
    if socket.subscriptions.get(conversation).is_some_and(|ticket| ticket.tells(version)) {
        return;
    }
    match conversation_events(&shared.tiers.log, conversation, version - 1).await {
        Ok(events) => {
            if let Some(event) = events.iter().find(|event| event.version == version) {
                socket.room().await;
                socket.frame(&list_frame(conversation, event));
            }
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, %conversation, "its news cannot be read");
            socket.must_come_back();
        }
    }
}

async fn next_listed(list: Option<&mut Watch<UserId, Listed>>) -> Option<Listed> {
    match list {
        Some(list) => list.next().await,
        None => std::future::pending().await,
    }
}

async fn next_told(told: Option<&mut Box<dyn Subscription>>) -> Option<BusEvent> {
    match told {
        Some(told) => told.next().await,
        None => std::future::pending().await,
    }
}
