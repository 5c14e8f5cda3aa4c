//! Replies on their way to clients: live output as it comes, gaps filled from the stream state and then from the log, ends
//! made from the log alone.
//!
//! One core reads for everybody ([`reader`]: where a client stands, and what it is missing); who it reads for differs. To a
//! compat client a reply goes only if it asked for it, or took the place of the socket that did ([`stream`]): it shows
//! whatever it is sent. A v1 client gets what it is subscribed to ([`subscribe`], [`subscription`]), an HTTP client one
//! reply ([`follow_reply`]). Knows nothing of how frames are written.

mod ask;
mod assets;
mod cancel;
mod chat;
mod end_frames;
mod event_frames;
mod fetch_asset;
mod follow_reply;
mod inline_picture;
mod judge;
mod listening;
mod news;
mod ordered_reply;
mod picture;
mod reader;
mod relay;
mod standing;
mod stream;
mod subscribe;
mod subscription;
mod take_over;
mod tiers;
mod viewer;

pub(crate) use ask::{Ask, ask};
pub(crate) use assets::asset;
pub(crate) use cancel::cancel;
pub(crate) use chat::{chat, given_head, refuse_chat};
pub(crate) use fetch_asset::fetch;
pub(crate) use follow_reply::{FollowReply, NotFollowed, Told};
pub(crate) use judge::{choose, rate};
pub(crate) use news::News;
pub(crate) use picture::picture;
pub(crate) use relay::{relay_to, typing};
pub(crate) use subscribe::subscribe;
pub(crate) use take_over::take_over;
pub(crate) use tiers::Tiers;
