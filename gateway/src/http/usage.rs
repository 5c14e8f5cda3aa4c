//! `GET /v1/usage?from=&to=`: what the user who asks has taken, by UTC day, provider and model.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use slipstream_domain::{ModelId, ProviderId};
use slipstream_projections::usage_daily::{self, DailyUsage};
use time::format_description::well_known::Iso8601;
use time::{Date, Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

use super::caller::AuthenticatedUser;
use super::problem::Problem;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Days shown when the caller does not say.
const DEFAULT_DAYS: i64 = 30;
/// Days shown at most.
const MOST_DAYS: i64 = 366;

/// Which days, the first and the last, both included.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DaysQuery {
    /// The first day; 29 days before the last when absent.
    #[param(nullable = false, format = Date)]
    from: Option<String>,
    /// The last day; today when absent. At most 366 days.
    #[param(nullable = false, format = Date)]
    to: Option<String>,
}

/// The days asked for, and what was taken on them. A day is written as 2026-11-24.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
pub(super) struct UsageJson {
    from: String,
    to: String,
    /// The newest day first; days without any are absent.
    items: Vec<DayJson>,
    total: Sums,
}

#[derive(Serialize, ToSchema)]
#[schema(as = UsageOfDay)]
struct DayJson {
    day: String,
    #[schema(value_type = String)]
    provider: ProviderId,
    #[schema(value_type = String)]
    model: ModelId,
    #[serde(flatten)]
    sums: Sums,
}

/// Replies by how they ended, and what they took. Costs are millionths of a US dollar, of what has a known price.
#[derive(Serialize, Default, Clone, Copy, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UsageSums)]
struct Sums {
    generations: Generations,
    tokens: Tokens,
    cost_micro_usd: u64,
    titles: Titles,
}

#[derive(Serialize, Default, Clone, Copy, ToSchema)]
#[schema(as = UsageGenerations)]
struct Generations {
    completed: u64,
    cancelled: u64,
    interrupted: u64,
    failed: u64,
    /// Of all these, those whose tokens were not counted by their vendor.
    estimated: u64,
}

#[derive(Serialize, Default, Clone, Copy, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UsageTokens)]
struct Tokens {
    input: u64,
    /// Part of the input.
    cached_input: u64,
    output: u64,
    /// Part of the output.
    reasoning: u64,
}

/// Titles that models made; what they took is part of no other sum.
#[derive(Serialize, Default, Clone, Copy, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UsageTitles)]
struct Titles {
    made: u64,
    tokens: u64,
    cost_micro_usd: u64,
}

/// What was taken, by UTC day, provider and model
#[utoipa::path(get, path = "/v1/usage", tag = "account", params(DaysQuery), responses((status = 200, body = UsageJson)))]
pub(super) async fn usage(
    State(shared): State<Arc<Shared>>,
    AuthenticatedUser(user): AuthenticatedUser,
    query: Result<Query<DaysQuery>, QueryRejection>,
) -> Result<Json<UsageJson>, Problem> {
    let today = OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::milliseconds(shared.app.now().millis()));
    let (from, to) = days(query, today.date())?;
    let days = usage_daily::daily(&shared.models, user, from, to).await.map_err(Refusal::from)?;
    let items: Vec<DayJson> = days.into_iter().map(Into::into).collect();
    let total = items.iter().fold(Sums::default(), |total, item| total.and(item.sums));
    Ok(Json(UsageJson { from: from.to_string(), to: to.to_string(), items, total }))
}

fn days(query: Result<Query<DaysQuery>, QueryRejection>, today: Date) -> Result<(Date, Date), Problem> {
    let Query(DaysQuery { from, to }) =
        query.map_err(|_| Problem::bad_request("the query may have from and to, each once"))?;
    let to = to.map_or(Ok(today), |to| day("to", &to))?;
    let from = from
        .map_or_else(|| Ok(to.saturating_sub(Duration::days(DEFAULT_DAYS - 1))), |from| day("from", &from))?;
    match (to - from).whole_days() {
        0..MOST_DAYS => Ok((from, to)),
        ..0 => Err(Problem::bad_request("from must not be after to")),
        MOST_DAYS.. => {
            Err(Problem::bad_request(format!("from and to may span {MOST_DAYS} days at the most")))
        }
    }
}

fn day(name: &str, text: &str) -> Result<Date, Problem> {
    let day = Date::parse(text, &Iso8601::DATE).ok().filter(|day| (1970..=9999).contains(&day.year()));
    day.ok_or_else(|| Problem::bad_request(format!("{name} must be a day in UTC, such as 2026-11-24")))
}

impl From<DailyUsage> for DayJson {
    fn from(usage: DailyUsage) -> Self {
        let sums = Sums {
            generations: Generations {
                completed: usage.completed,
                cancelled: usage.cancelled,
                interrupted: usage.interrupted,
                failed: usage.failed,
                estimated: usage.estimated,
            },
            tokens: Tokens {
                input: usage.input_tokens,
                cached_input: usage.cached_input_tokens,
                output: usage.output_tokens,
                reasoning: usage.reasoning_tokens,
            },
            cost_micro_usd: usage.cost_micro_usd,
            titles: Titles {
                made: usage.titles,
                tokens: usage.title_tokens,
                cost_micro_usd: usage.title_cost_micro_usd,
            },
        };
        Self { day: usage.day.to_string(), provider: usage.provider, model: usage.model, sums }
    }
}

impl Sums {
    fn and(self, more: Self) -> Self {
        let (generations, tokens, titles) = (self.generations, self.tokens, self.titles);
        Self {
            generations: Generations {
                completed: generations.completed + more.generations.completed,
                cancelled: generations.cancelled + more.generations.cancelled,
                interrupted: generations.interrupted + more.generations.interrupted,
                failed: generations.failed + more.generations.failed,
                estimated: generations.estimated + more.generations.estimated,
            },
            tokens: Tokens {
                input: tokens.input + more.tokens.input,
                cached_input: tokens.cached_input + more.tokens.cached_input,
                output: tokens.output + more.tokens.output,
                reasoning: tokens.reasoning + more.tokens.reasoning,
            },
            cost_micro_usd: self.cost_micro_usd + more.cost_micro_usd,
            titles: Titles {
                made: titles.made + more.titles.made,
                tokens: titles.tokens + more.titles.tokens,
                cost_micro_usd: titles.cost_micro_usd + more.titles.cost_micro_usd,
            },
        }
    }
}
