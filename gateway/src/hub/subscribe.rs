//! The answer to `subscribe`, which is also how a client resumes: where each stream goes on, what is missing of it, what
//! has happened in the conversation since, and from then on the live [`Subscription`]. One code path for both.

use std::sync::Arc;

use slipstream_domain::conversation::Waiting;
use slipstream_domain::event::ConversationEvent;
use slipstream_domain::{ConversationId, Epoch, GenerationId, Seq};
use slipstream_projections::{ConversationLog, QueryError, Versioned, conversation_log, generation_log};

use super::event_frames::event_frame;
use super::follow_reply::version_of_end;
use super::listening::Listening;
use super::ordered_reply::{Facts, OrderedReply};
use super::standing::{Impossible, stands};
use super::subscription::Subscription;
use crate::meters;
use crate::protocol::{
    ErrorCode, Nothing, OfConversation, ResumeMode, ServerFrame, Standing, StreamResumed, Subscribe,
};
use crate::refusal::{Refusal, SOON};
use crate::shared::Shared;
use crate::socket::{Socket, Ticket};

/// A wish to follow a conversation.
pub(crate) struct Wish {
    pub(crate) conversation: ConversationId,
    pub(crate) after: After,
    /// The streams that the client has something of, or waits for.
    pub(crate) has: Vec<Standing>,
}

/// Which of the conversation's events are told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum After {
    /// Those from now on.
    Now,
    /// Those after this version.
    Version(i64),
    /// Those of the append that asked for this reply, and all later ones.
    Asking(GenerationId),
}

/// How one stream goes on.
struct Opening {
    resumed: StreamResumed,
    /// `None` when nothing follows for now, or ever.
    follows: Option<Follows>,
}

struct Follows {
    reply: OrderedReply,
    /// The conversation's version with its end, when that is recorded.
    ended: Option<i64>,
}

impl From<Subscribe> for Wish {
    fn from(frame: Subscribe) -> Self {
        let Subscribe { conversation, version, generations } = frame;
        Self { conversation, after: version.map_or(After::Now, After::Version), has: generations }
    }
}

/// Follows a conversation for a socket, in place of what it follows of it already.
///
/// # Errors
/// `rate_limited` when the socket follows as many as it may. Everything else that is wrong is told by the subscription.
pub(crate) async fn subscribe(shared: &Arc<Shared>, socket: &Arc<Socket>, wish: Wish) -> Result<(), Refusal> {
    socket.subscriptions.end(wish.conversation).await;
    let ticket = reserve(shared, socket, wish.conversation)?;
    start(shared, socket, wish, ticket);
    Ok(())
}

/// The place of a subscription that is to be started, or forgotten.
pub(super) fn reserve(
    shared: &Shared,
    socket: &Socket,
    conversation: ConversationId,
) -> Result<Ticket, Refusal> {
    let most = shared.settings.max_conversations;
    socket.subscriptions.begin(conversation, most).ok_or_else(|| {
        let message = format!("at most {most} conversations at once on one connection; unsubscribe from one");
        Refusal::too_many(message, SOON)
    })
}

/// Starts a subscription in its place.
pub(super) fn start(shared: &Arc<Shared>, socket: &Arc<Socket>, wish: Wish, ticket: Ticket) {
    let conversation = wish.conversation;
    let task = shared.tasks.spawn(carry_out(shared.clone(), socket.clone(), wish, ticket));
    socket.subscriptions.set_task(conversation, task);
}

async fn carry_out(shared: Arc<Shared>, socket: Arc<Socket>, wish: Wish, ticket: Ticket) {
    let conversation = wish.conversation;
    let following = async {
        let followed = async { answer(&shared, &socket, wish, ticket.clone()).await?.follow().await };
        if let Err(refusal) = followed.await {
            socket.refuse(shared.ids.uuid(), refusal);
        }
    };
    ticket.run_until_over(following).await;
    socket.subscriptions.forget(conversation, &ticket);
}

/// Sends everything up to `caught_up`.
async fn answer(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    wish: Wish,
    ticket: Ticket,
) -> Result<Subscription, Refusal> {
    let conversation = wish.conversation;
    // Before the first read, so that what changes meanwhile is heard after it; nothing of it is sent before.
    let listening = Listening::to(shared, conversation).await;
    let told = conversation_log(&shared.tiers.log, conversation).await?;
    if told.owner != Some(socket.user) {
        return Err(no_such_conversation());
    }
    let after = version_after(&told, wish.after)?;
    ticket.tells_after(after);
    let openings = openings(shared, socket, &told, &wish).await?;
    let mut replies = Vec::new();
    for opening in openings {
        socket.room().await;
        socket.frame(&ServerFrame::StreamResumed(opening.resumed));
        replies.extend(opening.follows);
    }
    let mut under_way = Vec::new();
    for Follows { mut reply, ended } in replies {
        if let Some(version) = ended {
            reply.finish(shared, socket, version).await?;
        } else {
            reply.send_missing(shared, socket, None).await;
            under_way.push(reply);
        }
    }
    // What was said in a conversation that is deleted is told no more.
    let is_told = |event: &Versioned| {
        event.version > after
            && (!told.deleted || matches!(event.event, ConversationEvent::ConversationDeleted(_)))
    };
    for (n, event) in told.events.iter().enumerate().filter(|(_, event)| is_told(event)) {
        socket.room().await;
        socket.frame(&event_frame(conversation, event, told.events.get(n + 1)));
    }
    let version = told.version();
    socket.room().await;
    socket.frame(&ServerFrame::CaughtUp(OfConversation {
        conversation_id: conversation,
        version: Some(version),
        what: Nothing {},
    }));
    Ok(Subscription::new(shared, socket, ticket, conversation, listening, &told, under_way))
}

/// What is another user's is answered like what does not exist.
fn no_such_conversation() -> Refusal {
    let message = "no such conversation: conversationId must be the id of one of your conversations";
    Refusal::new(ErrorCode::NotFound, message)
}

fn version_after(told: &ConversationLog, after: After) -> Result<i64, Refusal> {
    let current = told.version();
    match after {
        After::Now => Ok(current),
        After::Version(version) if version > current => {
            let message = format!("version must be at most {current}, the conversation's own");
            Err(Refusal::new(ErrorCode::BadFrame, message))
        }
        After::Version(version) => Ok(version),
        After::Asking(generation) => Ok(before_asking(&told.events, generation).unwrap_or(current)),
    }
}

/// The version before the append that asked for a reply: right before a request comes the message that it answers, or
/// the choice of the branch it is on, and before its first message the conversation's beginning.
fn before_asking(events: &[Versioned], generation: GenerationId) -> Option<i64> {
    let at = events.iter().position(|event| asks(&event.event, generation))?;
    let requests = matches!(events[at].event, ConversationEvent::ReplyRequested(_));
    let led_to = at.checked_sub(1).filter(|_| requests).map(|before| &events[before].event);
    let together =
        matches!(led_to, Some(ConversationEvent::UserMessagePosted(_) | ConversationEvent::LeafChosen(_)));
    let first = events[at].version - i64::from(together);
    Some(if first == 2 { 0 } else { first - 1 })
}

/// Whether this is the first word of a reply that `id` makes.
fn asks(event: &ConversationEvent, id: GenerationId) -> bool {
    matches!(event, ConversationEvent::ReplyRequested(reply) if reply.generation_id == id)
        || queues(event, id)
}

/// Whether this says that what `id` answers waits.
pub(super) fn queues(event: &ConversationEvent, id: GenerationId) -> bool {
    matches!(event, ConversationEvent::UserMessageQueued(queued) if queued.generation_id == id)
        || matches!(event, ConversationEvent::ReplyQueued(queued) if queued.generation_id == id)
}

/// How each stream goes on that the client asked for, and the one that is being made.
async fn openings(
    shared: &Shared,
    socket: &Socket,
    told: &ConversationLog,
    wish: &Wish,
) -> Result<Vec<Opening>, Refusal> {
    let mut openings = Vec::new();
    for (n, has) in wish.has.iter().enumerate() {
        let opening = opening(shared, socket, told, wish.conversation, has.generation, Some(has)).await?;
        openings.push(opening.map_err(|impossible| {
            Refusal::new(ErrorCode::BadFrame, format!("generations[{n}].{impossible}"))
        })?);
    }
    let running = told.state.running().map(|running| running.generation_id).filter(|_| !told.deleted);
    if let Some(running) = running.filter(|id| wish.has.iter().all(|has| has.generation != *id)) {
        // A client that has nothing of it cannot have too much.
        openings.extend(opening(shared, socket, told, wish.conversation, running, None).await?.ok());
    }
    Ok(openings)
}

async fn opening(
    shared: &Shared,
    socket: &Socket,
    told: &ConversationLog,
    conversation: ConversationId,
    id: GenerationId,
    has: Option<&Standing>,
) -> Result<Result<Opening, Impossible>, QueryError> {
    let now = shared.app.now();
    let title = told.title.as_ref().map(|title| title.as_str().to_owned());
    if let Some(waiting) = told.state.queued().iter().find(|waiting| waiting.generation_id() == id) {
        meters::resume(ResumeMode::Pending.as_str());
        let (message, model) = match waiting {
            Waiting::Message(queued) => (queued.reply_message_id, &queued.model),
            Waiting::Reply(queued) => (queued.message_id, &queued.model),
        };
        let resumed = StreamResumed {
            message_id: Some(message),
            mode: ResumeMode::Pending,
            epoch: Some(Epoch::FIRST),
            seq: Some(Seq::START),
            provider: Some(waiting.provider().as_str().to_owned()),
            model: Some(model.as_str().to_owned()),
            title,
            ..gone(conversation, id, now.millis())
        };
        return Ok(Ok(Opening { resumed, follows: None }));
    }
    let log = generation_log(&shared.tiers.log, id).await?;
    let facts = Facts::of(&log, conversation, id, title).filter(|_| !told.deleted);
    let Some(facts) = facts else {
        meters::resume(ResumeMode::Gone.as_str());
        return Ok(Ok(Opening { resumed: gone(conversation, id, now.millis()), follows: None }));
    };
    // Its end is in the same append as the conversation's record of it, which was read before.
    let ended = version_of_end(&told.events, id);
    Ok(stands(&log, has.map(|has| (has.epoch, has.seq)), ended.is_some()).map(|stands| {
        let resumed = facts.resumed(&stands, now);
        let reply = OrderedReply::new(facts, &shared.tiers, stands.viewer, socket);
        Opening { resumed, follows: Some(Follows { reply, ended }) }
    }))
}

fn gone(conversation_id: ConversationId, generation_id: GenerationId, resumed_at: i64) -> StreamResumed {
    StreamResumed {
        conversation_id,
        generation_id,
        message_id: None,
        mode: ResumeMode::Gone,
        epoch: None,
        seq: None,
        offset: None,
        resumed_at,
        provider: None,
        model: None,
        title: None,
    }
}
