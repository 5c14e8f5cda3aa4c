//! The user asks for a picture: a message like any other, whose reply is one.

use slipstream_domain::GenerationKind;

use crate::post_message::post;
use crate::{CommandError, Commands, PostRequest, Posted};

/// Posts or queues a message whose prompt says what a picture is to show. That its model makes pictures the caller has
/// looked up in the catalogue. Otherwise as [`post_message`](crate::post_message).
///
/// # Errors
/// Those of [`post_message`](crate::post_message).
#[tracing::instrument(skip_all, fields(conversation.id = %request.conversation.id(), generation.id = %request.generation_id))]
pub async fn request_picture(app: &Commands, request: PostRequest) -> Result<Posted, CommandError> {
    post(app, request, GenerationKind::Image).await
}
