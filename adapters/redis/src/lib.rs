//! The stream state of many processes, in Redis: what each running reply has said so far, and where compat sockets
//! stand. Owns key names, entry bytes and time-outs; decides nothing. Redis may be flushed, restarted or gone at any
//! time: the log has everything, a little later.
//!
//! | key | type | what | lives |
//! |---|---|---|---|
//! | `stream:state:{<generationId>}:<epoch>` | stream | one owner's output; ids `<lastSeq>-0`, one field `o` (`entry.rs`) | 24 h, 10 min after the end |
//! | `stream:cursors:{<userId>}` | set | the connections of a user that have a cursor | 2 min |
//! | `stream:cursor:{<userId>}:<connection>` | string | a [`CompatCursor`](slipstream_projections::CompatCursor) as JSON | 2 min |
//!
//! The braces are literal: they are Redis Cluster's hash tags, so that what is touched together lies in one slot.
//! Needs Redis 6.2 (`NOMKSTREAM`, exclusive ranges, RESP3) or a server that speaks as it does.

mod connection;
mod cursors;
mod entry;
mod keys;
mod settings;
mod stream_state;

pub use settings::{ClientCertificate, RedisSettings, SettingsError, Tls};
pub use stream_state::RedisStreamState;
