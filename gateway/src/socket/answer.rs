//! From a frame to what is done about it.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::Instrument;

use super::Speaks;
use super::session::Session;
use crate::hub::{self, Ask};
use crate::meters;
use crate::protocol::{
    ChatFrame, ClientFrame, ErrorCode, FetchFrame, FrameError, PictureFrame, ServerFrame, V1,
};
use crate::refusal::Refusal;

/// Well below the second that is the shortest time to answer a ping.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);

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
                FrameError::NotAnObject(_)
                | FrameError::TooDeep
                | FrameError::Field(_)
                | FrameError::TooLarge(_) => "malformed",
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
    if frame.is_v1_only() && socket.speaks == Speaks::Compat {
        let message = format!("this frame needs the subprotocol {V1}");
        return refuse(session, Refusal::new(ErrorCode::UnknownType, message));
    }
    // Boxed where it is large, so that a socket that asks for nothing does not keep the room for it.
    let done = match frame {
        ClientFrame::Chat(frame) => match socket.speaks {
            Speaks::Compat => return chat(session, *frame).await,
            Speaks::V1 => return ask(session, Ask::Post(frame)).await,
        },
        ClientFrame::Picture(frame) => return picture(session, frame).await,
        ClientFrame::Edit(frame) => return ask(session, Ask::Edit(frame)).await,
        ClientFrame::Regenerate(frame) => return ask(session, Ask::Regenerate(frame)).await,
        ClientFrame::ChooseLeaf(on) => unread(session, Box::pin(hub::choose(shared, socket, on))).await,
        ClientFrame::Rate(rate) => unread(session, Box::pin(hub::rate(shared, socket, rate))).await,
        ClientFrame::Cancel(target) => unread(session, Box::pin(hub::cancel(shared, socket, target))).await,
        ClientFrame::Subscribe(wish) => {
            unread(session, Box::pin(hub::subscribe(shared, socket, wish.into()))).await
        }
        ClientFrame::Unsubscribe(conversation) => return socket.subscriptions.end(conversation).await,
        ClientFrame::Typing(conversation) => return hub::typing(shared, socket, conversation).await,
        ClientFrame::Ping => return socket.frame(&ServerFrame::Pong { user_id: socket.user }),
        ClientFrame::Fetch(frame) => return fetch(session, frame),
        ClientFrame::Asset(frame) => {
            return unread(session, Box::pin(hub::asset(shared, socket, *frame))).await;
        }
    };
    if let Err(refusal) = done {
        refuse(session, refusal);
    }
}

/// Goes on once the request is posted or refused: the frame after it, which may cancel it, is read then. The reply is
/// followed by a task of its own, which also posts when the socket ends meanwhile.
async fn chat(session: &Session, frame: ChatFrame) {
    let Session { shared, socket, .. } = session;
    let refusal = if shared.drain.is_cancelled() {
        Refusal::draining()
    } else if let Some(permit) = socket.permit() {
        let (posting, posted) = oneshot::channel();
        shared.tasks.spawn(hub::chat(shared.clone(), socket.clone(), frame, permit, posting));
        // Its end is dropped then.
        return drop(unread(session, posted).await);
    } else {
        Refusal::too_many_at_once(shared.settings.max_in_flight)
    };
    let head = hub::given_head(socket.user, frame.given);
    hub::refuse_chat(socket, &head, refusal, shared.ids.uuid());
}

/// Goes on at once: a file may take half a minute to come.
fn fetch(session: &Session, frame: Box<FetchFrame>) {
    let Session { shared, socket, .. } = session;
    shared.tasks.spawn(hub::fetch(shared.clone(), socket.clone(), frame, socket.permit()));
}

/// Goes on once the picture is asked for or refused. It is followed by a task of its own, which also posts when the socket
/// ends meanwhile.
async fn picture(session: &Session, frame: Box<PictureFrame>) {
    let Session { shared, socket, .. } = session;
    let (posting, posted) = oneshot::channel();
    shared.tasks.spawn(hub::picture(shared.clone(), socket.clone(), frame, posting));
    drop(unread(session, posted).await);
}

/// Goes on once the request is acknowledged or refused. It is carried out by a task of its own, which also posts when the
/// socket ends meanwhile.
async fn ask(session: &Session, wish: Ask) {
    let (shared, socket) = (session.shared.clone(), session.socket.clone());
    let (posting, posted) = oneshot::channel::<()>();
    // A drain waits for it, so that what was posted is acknowledged.
    let permit = socket.permit();
    session.shared.tasks.spawn(async move {
        let (_permit, mut posting, request_id) = (permit, Some(posting), shared.ids.uuid());
        let span = tracing::info_span!("chat", request.id = %request_id);
        if let Err(refusal) = hub::ask(&shared, &socket, wish, &mut posting).instrument(span).await {
            socket.refuse(request_id, refusal);
        }
    });
    drop(unread(session, posted).await);
}

/// Waits. Nothing is read meanwhile, so an unread pong is not held against the client.
async fn unread<T>(session: &Session, what: impl Future<Output = T>) -> T {
    let mut what = pin!(what);
    loop {
        match timeout(SIGN_OF_LIFE, &mut what).await {
            Ok(done) => return done,
            Err(_) => session.socket.pulse.alive(),
        }
    }
}

fn refuse(session: &Session, refusal: Refusal) {
    session.socket.refuse(session.shared.ids.uuid(), refusal);
}
