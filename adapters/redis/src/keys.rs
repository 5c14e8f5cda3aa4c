//! What things are called in Redis. The braces are literal (Redis Cluster's hash tags).

use slipstream_domain::UserId;
use slipstream_projections::StreamKey;
use uuid::Uuid;

pub(crate) fn stream(key: StreamKey) -> String {
    format!("stream:state:{{{}}}:{}", key.generation, key.epoch.0)
}

pub(crate) fn cursors(user: UserId) -> String {
    format!("stream:cursors:{{{user}}}")
}

pub(crate) fn cursor(user: UserId, connection: Uuid) -> String {
    format!("stream:cursor:{{{user}}}:{connection}")
}
