//! The first frame of a v1 socket.

use std::time::Duration;

use slipstream_domain::{KeySource, Prompt, ProviderId};

use super::Socket;
use crate::protocol::{ConnectionEstablished, Limits, Providers, ServerFrame, V1};
use crate::shared::Shared;

/// For how long the log remembers a client's name of its message.
const RESUME_WINDOW: Duration = Duration::from_hours(7 * 24);
/// The provider that a client which says nothing of its own asks.
const DEFAULT_PROVIDER: &str = "openai";

pub(super) async fn established(shared: &Shared, socket: &Socket) -> ServerFrame {
    let settings = &shared.settings;
    ServerFrame::ConnectionEstablished(ConnectionEstablished {
        connection_id: socket.id,
        user_id: socket.user,
        protocol: V1.to_owned(),
        server_time: shared.app.now().millis(),
        heartbeat_ms: u64::from(settings.ping_every) * 1000,
        resume_window_ms: u64::try_from(RESUME_WINDOW.as_millis()).unwrap_or(u64::MAX),
        limits: Limits {
            max_frame_bytes: settings.max_frame_bytes,
            max_prompt_bytes: Prompt::MAX_BYTES,
            max_in_flight: settings.max_in_flight,
            max_conversations: settings.max_conversations,
        },
        providers: providers(shared, socket).await,
    })
}

/// Whose key pays; nobody's, as far as is known, when that cannot be told.
async fn providers(shared: &Shared, socket: &Socket) -> Providers {
    let source = match ProviderId::parse(DEFAULT_PROVIDER) {
        Ok(provider) => shared.app.keys().source(socket.user, &provider).await,
        Err(_) => Ok(KeySource::None),
    };
    let source = source.unwrap_or_else(|error| {
        tracing::warn!(%error, "whose key pays cannot be told");
        KeySource::None
    });
    match source {
        KeySource::Own { .. } => Providers { is_set: true, is_default: false },
        KeySource::Server => Providers { is_set: false, is_default: true },
        KeySource::None => Providers { is_set: false, is_default: false },
    }
}
