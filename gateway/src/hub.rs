//! Replies on their way to sockets: live frames as they come, gaps filled from the stream state and then from the log,
//! ends made from the log alone.
//!
//! A reply goes to the socket that asked for it, or to the one that replaced that socket, and to no other: compat
//! clients show whatever they are sent. Knows nothing of how frames are written.

mod chat;
mod end_frames;
mod ends;
mod relay;
mod stream;
mod take_over;
mod tiers;
mod viewer;

pub(crate) use chat::{chat, given_head, refuse_chat};
pub(crate) use ends::Ends;
pub(crate) use relay::{cancel, relay_to, typing};
pub(crate) use take_over::take_over;
pub(crate) use tiers::Tiers;
