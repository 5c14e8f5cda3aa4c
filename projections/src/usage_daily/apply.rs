//! How events become sums. A reply is remembered from its request to its end, because only the request says of whom it
//! was asked.

use std::collections::HashMap;

use slipstream_domain::event::{ConversationEvent, GenerationEvent, GenerationRequested, Terminal, TitleSet};
use slipstream_domain::{Cost, Event, TerminalStatus, TokenUsage, UsageSource, UserId};
use slipstream_eventlog::Recorded;
use sqlx::PgConnection;
use time::Date;
use uuid::Uuid;

use super::UsageDaily;
use crate::followed::{Followed, instant};
use crate::projection::{ApplyError, Known, Projection};
use crate::sql::bigint;

impl Projection for UsageDaily {
    const NAME: &'static str = "usage_daily";
    const VERSION: i32 = 1;

    fn takes(event: &Recorded) -> bool {
        matches!(
            &*event.event_type,
            "GenerationRequested"
                | "GenerationCompleted"
                | "GenerationCancelled"
                | "GenerationInterrupted"
                | "GenerationFailed"
                | "TitleSet"
                | "ConversationDeleted"
        )
    }

    async fn apply(
        connection: &mut PgConnection,
        events: &[&Followed],
        _: Known<'_>,
    ) -> Result<(), ApplyError> {
        let mut page = Page::default();
        for followed in events {
            match &followed.event {
                Event::Generation(event) => page.generation(event, followed),
                Event::Conversation(event) => page.conversation(event, followed),
                Event::User(_) | Event::Email(_) | Event::Attachment(_) | Event::Audit(_) => {}
            }
        }
        ask(connection, &page.asked).await?;
        first(connection, &page.first.into_iter().collect::<Vec<_>>()).await?;
        end(connection, &page.ended).await?;
        title(connection, &page.titled).await?;
        forget(connection, &page.deleted).await?;
        Ok(())
    }
}

/// What some events add, in the order it is written.
#[derive(Default)]
struct Page<'a> {
    asked: Vec<(Uuid, Uuid, &'a GenerationRequested)>,
    /// By conversation.
    first: HashMap<Uuid, &'a GenerationRequested>,
    ended: Vec<(&'a Followed, TerminalStatus, &'a Terminal)>,
    titled: Vec<Titled>,
    /// Conversations.
    deleted: Vec<Uuid>,
}

struct Titled {
    conversation: Uuid,
    owner: Uuid,
    day: Date,
    tokens: u64,
    micro_usd: u64,
}

impl<'a> Page<'a> {
    fn generation(&mut self, event: &'a GenerationEvent, followed: &'a Followed) {
        let mut end = |status, terminal| self.ended.push((followed, status, terminal));
        match event {
            GenerationEvent::GenerationRequested(asked) => {
                let owner = followed.meta.owner.map(UserId::as_uuid);
                self.asked.extend(owner.map(|owner| (followed.stream, owner, asked)));
                self.first.entry(asked.conversation_id.as_uuid()).or_insert(asked);
            }
            GenerationEvent::GenerationCompleted(terminal) => end(TerminalStatus::Completed, terminal),
            GenerationEvent::GenerationCancelled(terminal) => end(TerminalStatus::Cancelled, terminal),
            GenerationEvent::GenerationInterrupted(terminal) => end(TerminalStatus::Interrupted, terminal),
            GenerationEvent::GenerationFailed(terminal) => end(TerminalStatus::Failed, terminal),
            GenerationEvent::GenerationStarted(_)
            | GenerationEvent::GenerationTakenOver(_)
            | GenerationEvent::ChunksRecorded(_)
            | GenerationEvent::CancelRequested(_) => {}
        }
    }

    fn conversation(&mut self, event: &ConversationEvent, followed: &Followed) {
        match event {
            ConversationEvent::TitleSet(TitleSet { usage: Some(usage), cost, .. }) => {
                let micro_usd = cost.as_ref().map_or(0, |cost| cost.micro_usd);
                self.titled.extend(followed.meta.owner.map(|owner| Titled {
                    conversation: followed.stream,
                    owner: owner.as_uuid(),
                    day: day(followed),
                    tokens: usage.total,
                    micro_usd,
                }));
            }
            ConversationEvent::ConversationDeleted(_) => self.deleted.push(followed.stream),
            // What no model made took nothing.
            ConversationEvent::TitleSet(TitleSet { usage: None, .. })
            | ConversationEvent::ConversationStarted(_)
            | ConversationEvent::UserMessagePosted(_)
            | ConversationEvent::ReplyRequested(_)
            | ConversationEvent::UserMessageQueued(_)
            | ConversationEvent::ReplyQueued(_)
            | ConversationEvent::QueuedMessageWithdrawn(_)
            | ConversationEvent::ReplyRecorded(_)
            | ConversationEvent::LeafChosen(_)
            | ConversationEvent::MessageRated(_)
            | ConversationEvent::ConversationSettingsChanged(_) => {}
        }
    }
}

fn day(followed: &Followed) -> Date {
    instant(followed.meta.at).date()
}

async fn ask(
    connection: &mut PgConnection,
    asked: &[(Uuid, Uuid, &GenerationRequested)],
) -> Result<(), sqlx::Error> {
    if asked.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO usage_asked (generation_id, owner_id, provider, model)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])",
        &asked.iter().map(|(generation, ..)| *generation).collect::<Vec<_>>(),
        &asked.iter().map(|(_, owner, _)| *owner).collect::<Vec<_>>(),
        &asked.iter().map(|(.., asked)| asked.provider.as_str()).collect::<Vec<_>>() as &[&str],
        &asked.iter().map(|(.., asked)| asked.model.as_str()).collect::<Vec<_>>() as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The first one of a conversation stays.
async fn first(
    connection: &mut PgConnection,
    first: &[(Uuid, &GenerationRequested)],
) -> Result<(), sqlx::Error> {
    if first.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO usage_first (conversation_id, provider, model)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING",
        &first.iter().map(|(conversation, _)| *conversation).collect::<Vec<_>>(),
        &first.iter().map(|(_, asked)| asked.provider.as_str()).collect::<Vec<_>>() as &[&str],
        &first.iter().map(|(_, asked)| asked.model.as_str()).collect::<Vec<_>>() as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn end(
    connection: &mut PgConnection,
    ended: &[(&Followed, TerminalStatus, &Terminal)],
) -> Result<(), sqlx::Error> {
    if ended.is_empty() {
        return Ok(());
    }
    let ends = || ended.iter().map(|(.., terminal)| *terminal);
    let tokens = |count: fn(&TokenUsage) -> u64| -> Vec<i64> {
        ends().map(|end| end.usage.as_ref().map_or(0, |usage| bigint(count(usage)))).collect()
    };
    // Tokens and prices are those of the model that answered, which may have stood in for the one that was asked.
    let by = || ends().map(|end| end.answered_by.as_ref());
    let is_estimate = |usage: TokenUsage| usage.source == UsageSource::Estimated;
    let cost = |cost: &Cost| bigint(cost.micro_usd);
    sqlx::query!(
        "WITH ended AS (
             SELECT * FROM unnest($1::uuid[], $2::date[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
                                  $7::bigint[], $8::bigint[], $9::boolean[], $10::text[], $11::text[])
                  AS n (generation_id, day, status, input, cached, output, reasoning, cost, estimated, provider,
                        model)
         ), known AS (
             DELETE FROM usage_asked AS a USING ended AS e WHERE a.generation_id = e.generation_id
             RETURNING a.owner_id, e.day, coalesce(e.provider, a.provider) AS provider,
                       coalesce(e.model, a.model) AS model, e.status, e.input, e.cached, e.output, e.reasoning,
                       e.cost, e.estimated
         )
         INSERT INTO usage_day AS u (owner_id, day, provider, model, completed, cancelled, interrupted, failed,
                                     estimated, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens,
                                     cost_micro_usd)
         SELECT owner_id, day, provider, model, count(*) FILTER (WHERE status = 'completed'),
                count(*) FILTER (WHERE status = 'cancelled'), count(*) FILTER (WHERE status = 'interrupted'),
                count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE estimated),
                sum(input)::bigint, sum(cached)::bigint, sum(output)::bigint, sum(reasoning)::bigint,
                sum(cost)::bigint
         FROM known GROUP BY owner_id, day, provider, model
         ON CONFLICT (owner_id, day, provider, model) DO UPDATE
         SET completed = u.completed + excluded.completed, cancelled = u.cancelled + excluded.cancelled,
             interrupted = u.interrupted + excluded.interrupted, failed = u.failed + excluded.failed,
             estimated = u.estimated + excluded.estimated, input_tokens = u.input_tokens + excluded.input_tokens,
             cached_input_tokens = u.cached_input_tokens + excluded.cached_input_tokens,
             output_tokens = u.output_tokens + excluded.output_tokens,
             reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
             cost_micro_usd = u.cost_micro_usd + excluded.cost_micro_usd",
        &ended.iter().map(|(followed, ..)| followed.stream).collect::<Vec<_>>(),
        &ended.iter().map(|(followed, ..)| day(followed)).collect::<Vec<_>>(),
        &ended.iter().map(|(_, status, _)| status.as_str()).collect::<Vec<_>>() as &[&str],
        &tokens(|usage| usage.input),
        &tokens(|usage| usage.cached_input),
        &tokens(|usage| usage.output),
        &tokens(|usage| usage.reasoning),
        &ends().map(|end| end.cost.as_ref().map_or(0, cost)).collect::<Vec<_>>(),
        &ends().map(|end| end.usage.is_some_and(is_estimate)).collect::<Vec<_>>(),
        &by().map(|by| by.map(|by| by.provider.as_str())).collect::<Vec<_>>() as &[Option<&str>],
        &by().map(|by| by.map(|by| by.model.as_str())).collect::<Vec<_>>() as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn title(connection: &mut PgConnection, titled: &[Titled]) -> Result<(), sqlx::Error> {
    if titled.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO usage_day AS u (owner_id, day, provider, model, titles, title_tokens, title_cost_micro_usd)
         SELECT n.owner_id, n.day, f.provider, f.model, count(*), sum(n.tokens)::bigint, sum(n.cost)::bigint
         FROM unnest($1::uuid[], $2::uuid[], $3::date[], $4::bigint[], $5::bigint[])
              AS n (conversation_id, owner_id, day, tokens, cost)
              JOIN usage_first AS f ON f.conversation_id = n.conversation_id
         GROUP BY n.owner_id, n.day, f.provider, f.model
         ON CONFLICT (owner_id, day, provider, model) DO UPDATE
         SET titles = u.titles + excluded.titles, title_tokens = u.title_tokens + excluded.title_tokens,
             title_cost_micro_usd = u.title_cost_micro_usd + excluded.title_cost_micro_usd",
        &titled.iter().map(|titled| titled.conversation).collect::<Vec<_>>(),
        &titled.iter().map(|titled| titled.owner).collect::<Vec<_>>(),
        &titled.iter().map(|titled| titled.day).collect::<Vec<_>>(),
        &titled.iter().map(|titled| bigint(titled.tokens)).collect::<Vec<_>>(),
        &titled.iter().map(|titled| bigint(titled.micro_usd)).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A deleted conversation gets no title any more.
async fn forget(connection: &mut PgConnection, conversations: &[Uuid]) -> Result<(), sqlx::Error> {
    if conversations.is_empty() {
        return Ok(());
    }
    sqlx::query!("DELETE FROM usage_first WHERE conversation_id = ANY ($1)", conversations)
        .execute(connection)
        .await?;
    Ok(())
}
