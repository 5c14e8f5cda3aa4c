//! What can be asked of Slipstream: one use case a file. Each loads what it needs, lets `domain` decide, and appends.
//!
//! The only writer of the log. Owns the ports that use cases and their callers need; knows no SQL, no socket, no vendor.

mod app;
mod ask_reply;
mod cancel_generation;
mod choose_leaf;
mod decoded;
mod delete_conversation;
mod dispatcher;
mod edit_message;
mod ending;
mod error;
mod find_user;
mod finish_generation;
mod loading;
mod open_generation;
mod ownership;
pub mod ports;
mod post_message;
mod rate_message;
mod record_chunks;
mod regenerate_reply;
mod register_user;
mod rename_conversation;
mod retrying;
mod streams;
mod suggest_title;
mod take_over_generation;
mod turns;
mod upcasters;
mod update_settings;
mod withdraw_message;

pub use app::{Commands, EmailPepper};
pub use ask_reply::Posted;
pub use cancel_generation::{Cancelled, cancel_conversation, cancel_generation};
pub use choose_leaf::choose_leaf;
pub use delete_conversation::delete_conversation;
pub use dispatcher::Dispatcher;
pub use edit_message::{EditRequest, edit_message};
pub use error::CommandError;
pub use find_user::find_user;
pub use finish_generation::finish_generation;
pub use open_generation::{Opened, open_generation};
pub use ownership::Ownership;
pub use post_message::{Place, PostRequest, post_message};
pub use rate_message::rate_message;
pub use record_chunks::{Chunks, record_chunks};
pub use regenerate_reply::{RegenerateRequest, Whom, regenerate_reply};
pub use register_user::register_user;
pub use rename_conversation::rename_conversation;
pub use slipstream_eventlog::{EventLog, Position};
pub use suggest_title::suggest_title;
pub use take_over_generation::{Abandoned, abandoned_generations, take_over_generation};
pub use upcasters::upcasters;
pub use update_settings::update_settings;
pub use withdraw_message::withdraw_message;
