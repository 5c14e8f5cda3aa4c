//! The frames of the wire protocol as types, and the one place where a client's text becomes one of them.
//!
//! Refuses to be lenient about what it knows (every wrong field is named, with what would be right) and strict about
//! what it does not (unknown fields are ignored). Field names are camelCase; what is absent is omitted, never `null`.

mod asset;
mod asset_request;
mod chat_request;
mod client;
mod error;
mod fields;
mod inline_data;
mod picture_request;
mod redo;
mod server;
pub mod shapes;
mod subscribe;
mod v1;

pub use asset::{
    AssetError, AssetHead, AssetMetadata, BatchFile, BatchUpload, Dimensions, ReadyAsset, UploadAborted,
    UploadInstructions, UploadProgress,
};
pub use asset_request::{
    AssetBegin, AssetFrame, AssetGiven, AssetKind, AssetProgress, AssetSource, AssetWish, FetchFrame,
};
pub use chat_request::{ChatFrame, ChatRequest, Extras, Given, Where};
pub use client::{CancelTarget, ClientFrame};
pub use error::{ErrorCode, FrameError};
pub use inline_data::InlineData;
pub use picture_request::{PictureFrame, PictureRequest};
pub use redo::{Edit, OnMessage, Rate, Regenerate};
pub use server::{
    ChatChunk, ChatError, ChatHead, ChatResponse, ErrorFrame, PictureError, PictureMade, PictureProgress,
    ServerFrame,
};
pub use shapes::frame_schemas;
pub use subscribe::{Standing, Subscribe};
pub use v1::{
    Ack, ConnectionEstablished, EndOfReply, LeafChosen, Limits, MessagePosted, MessageQueued, MessageRated,
    MessageWithdrawn, Nothing, OfConversation, Offsets, PlaceInReply, Providers, ReplyQueued, ReplyRecorded,
    ReplyRequested, ResumeMode, SettingsUpdated, StreamResumed, TitleUpdated,
};

/// The subprotocol of clients that resume exactly. Who offers none of it is a compat client.
pub const V1: &str = "slipstream.v1";
