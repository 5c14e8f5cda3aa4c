//! From a frame to what is done about it.

use slipstream_domain::UserId;

use super::session::Session;
use crate::hub;
use crate::meters;
use crate::protocol::{
    AssetError, ChatFrame, ClientFrame, ErrorCode, ErrorFrame, FrameError, NotOffered, NotOfferedKind,
    ServerFrame,
};
use crate::refusal::Refusal;

/// Does what a text frame asks. Whatever it is, the socket lives on.
pub(super) async fn text(session: &Session, text: &str) {
    match ClientFrame::parse(text) {
        Ok(frame) => {
            meters::frame_in(frame.name());
            carry_out(session, frame).await;
        }
        Err(error) => {
            meters::frame_in(match error {
                FrameError::UnknownType(_) => "unknown",
                FrameError::NotAnObject(_) | FrameError::TooDeep | FrameError::Field(_) => "malformed",
            });
            refuse(session, error.into());
        }
    }
}

/// Refuses a binary frame; the socket lives on.
pub(super) fn binary(session: &Session) {
    meters::frame_in("binary");
    refuse(session, Refusal::new(ErrorCode::BadFrame, "frames are JSON text, not binary"));
}

async fn carry_out(session: &Session, frame: ClientFrame) {
    let Session { shared, socket, .. } = session;
    match frame {
        ClientFrame::Ping => socket.frame(&ServerFrame::Pong { user_id: socket.user }),
        ClientFrame::Typing(conversation) => hub::typing(shared, socket, conversation).await,
        ClientFrame::Cancel(target) => {
            // Boxed, so that a socket that asks for nothing does not keep the room for it.
            if let Err(refusal) = Box::pin(hub::cancel(shared, socket, target)).await {
                refuse(session, refusal);
            }
        }
        ClientFrame::Chat(frame) => chat(session, *frame),
        ClientFrame::NotOffered(frame) => {
            for answer in not_offered(*frame, socket.user) {
                socket.frame(&answer);
            }
        }
    }
}

fn chat(session: &Session, frame: ChatFrame) {
    let Session { shared, socket, .. } = session;
    if let Ok(permit) = socket.in_flight.clone().try_acquire_owned() {
        shared.tasks.spawn(hub::chat(shared.clone(), socket.clone(), frame, permit));
        return;
    }
    let most = shared.settings.max_in_flight;
    let refusal =
        Refusal::new(ErrorCode::RateLimited, format!("at most {most} replies at once on one connection"));
    hub::refuse_chat(socket, &hub::given_head(socket.user, frame.given), refusal);
}

fn refuse(session: &Session, refusal: Refusal) {
    let Refusal { code, message, retry_after_ms } = refusal;
    let request_id = session.shared.ids.uuid();
    tracing::debug!(%request_id, code = code.as_str(), "a frame was refused");
    session.socket.frame(&ServerFrame::Error(ErrorFrame { code, message, request_id, retry_after_ms }));
}

/// The answers to a frame about a file or an image: its error twin. A failed begin of an upload has two, because the
/// web client handles the second.
fn not_offered(frame: NotOffered, user_id: UserId) -> Vec<ServerFrame> {
    let NotOffered { kind, conversation_id, attachment_id, draft_id, batch_id } = frame;
    let what = match kind {
        NotOfferedKind::Image => "Making images",
        NotOfferedKind::UploadBegin
        | NotOfferedKind::UploadReport
        | NotOfferedKind::UploadEnd
        | NotOfferedKind::Fetch
        | NotOfferedKind::OtherAsset => "Taking files",
    };
    let error = AssetError {
        conversation_id,
        attachment_id,
        draft_id,
        batch_id,
        user_id,
        success: false,
        error: format!("{what} is not offered by this server yet."),
        code: ErrorCode::Unavailable,
    };
    match kind {
        NotOfferedKind::UploadBegin => {
            vec![ServerFrame::AssetUploadError(error.clone()), ServerFrame::AssetUploadCompleteError(error)]
        }
        NotOfferedKind::UploadReport | NotOfferedKind::OtherAsset => {
            vec![ServerFrame::AssetUploadError(error)]
        }
        NotOfferedKind::UploadEnd => vec![ServerFrame::AssetUploadCompleteError(error)],
        NotOfferedKind::Fetch => vec![ServerFrame::AssetFetchError(error)],
        NotOfferedKind::Image => vec![ServerFrame::ImageGenError(error)],
    }
}
