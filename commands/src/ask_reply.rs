//! What posting, editing and regenerating have in common: a client's command is accepted once, what was decided is one
//! append, and a repeat gets the first answer again.

use slipstream_domain::conversation::{Ask, Asked};
use slipstream_domain::event::ConversationEvent;
use slipstream_domain::{
    Conversation, ConversationId, Event, GenerationId, GenerationKind, KeySource, MessageId, ModelId, Params,
    ProviderId, SystemPrompt, Title, UserId,
};
use slipstream_eventlog::{
    Append, AppendError, Appended, CommandId, Guard, Position, StreamAppend, StreamId, Version,
};

use crate::cancel_generation::cancel;
use crate::decoded::decode;
use crate::loading::Loaded;
use crate::{CommandError, Commands, loading, streams};

/// A reply that was asked for, durably: by a new message, an edited one, or once more to the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Where.
    pub conversation_id: ConversationId,
    /// The user message that is answered: the new one, or the one that is answered once more.
    pub message_id: MessageId,
    /// The reply's message.
    pub reply_message_id: MessageId,
    /// The attempt at the reply; it begins later when it is queued.
    pub generation_id: GenerationId,
    /// How many wait, this one included; `None` when the reply was requested at once.
    pub queued: Option<usize>,
    /// The version of the conversation with this in it.
    pub version: i64,
    /// The provisional title, when the message started the conversation.
    pub title: Option<Title>,
}

impl Posted {
    /// What is asked of a conversation, before the append has told the rest.
    pub(crate) fn of(conversation_id: ConversationId, message_id: MessageId, ask: &Ask) -> Self {
        Self {
            conversation_id,
            message_id,
            reply_message_id: ask.reply_message_id,
            generation_id: ask.generation_id,
            queued: None,
            version: 0,
            title: None,
        }
    }
}

/// A client's command: carried out already, or to be carried out under this id.
pub(crate) enum Once {
    Before(Posted),
    Now(CommandId),
}

/// What was decided for a conversation, to be appended.
pub(crate) struct Decision<'a> {
    pub(crate) actor: UserId,
    pub(crate) conversation_id: ConversationId,
    pub(crate) conversation: &'a Loaded<Conversation>,
    pub(crate) asked: Asked,
    /// The files that become part of the message.
    pub(crate) files: Vec<StreamAppend>,
    pub(crate) guards: Vec<Guard>,
}

/// Whom is asked, and how.
pub(crate) struct Request {
    pub(crate) provider: ProviderId,
    pub(crate) model: ModelId,
    pub(crate) kind: GenerationKind,
    pub(crate) params: Params,
    pub(crate) system_prompt: Option<SystemPrompt>,
}

impl Commands {
    /// Looks a command up before anything is decided: a repeat must not be judged against the state it made.
    pub(crate) async fn once(
        &self,
        actor: UserId,
        client_message_id: Option<&str>,
    ) -> Result<Once, CommandError> {
        let Some(name) = client_message_id else { return Ok(Once::Now(self.new_command())) };
        let command = Self::client_command(actor, name);
        match self.log.command(command).await? {
            Some(earlier) => Ok(Once::Before(posted_before(self, &earlier).await?)),
            None => Ok(Once::Now(command)),
        }
    }

    /// What a command came to. A refusal decided on the state that the command's own first copy had made meanwhile, in
    /// another process, is none.
    pub(crate) async fn unless_done(
        &self,
        command: CommandId,
        done: Result<Posted, CommandError>,
    ) -> Result<Posted, CommandError> {
        let refused = match done {
            Ok(posted) => return Ok(posted),
            Err(refused) => refused,
        };
        match self.log.command(command).await {
            Ok(Some(earlier)) => posted_before(self, &earlier).await,
            Ok(None) | Err(_) => Err(refused),
        }
    }

    /// The request with the ids of its reply, and whose key pays.
    pub(crate) async fn ask(
        &self,
        actor: UserId,
        generation_id: GenerationId,
        request: Request,
    ) -> Result<Ask, CommandError> {
        let key_source = self.keys.source(actor, &request.provider).await?;
        Ok(Ask {
            generation_id,
            reply_message_id: MessageId::from_uuid(self.ids.uuid()),
            provider: request.provider,
            model: request.model,
            kind: request.kind,
            params: request.params,
            system_prompt: request.system_prompt,
            key_source,
        })
    }

    /// What a generation was asked with, but for what the conversation's settings had added.
    ///
    /// # Errors
    /// `Erased` when its instructions are; `NotFound`, `Unavailable`, `Unreadable`.
    pub(crate) async fn asked_before(&self, id: GenerationId) -> Result<Request, CommandError> {
        let generation = loading::generation(&self.log, id).await?.state;
        let before = generation.request().ok_or(CommandError::NotFound("generation"))?;
        let (params, system_prompt) = before.asked.own_words().ok_or(CommandError::Erased)?;
        Ok(Request {
            provider: before.asked.provider.clone(),
            model: before.asked.model.clone(),
            kind: before.asked.kind,
            params,
            system_prompt,
        })
    }

    /// Appends a decision, pays for what it asks on the operator's key, and stops the reply it replaces. `posted` is the answer but for what the append tells.
    pub(crate) async fn append_asked(
        &self,
        decision: Decision<'_>,
        posted: Posted,
        command_id: CommandId,
    ) -> Result<Posted, CommandError> {
        let Decision { actor, conversation_id: id, conversation, asked, files, mut guards } = decision;
        let mut appends = vec![streams::conversation(id, Some(actor), conversation.version, asked.events)?];
        if let Some(generation) = asked.generation {
            if generation.requested.key_source == KeySource::Server
                && let Some(free) = self.free_messages(actor).await?
            {
                let paid = free.pay(generation.id)?;
                // It expects the version that it was decided on, as the guard does.
                guards.retain(|guard| guard.stream != paid.stream);
                appends.push(paid);
            }
            appends.push(streams::new_generation(generation, Some(actor))?);
        }
        if let Some(running) = asked.cancel {
            appends.extend(self.cancel_append(actor, running).await?);
        }
        appends.extend(files);
        let streams =
            appends.into_iter().map(|append| streams::caused_by(append, conversation.last)).collect();
        match self.log.append(Append { streams, command_id, guards }).await {
            Ok(appended) => {
                if let Some(running) = asked.cancel {
                    self.stop_replaced(actor, running).await;
                }
                Ok(Posted { queued: asked.queued, version: version_of(&appended, id), ..posted })
            }
            Err(AppendError::Duplicate(earlier)) => posted_before(self, &earlier).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Appends one event to a conversation, unless there is none. Answers the version the conversation has then.
    pub(crate) async fn append_if_new(
        &self,
        actor: UserId,
        id: ConversationId,
        conversation: &Loaded<Conversation>,
        event: Option<ConversationEvent>,
    ) -> Result<i64, CommandError> {
        let Some(event) = event else { return Ok(conversation.version.get()) };
        let streams = vec![streams::conversation(id, Some(actor), conversation.version, vec![event])?];
        let append = Append { streams, command_id: self.new_command(), guards: Vec::new() };
        Ok(version_of(&self.log.append(append).await?, id))
    }

    /// Stops the reply that another replaces: tells its owner, or ends it when no worker has taken it yet. The other is
    /// asked for whatever comes of it.
    async fn stop_replaced(&self, actor: UserId, running: GenerationId) {
        if let Err(error) = cancel(self, actor, running).await {
            tracing::warn!(%error, generation = %running, "a replaced reply could not be stopped");
        }
    }
}

/// The first answer again, out of what the command recorded.
async fn posted_before(app: &Commands, earlier: &Appended) -> Result<Posted, CommandError> {
    let count = usize::try_from(earlier.last.get() - earlier.first.get() + 1).unwrap_or(usize::MAX);
    let recorded = app.log.feed(Position::new(earlier.first.get() - 1), count).await?;
    let mut posted: Option<Posted> = None;
    let mut title = None;
    for event in &recorded {
        let conversation_id = ConversationId::from_uuid(event.stream.as_uuid());
        let version = version_of(earlier, conversation_id);
        let answer = |message_id, reply_message_id, generation_id, queued| {
            Some(Posted {
                conversation_id,
                message_id,
                reply_message_id,
                generation_id,
                queued,
                version,
                title: None,
            })
        };
        let Event::Conversation(event) = decode(event)?.0 else { continue };
        match event {
            ConversationEvent::ReplyRequested(reply) => {
                posted = answer(reply.parent_message_id, reply.message_id, reply.generation_id, None);
            }
            ConversationEvent::UserMessageQueued(queued) => {
                let waiting = Some(waiting_at(app, conversation_id, earlier.last).await?);
                posted = answer(queued.message_id, queued.reply_message_id, queued.generation_id, waiting);
            }
            ConversationEvent::ReplyQueued(queued) => {
                let waiting = Some(waiting_at(app, conversation_id, earlier.last).await?);
                posted = answer(queued.parent_message_id, queued.message_id, queued.generation_id, waiting);
            }
            ConversationEvent::TitleSet(set) => title = set.content.into_open().map(|content| content.title),
            ConversationEvent::ConversationStarted(_)
            | ConversationEvent::UserMessagePosted(_)
            | ConversationEvent::QueuedMessageWithdrawn(_)
            | ConversationEvent::ReplyRecorded(_)
            | ConversationEvent::LeafChosen(_)
            | ConversationEvent::MessageRated(_)
            | ConversationEvent::ConversationSettingsChanged(_)
            | ConversationEvent::ConversationDeleted(_) => {}
        }
    }
    let posted = posted.ok_or_else(|| CommandError::Inner("a client's command asked for no reply".into()))?;
    Ok(Posted { title, ..posted })
}

async fn waiting_at(app: &Commands, id: ConversationId, at: Position) -> Result<usize, CommandError> {
    Ok(loading::conversation_at(&app.log, id, at).await?.state.queued().len())
}

fn version_of(appended: &Appended, id: ConversationId) -> i64 {
    let of =
        |(stream, version): &(StreamId, Version)| (stream.as_uuid() == id.as_uuid()).then(|| version.get());
    appended.versions.iter().find_map(of).unwrap_or(0)
}
