//! What can be read: read models in PostgreSQL, built from the log and rebuilt from it at any time.
//!
//! One read model a file, [`conversations`], [`transcript`], [`generations`], [`usage_daily`], [`attachments`]: its `apply`,
//! its queries, its SQL. [`analytics`] shows all of them to analysts, without what was said.
//! The [`Runner`] fills them, each event exactly once; [`start_rebuild`] has one built anew beside the one that is read. [`follow`] reads the log as it grows without a checkpoint,
//! [`wait_for`] reads your writes, [`generation_log`], [`conversation_log`], [`young_history`] and [`history_from_log`] tell a generation and a conversation's
//! history from the log alone, and [`StreamState`] is the port of the fast tier. Writes nothing but read models:
//! events are `commands`' alone.

pub mod analytics;
mod as_of;
pub mod attachments;
mod conversation_log;
pub mod conversations;
mod error;
mod event_json;
mod follow;
mod followed;
mod generation_log;
pub mod generations;
mod headline;
mod history_log;
mod message_log;
mod meters;
mod page;
mod projection;
mod read_models;
mod rebuild;
mod replay;
mod runner;
mod sql;
mod stream_state;
mod tables;
pub mod transcript;
pub mod usage_daily;
mod version;
mod wait;

pub use as_of::{AsOf, AsOfError, NoMoment};
pub use attachments::Attachments;
pub use conversation_log::{ConversationLog, Versioned, conversation_events, conversation_log};
pub use conversations::Conversations;
pub use error::QueryError;
pub use event_json::{EventJson, category, rfc3339};
pub use follow::{Follow, FollowError, follow};
pub use followed::{Followed, Unreadable, decode};
pub use generation_log::{GenerationLog, generation_log};
pub use generations::Generations;
pub use headline::Headline;
pub use history_log::{history_from_log, young_history};
pub use message_log::message_events;
pub use meters::{describe_metrics, watch_lag};
pub use page::{Cursor, MAX_PAGE, NotACursor, Page};
pub use projection::{ApplyError, Known, Projection};
pub use read_models::ReadModels;
pub use rebuild::{Rebuild, RebuildError, drop_retired, start_rebuild};
pub use replay::{NoReplay, Replay};
pub use runner::{READ_MODELS, ReadModel, Runner};
pub use slipstream_eventlog::{EventLog, Position, Waited};
pub use stream_state::{CloseKind, CompatCursor, Output, StreamKey, StreamState, StreamStateError};
pub use transcript::Transcript;
pub use usage_daily::UsageDaily;
pub use wait::{first_behind, wait_for};
