//! Read model `generations`: every attempt at a reply with its state, times, tokens and cost. Holds no text. What
//! belongs to a deleted conversation is kept for the accounts, and absent for its owner.

mod apply;

use std::str::FromStr;

use slipstream_domain::{
    ConversationId, Cost, Epoch, FinishReason, GenerationId, MessageId, ModelId, ProviderId, Seq,
    TerminalStatus, Timestamp, TokenUsage, UsageSource, UserId,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::QueryError;
use crate::followed::timestamp;
use crate::read_models::ReadModels;
use crate::sql;

/// The read model.
pub struct Generations;

/// A reply that is being made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningGeneration {
    /// The attempt.
    pub generation: GenerationId,
    /// Where.
    pub conversation: ConversationId,
    /// The reply's message.
    pub message: MessageId,
    /// Who is asked.
    pub provider: ProviderId,
    /// With which model.
    pub model: ModelId,
    /// When it was requested.
    pub requested_at: Timestamp,
}

/// An attempt at a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationSummary {
    /// Which.
    pub generation: GenerationId,
    /// Where.
    pub conversation: ConversationId,
    /// The reply's message.
    pub message: MessageId,
    /// How far it is.
    pub status: GenerationStatus,
    /// Who was asked.
    pub provider: ProviderId,
    /// With which model.
    pub model: ModelId,
    /// Its newest owner's epoch; absent before a worker has taken it.
    pub epoch: Option<Epoch>,
    /// Whether its user wants or wanted it to stop.
    pub cancel_requested: bool,
    /// When it was requested.
    pub requested_at: Timestamp,
    /// When a worker took it first.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The last delta's number, once it has ended.
    pub final_seq: Option<Seq>,
    /// From the first call of the provider to the first delta, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// How long the model thought, in milliseconds.
    pub thinking_ms: Option<u64>,
    /// Tokens, all calls summed.
    pub usage: Option<TokenUsage>,
    /// What they cost; absent when a price was unknown.
    pub cost: Option<Cost>,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
    /// The class of the failure, as in the log (`rate_limited`, …).
    pub error_class: Option<String>,
    /// How often the provider was called, once it has ended.
    pub attempts: Option<u32>,
}

/// How far a generation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenerationStatus {
    /// It waits for a worker.
    Requested,
    /// A worker makes it.
    Streaming,
    /// It is over.
    Ended(TerminalStatus),
}

impl GenerationStatus {
    /// The word in the table and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Streaming => "streaming",
            Self::Ended(status) => status.as_str(),
        }
    }
}

impl FromStr for GenerationStatus {
    type Err = QueryError;

    fn from_str(word: &str) -> Result<Self, QueryError> {
        let found = [Self::Requested, Self::Streaming].into_iter().find(|status| status.as_str() == word);
        found.or(sql::ended(word).map(Self::Ended)).ok_or_else(|| sql::unknown("generation status", word))
    }
}

/// The user's generations that have not ended, the one requested first at the front.
///
/// # Errors
/// See [`QueryError`].
pub async fn running_of(models: &ReadModels, user: UserId) -> Result<Vec<RunningGeneration>, QueryError> {
    let mut tx = models.read::<Generations>().await?;
    let rows = sqlx::query!(
        "SELECT generation_id, conversation_id, message_id, provider, model, requested_at
         FROM generation WHERE owner_id = $1 AND ended_at IS NULL AND NOT conversation_deleted
         ORDER BY requested_at, generation_id",
        user.as_uuid()
    );
    let running = rows.fetch_all(&mut *tx).await?.into_iter().map(|row| {
        Ok(RunningGeneration {
            generation: GenerationId::from_uuid(row.generation_id),
            conversation: ConversationId::from_uuid(row.conversation_id),
            message: MessageId::from_uuid(row.message_id),
            provider: sql::provider(&row.provider)?,
            model: sql::model(&row.model)?,
            requested_at: timestamp(row.requested_at),
        })
    });
    running.collect()
}

/// One generation of the user's.
///
/// # Errors
/// See [`QueryError`].
pub async fn find(
    models: &ReadModels,
    user: UserId,
    id: GenerationId,
) -> Result<Option<GenerationSummary>, QueryError> {
    let mut tx = models.read::<Generations>().await?;
    let row = sqlx::query_as!(
        Row,
        "SELECT generation_id, conversation_id, message_id, requested_at, started_at, ended_at, final_seq,
                first_token_ms, thinking_ms, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens,
                total_tokens, cost_micro_usd, epoch, attempts, cancel_requested, status, provider, model,
                usage_source, catalogue_version, finish_reason, error_class
         FROM generation WHERE generation_id = $1 AND owner_id = $2 AND NOT conversation_deleted",
        id.as_uuid(),
        user.as_uuid()
    );
    row.fetch_optional(&mut *tx).await?.map(TryInto::try_into).transpose()
}

struct Row {
    generation_id: Uuid,
    conversation_id: Uuid,
    message_id: Uuid,
    requested_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
    final_seq: Option<i64>,
    first_token_ms: Option<i64>,
    thinking_ms: Option<i64>,
    input_tokens: Option<i64>,
    cached_input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    total_tokens: Option<i64>,
    cost_micro_usd: Option<i64>,
    epoch: i32,
    attempts: Option<i32>,
    cancel_requested: bool,
    status: String,
    provider: String,
    model: String,
    usage_source: Option<String>,
    catalogue_version: Option<String>,
    finish_reason: Option<String>,
    error_class: Option<String>,
}

impl TryFrom<Row> for GenerationSummary {
    type Error = QueryError;

    fn try_from(row: Row) -> Result<Self, QueryError> {
        Ok(Self {
            usage: row.usage()?,
            generation: GenerationId::from_uuid(row.generation_id),
            conversation: ConversationId::from_uuid(row.conversation_id),
            message: MessageId::from_uuid(row.message_id),
            status: row.status.parse()?,
            provider: sql::provider(&row.provider)?,
            model: sql::model(&row.model)?,
            epoch: u32::try_from(row.epoch).ok().filter(|epoch| *epoch > 0).map(Epoch),
            cancel_requested: row.cancel_requested,
            requested_at: timestamp(row.requested_at),
            started_at: row.started_at.map(timestamp),
            ended_at: row.ended_at.map(timestamp),
            final_seq: row.final_seq.map(sql::count).map(Seq),
            first_token_ms: row.first_token_ms.map(sql::count),
            thinking_ms: row.thinking_ms.map(sql::count),
            cost: row
                .cost_micro_usd
                .map(sql::count)
                .zip(row.catalogue_version)
                .map(|(micro_usd, catalogue_version)| Cost { micro_usd, catalogue_version }),
            finish_reason: row.finish_reason.map(Into::into),
            error_class: row.error_class,
            attempts: row.attempts.and_then(|attempts| u32::try_from(attempts).ok()),
        })
    }
}

impl Row {
    /// All of its columns are set, or none.
    fn usage(&self) -> Result<Option<TokenUsage>, QueryError> {
        let Some(source) = &self.usage_source else { return Ok(None) };
        let found = [UsageSource::Provider, UsageSource::Estimated]
            .into_iter()
            .find(|known| usage_word(*known) == source);
        let tokens = |column: Option<i64>| column.map_or(0, sql::count);
        Ok(Some(TokenUsage {
            input: tokens(self.input_tokens),
            cached_input: tokens(self.cached_input_tokens),
            output: tokens(self.output_tokens),
            reasoning: tokens(self.reasoning_tokens),
            total: tokens(self.total_tokens),
            source: found.ok_or_else(|| sql::unknown("source of usage", source))?,
        }))
    }
}

const fn usage_word(source: UsageSource) -> &'static str {
    match source {
        UsageSource::Provider => "provider",
        UsageSource::Estimated => "estimated",
    }
}
