//! The end of a generation is always two streams at once: its own last event, and the conversation's `ReplyRecorded`
//! with whatever waited there. Whoever ends a generation does it through here.

use std::collections::HashMap;

use slipstream_domain::conversation::Waiting;
use slipstream_domain::event::{GenerationEvent, WithdrawReason};
use slipstream_domain::{
    ConversationId, GenerationId, KeySource, ProviderId, Request, Seq, TerminalStatus, UserId,
};
use slipstream_eventlog::{StreamAppend, Version};

use crate::free_messages::FreeMessages;
use crate::loading::Loaded;
use crate::{CommandError, Commands, loading, streams};

/// How a generation ends, decided.
pub(crate) struct End<'a> {
    pub(crate) id: GenerationId,
    /// The version its stream was read at.
    pub(crate) version: Version,
    pub(crate) request: &'a Request,
    pub(crate) event: GenerationEvent,
    pub(crate) status: TerminalStatus,
    pub(crate) final_seq: Seq,
}

impl Commands {
    /// Everything that must be appended for this end.
    pub(crate) async fn end_appends(&self, end: &End<'_>) -> Result<Vec<StreamAppend>, CommandError> {
        let conversation = loading::conversation(&self.log, end.request.asked.conversation_id).await?;
        self.end_appends_in(end, &conversation).await
    }

    /// The same for a conversation that is already loaded.
    pub(crate) async fn end_appends_in(
        &self,
        end: &End<'_>,
        conversation: &Loaded<slipstream_domain::Conversation>,
    ) -> Result<Vec<StreamAppend>, CommandError> {
        let id: ConversationId = end.request.asked.conversation_id;
        let owner = end.request.owner;
        let keys = self.key_sources(end.request, conversation).await?;
        let free = self.free_messages_of(owner, &keys).await?;
        let exhausted = free.as_ref().is_some_and(|free| free.pay(end.id).is_err());
        let key_source = |provider: &ProviderId| match keys.get(provider).copied() {
            Some(KeySource::Server) if exhausted => Err(WithdrawReason::FreeLimit),
            source => Ok(source.unwrap_or(KeySource::None)),
        };
        let reply = conversation.state.record_reply(id, end.id, end.status, end.final_seq, key_source);
        let mut appends = vec![streams::generation(end.id, id, owner, end.version, end.event.clone())?];
        if let Some(reply) = reply {
            appends.push(streams::conversation(id, owner, conversation.version, reply.events)?);
            if let Some(next) = reply.next {
                let paid = free.filter(|_| next.requested.key_source == KeySource::Server);
                appends.extend(paid.map(|free| free.pay(next.id)).transpose()?);
                appends.push(streams::new_generation(next, owner)?);
            }
        }
        Ok(appends)
    }

    /// What is left to the user of messages on the operator's keys, when one of those may be needed.
    async fn free_messages_of(
        &self,
        owner: Option<UserId>,
        keys: &HashMap<ProviderId, KeySource>,
    ) -> Result<Option<FreeMessages>, CommandError> {
        match owner.filter(|_| keys.values().any(|source| *source == KeySource::Server)) {
            Some(owner) => self.free_messages(owner).await,
            None => Ok(None),
        }
    }

    /// Whose key pays for what waits: decided when it is sent.
    async fn key_sources(
        &self,
        request: &Request,
        conversation: &Loaded<slipstream_domain::Conversation>,
    ) -> Result<HashMap<ProviderId, KeySource>, CommandError> {
        let mut sources = HashMap::new();
        let Some(owner) = request.owner else { return Ok(sources) };
        for provider in conversation.state.queued().iter().map(Waiting::provider) {
            if !sources.contains_key(provider) {
                sources.insert(provider.clone(), self.keys.source(owner, provider).await?);
            }
        }
        Ok(sources)
    }
}
