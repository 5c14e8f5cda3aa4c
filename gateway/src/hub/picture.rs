//! A request for a picture: posted as a message, and followed to its end by frames of its own. A v1 client gets them beside
//! those of the conversation, which it follows from then on as after any message.

use std::sync::Arc;

use slipstream_commands::ports::{BusEvent, LiveMessage};
use slipstream_commands::{Place, PostRequest, Posted, request_picture};
use slipstream_domain::{AttachmentId, GenerationId, OnBusy, Params, TerminalStatus};
use slipstream_projections::{GenerationLog, QueryError, Transcript, generation_log, wait_for};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use super::ask::asked;
use super::end_frames::explain;
use super::inline_picture::url_of;
use super::listening::{Heard, Listening, RETRY};
use super::news::Signal;
use crate::protocol::{
    ErrorCode, PictureError, PictureFrame, PictureMade, PictureProgress, PictureRequest, ServerFrame, Where,
};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::socket::{Socket, Speaks, UnderWay};

/// Carries out an `image_gen_request`. What was posted stays posted when the socket ends meanwhile. Drops `posting` once it
/// is posted or refused.
pub(crate) async fn picture(
    shared: Arc<Shared>,
    socket: Arc<Socket>,
    frame: Box<PictureFrame>,
    posting: oneshot::Sender<()>,
) {
    let PictureFrame { conversation_id, request } = *frame;
    let (request_id, generation) = (shared.ids.uuid(), shared.app.new_generation_id());
    let span = tracing::info_span!("picture", request.id = %request_id, generation.id = %generation);
    let posted = post(&shared, &socket, generation, request.map_err(Refusal::from)).instrument(span).await;
    drop(posting);
    match posted {
        Ok((posted, under_way)) => {
            let listening = Listening::to(&shared, posted.conversation_id).await;
            let task = Task { shared, socket, posted, started: false };
            task.progress("queued", 0);
            task.run(listening).await;
            drop(under_way);
        }
        Err(refusal) => {
            let Refusal { code, message, retry_after_ms } = refusal;
            tracing::debug!(%request_id, code = code.as_str(), "a request for a picture was refused");
            socket.frame(&ServerFrame::PictureError(PictureError {
                conversation_id,
                user_id: socket.user,
                task_id: None,
                error: message,
                code: code.as_str().to_owned(),
                retry_after_ms,
            }));
        }
    }
}

/// Posts the request; a compat client's reply is booked as under way. It does not wait for a reply that is being made: a
/// client that wants that asks again at its end.
async fn post(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    generation_id: GenerationId,
    request: Result<PictureRequest, Refusal>,
) -> Result<(Posted, Option<UnderWay>), Refusal> {
    let PictureRequest { conversation, content, model, size, client_message_id } = request?;
    let (provider, model) = shared.catalogue.resolve_picture_model(&model)?;
    let request = PostRequest {
        actor: socket.user,
        conversation: match conversation {
            Where::NewChat => Place::New(shared.app.new_conversation_id()),
            Where::Conversation(id) => Place::In(id),
        },
        generation_id,
        client_message_id: client_message_id.filter(|_| socket.speaks == Speaks::V1),
        parent_message_id: None,
        attachment_ids: Vec::new(),
        content,
        provider,
        model,
        params: Params { picture_size: size, ..Params::default() },
        system_prompt: None,
        on_busy: OnBusy::Reject,
    };
    let (place, name) = (request.conversation, request.client_message_id.clone());
    let posting = request_picture(&shared.app, request);
    if socket.speaks == Speaks::V1 {
        return Ok((asked(shared, socket, place, name, posting).await?, None));
    }
    if shared.drain.is_cancelled() {
        return Err(Refusal::draining());
    }
    let too_many = || Refusal::too_many_at_once(shared.settings.max_in_flight);
    let permit = socket.permit().ok_or_else(too_many)?;
    let posted = posting.await?;
    let under_way = socket.under_way(posted.generation_id, permit);
    Ok((posted, Some(under_way)))
}

/// A picture on its way to a socket.
struct Task {
    shared: Arc<Shared>,
    socket: Arc<Socket>,
    posted: Posted,
    started: bool,
}

impl Task {
    /// Tells until the end is told or the socket has ended.
    async fn run(mut self, mut listening: Listening) {
        // What happened before is not heard any more.
        let mut look = true;
        let mut heard_at = Instant::now();
        loop {
            if look && self.look().await {
                return;
            }
            let look_every = if listening.is_live() { self.shared.settings.look_every } else { RETRY };
            let heard = tokio::select! {
                biased;
                _ = self.socket.ended() => return,
                heard = listening.next() => Some(heard),
                () = sleep_until(heard_at + look_every) => None,
            };
            heard_at = Instant::now();
            look = match heard {
                Some(Heard::Live(BusEvent::Message(message))) => {
                    self.heard(&message);
                    false
                }
                Some(Heard::Signal(Signal::Ended(id))) => id == self.posted.generation_id,
                Some(Heard::Signal(Signal::Changed) | Heard::Live(BusEvent::Lagged)) => false,
                Some(Heard::Signal(Signal::Look)) | None => true,
            };
        }
    }

    /// Its owner's first sign of life says that it is being made.
    fn heard(&mut self, message: &LiveMessage) {
        let of = match message {
            LiveMessage::Output { generation, .. } | LiveMessage::Beat { generation, .. } => *generation,
            LiveMessage::Cancel { .. }
            | LiveMessage::SignedOut { .. }
            | LiveMessage::SettingsUpdated { .. }
            | LiveMessage::ApiKeyUpdated { .. }
            | LiveMessage::Typing { .. }
            | LiveMessage::File { .. } => return,
        };
        if of == self.posted.generation_id && !std::mem::replace(&mut self.started, true) {
            self.progress("generating", 50);
        }
    }

    /// Asks the log; whether the end is told. When it does not answer, it is asked again after a silence.
    async fn look(&self) -> bool {
        let told = match generation_log(&self.shared.tiers.log, self.posted.generation_id).await {
            Ok(told) => told,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, generation = %self.posted.generation_id, "a picture cannot be read");
                return match error {
                    QueryError::Unavailable(_) => false,
                    QueryError::Unreadable(_) => {
                        self.failed("The picture cannot be read.".to_owned(), ErrorCode::Internal.as_str());
                        true
                    }
                };
            }
        };
        let Some((status, terminal)) = &told.terminal else { return false };
        match picture_of(&told).filter(|_| *status == TerminalStatus::Completed) {
            Some(attachment_id) => {
                // The append that ends a generation records the conversation's reply right after it.
                let (log, recorded) = (&self.shared.tiers.log, told.last_position.next());
                let patience = self.shared.settings.transcript_patience;
                wait_for::<Transcript>(log, self.posted.conversation_id, recorded, patience).await;
                let image_url = url_of(&self.shared, self.socket.user, attachment_id).await;
                self.socket.frame(&ServerFrame::PictureMade(PictureMade {
                    conversation_id: self.posted.conversation_id,
                    user_id: self.socket.user,
                    task_id: self.posted.generation_id,
                    message_id: self.posted.reply_message_id,
                    attachment_id,
                    image_url,
                }));
            }
            None if *status == TerminalStatus::Completed => {
                self.failed(
                    "The model answered without a picture.".to_owned(),
                    TerminalStatus::Failed.as_str(),
                );
            }
            None => self.failed(explain(*status, terminal), status.as_str()),
        }
        true
    }

    fn progress(&self, stage: &str, progress: u8) {
        self.socket.frame(&ServerFrame::PictureProgress(PictureProgress {
            conversation_id: self.posted.conversation_id,
            user_id: self.socket.user,
            task_id: self.posted.generation_id,
            stage: stage.to_owned(),
            progress,
        }));
    }

    fn failed(&self, error: String, code: &str) {
        self.socket.frame(&ServerFrame::PictureError(PictureError {
            conversation_id: Some(self.posted.conversation_id.to_string()),
            user_id: self.socket.user,
            task_id: Some(self.posted.generation_id),
            error,
            code: code.to_owned(),
            retry_after_ms: None,
        }));
    }
}

/// The last picture of a reply.
fn picture_of(told: &GenerationLog) -> Option<AttachmentId> {
    told.outputs.iter().rev().find_map(|output| output.run.attachment)
}
