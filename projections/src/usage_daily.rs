//! Read model `usage_daily`: what each user's replies and titles took, by UTC day, provider and model. Holds no text, and
//! outlives conversations. A reply counts on the day it ended, for the
//! model that answered; a title counts in the row of the model that the conversation's first reply was asked of.

mod apply;

use slipstream_domain::{ModelId, ProviderId, UserId};
use time::Date;

use crate::error::QueryError;
use crate::read_models::ReadModels;
use crate::sql;

/// The read model.
pub struct UsageDaily;

/// What a user took of one model on one day. Tokens are those of replies, all calls summed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct DailyUsage {
    /// In UTC.
    pub day: Date,
    pub provider: ProviderId,
    pub model: ModelId,
    pub completed: u64,
    pub cancelled: u64,
    pub interrupted: u64,
    pub failed: u64,
    /// Replies whose tokens were not counted by their vendor.
    pub estimated: u64,
    pub input_tokens: u64,
    /// Part of the input.
    pub cached_input_tokens: u64,
    pub output_tokens: u64,
    /// Part of the output.
    pub reasoning_tokens: u64,
    /// Millionths of a US dollar, of what has a known price.
    pub cost_micro_usd: u64,
    /// Titles that a model made.
    pub titles: u64,
    pub title_tokens: u64,
    /// As the cost of replies, and not part of it.
    pub title_cost_micro_usd: u64,
}

/// What the user took from the first day to the last, both included: the newest day first, then by provider and model.
///
/// # Errors
/// See [`QueryError`].
pub async fn daily(
    models: &ReadModels,
    user: UserId,
    first: Date,
    last: Date,
) -> Result<Vec<DailyUsage>, QueryError> {
    let mut tx = models.read::<UsageDaily>().await?;
    let rows = sqlx::query!(
        "SELECT day, provider, model, completed, cancelled, interrupted, failed, estimated, input_tokens,
                cached_input_tokens, output_tokens, reasoning_tokens, cost_micro_usd, titles, title_tokens,
                title_cost_micro_usd
         FROM usage_day WHERE owner_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day DESC, provider, model",
        user.as_uuid(),
        first,
        last
    );
    let usage = rows.fetch_all(&mut *tx).await?.into_iter().map(|row| {
        Ok(DailyUsage {
            day: row.day,
            provider: sql::provider(&row.provider)?,
            model: sql::model(&row.model)?,
            completed: sql::count(row.completed),
            cancelled: sql::count(row.cancelled),
            interrupted: sql::count(row.interrupted),
            failed: sql::count(row.failed),
            estimated: sql::count(row.estimated),
            input_tokens: sql::count(row.input_tokens),
            cached_input_tokens: sql::count(row.cached_input_tokens),
            output_tokens: sql::count(row.output_tokens),
            reasoning_tokens: sql::count(row.reasoning_tokens),
            cost_micro_usd: sql::count(row.cost_micro_usd),
            titles: sql::count(row.titles),
            title_tokens: sql::count(row.title_tokens),
            title_cost_micro_usd: sql::count(row.title_cost_micro_usd),
        })
    });
    usage.collect()
}
