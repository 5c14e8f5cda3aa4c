//! How events become rows: folded to at most one change of a kind a generation, then written by set-based statements.

use std::collections::HashMap;

use slipstream_domain::event::{ConversationEvent, GenerationEvent, GenerationRequested, Terminal};
use slipstream_domain::{
    Category, Cost, Epoch, Event, FinishReason, GenerationKind, TerminalStatus, TokenUsage, UserId,
};
use slipstream_eventlog::Recorded;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Generations, usage_word};
use crate::followed::{Followed, instant};
use crate::projection::{ApplyError, Known, Projection};
use crate::sql::bigint;

impl Projection for Generations {
    const NAME: &'static str = "generations";
    const VERSION: i32 = 1;

    fn takes(event: &Recorded) -> bool {
        event.category.0 == Category::Generation.number() || &*event.event_type == "ConversationDeleted"
    }

    async fn apply(
        connection: &mut PgConnection,
        events: &[&Followed],
        _: Known<'_>,
    ) -> Result<(), ApplyError> {
        let mut changes = Changes::default();
        for followed in events {
            match &followed.event {
                Event::Generation(event) => changes.take(event, followed),
                Event::Conversation(ConversationEvent::ConversationDeleted(_)) => {
                    changes.deleted.push(followed.stream);
                }
                Event::Conversation(_)
                | Event::User(_)
                | Event::Email(_)
                | Event::Attachment(_)
                | Event::Audit(_) => {}
            }
        }
        insert(connection, &changes.requested).await?;
        progress(connection, &changes.progress.into_iter().collect::<Vec<_>>()).await?;
        end(connection, &changes.ended).await?;
        hide(connection, &changes.deleted).await?;
        Ok(())
    }
}

/// What some events change, in the order it is written.
#[derive(Default)]
struct Changes<'a> {
    requested: Vec<(&'a Followed, &'a GenerationRequested)>,
    progress: HashMap<Uuid, Progress>,
    ended: Vec<(&'a Followed, TerminalStatus, &'a Terminal)>,
    /// Conversations.
    deleted: Vec<Uuid>,
}

#[derive(Default)]
struct Progress {
    started_at: Option<OffsetDateTime>,
    epoch: Option<Epoch>,
    cancel_requested: bool,
}

impl<'a> Changes<'a> {
    fn take(&mut self, event: &'a GenerationEvent, followed: &'a Followed) {
        let mut end = |status, terminal| self.ended.push((followed, status, terminal));
        match event {
            GenerationEvent::GenerationRequested(asked) => self.requested.push((followed, asked)),
            GenerationEvent::GenerationStarted(started) => {
                let progress = self.progress.entry(followed.stream).or_default();
                progress.started_at = Some(instant(followed.meta.at));
                progress.epoch = Some(started.epoch);
            }
            GenerationEvent::GenerationTakenOver(taken) => {
                self.progress.entry(followed.stream).or_default().epoch = Some(taken.epoch);
            }
            GenerationEvent::CancelRequested(_) => {
                self.progress.entry(followed.stream).or_default().cancel_requested = true;
            }
            GenerationEvent::ChunksRecorded(_) => {}
            GenerationEvent::GenerationCompleted(terminal) => end(TerminalStatus::Completed, terminal),
            GenerationEvent::GenerationCancelled(terminal) => end(TerminalStatus::Cancelled, terminal),
            GenerationEvent::GenerationInterrupted(terminal) => end(TerminalStatus::Interrupted, terminal),
            GenerationEvent::GenerationFailed(terminal) => end(TerminalStatus::Failed, terminal),
        }
    }
}

async fn insert(
    connection: &mut PgConnection,
    requested: &[(&Followed, &GenerationRequested)],
) -> Result<(), sqlx::Error> {
    if requested.is_empty() {
        return Ok(());
    }
    let owner = |followed: &Followed| followed.meta.owner.map(UserId::as_uuid);
    sqlx::query!(
        "INSERT INTO generation (generation_id, conversation_id, message_id, owner_id, requested_at, kind, provider,
                                 model)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::text[],
                              $7::text[], $8::text[])",
        &requested.iter().map(|(followed, _)| followed.stream).collect::<Vec<_>>(),
        &requested.iter().map(|(_, asked)| asked.conversation_id.as_uuid()).collect::<Vec<_>>(),
        &requested.iter().map(|(_, asked)| asked.message_id.as_uuid()).collect::<Vec<_>>(),
        &requested.iter().map(|(followed, _)| owner(followed)).collect::<Vec<_>>() as &[Option<Uuid>],
        &requested.iter().map(|(followed, _)| instant(followed.meta.at)).collect::<Vec<_>>(),
        &requested.iter().map(|(_, asked)| kind_word(asked.kind)).collect::<Vec<_>>() as &[&str],
        &requested.iter().map(|(_, asked)| asked.provider.as_str()).collect::<Vec<_>>() as &[&str],
        &requested.iter().map(|(_, asked)| asked.model.as_str()).collect::<Vec<_>>() as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

const fn kind_word(kind: GenerationKind) -> &'static str {
    match kind {
        GenerationKind::Chat => "chat",
        GenerationKind::Image => "image",
    }
}

/// Runs before [`end`], so that the end's status is the last word.
async fn progress(connection: &mut PgConnection, progress: &[(Uuid, Progress)]) -> Result<(), sqlx::Error> {
    if progress.is_empty() {
        return Ok(());
    }
    let epoch = |progress: &Progress| progress.epoch.and_then(|epoch| i32::try_from(epoch.0).ok());
    sqlx::query!(
        "UPDATE generation AS g
         SET status = CASE WHEN n.epoch IS NULL THEN g.status ELSE 'streaming' END,
             started_at = coalesce(n.started_at, g.started_at), epoch = coalesce(n.epoch, g.epoch),
             cancel_requested = g.cancel_requested OR n.cancel_requested
         FROM unnest($1::uuid[], $2::timestamptz[], $3::integer[], $4::boolean[])
              AS n (generation_id, started_at, epoch, cancel_requested)
         WHERE g.generation_id = n.generation_id",
        &progress.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        &progress.iter().map(|(_, progress)| progress.started_at).collect::<Vec<_>>()
            as &[Option<OffsetDateTime>],
        &progress.iter().map(|(_, progress)| epoch(progress)).collect::<Vec<_>>() as &[Option<i32>],
        &progress.iter().map(|(_, progress)| progress.cancel_requested).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The columns of an end that may be absent.
fn usage(terminal: &Terminal, count: impl Fn(&TokenUsage) -> u64) -> Option<i64> {
    terminal.usage.as_ref().map(|usage| bigint(count(usage)))
}

async fn end(
    connection: &mut PgConnection,
    ended: &[(&Followed, TerminalStatus, &Terminal)],
) -> Result<(), sqlx::Error> {
    if ended.is_empty() {
        return Ok(());
    }
    let ends = || ended.iter().map(|(.., terminal)| *terminal);
    let tokens = |count: fn(&TokenUsage) -> u64| ends().map(|end| usage(end, count)).collect::<Vec<_>>();
    let cost = || ends().map(|end| end.cost.as_ref());
    sqlx::query!(
        "UPDATE generation AS g
         SET status = n.status, ended_at = n.ended_at, final_seq = n.final_seq, attempts = n.attempts,
             first_token_ms = n.first_token_ms, thinking_ms = n.thinking_ms, finish_reason = n.finish_reason,
             error_class = n.error_class, usage_source = n.usage_source, input_tokens = n.input,
             cached_input_tokens = n.cached, output_tokens = n.output, reasoning_tokens = n.reasoning,
             total_tokens = n.total, cost_micro_usd = n.cost, catalogue_version = n.catalogue
         FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bigint[], $5::integer[], $6::bigint[],
                     $7::bigint[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[],
                     $14::bigint[], $15::bigint[], $16::bigint[], $17::text[])
              AS n (generation_id, status, ended_at, final_seq, attempts, first_token_ms, thinking_ms,
                    finish_reason, error_class, usage_source, input, cached, output, reasoning, total, cost,
                    catalogue)
         WHERE g.generation_id = n.generation_id",
        &ended.iter().map(|(followed, ..)| followed.stream).collect::<Vec<_>>(),
        &ended.iter().map(|(_, status, _)| status.as_str()).collect::<Vec<_>>() as &[&str],
        &ended.iter().map(|(followed, ..)| instant(followed.meta.at)).collect::<Vec<_>>(),
        &ends().map(|end| bigint(end.final_seq.0)).collect::<Vec<_>>(),
        &ends().map(|end| i32::try_from(end.attempts).unwrap_or(i32::MAX)).collect::<Vec<_>>(),
        &ends().map(|end| end.first_token_ms.map(bigint)).collect::<Vec<_>>() as &[Option<i64>],
        &ends().map(|end| end.thinking_ms.map(bigint)).collect::<Vec<_>>() as &[Option<i64>],
        &ends().map(|end| end.finish_reason.as_ref().map(FinishReason::as_str)).collect::<Vec<_>>()
            as &[Option<&str>],
        &ends().map(|end| end.error.map(|error| error.class.as_str())).collect::<Vec<_>>() as &[Option<&str>],
        &ends().map(|end| end.usage.map(|usage| usage_word(usage.source))).collect::<Vec<_>>()
            as &[Option<&str>],
        &tokens(|usage| usage.input) as &[Option<i64>],
        &tokens(|usage| usage.cached_input) as &[Option<i64>],
        &tokens(|usage| usage.output) as &[Option<i64>],
        &tokens(|usage| usage.reasoning) as &[Option<i64>],
        &tokens(|usage| usage.total) as &[Option<i64>],
        &cost().map(|cost| cost.map(|cost| bigint(cost.micro_usd))).collect::<Vec<_>>() as &[Option<i64>],
        &cost().map(|cost| cost.map(|cost: &Cost| &*cost.catalogue_version)).collect::<Vec<_>>()
            as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn hide(connection: &mut PgConnection, conversations: &[Uuid]) -> Result<(), sqlx::Error> {
    if conversations.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE generation SET conversation_deleted = true WHERE conversation_id = ANY ($1)",
        conversations
    )
    .execute(connection)
    .await?;
    Ok(())
}
