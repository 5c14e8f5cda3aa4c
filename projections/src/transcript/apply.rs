//! How events become messages: folded to at most one change a message, then written by set-based statements.

use std::collections::{HashMap, HashSet};

use slipstream_domain::event::{
    ChunksRecorded, ConversationEvent, GenerationEvent, GenerationRequested, ReplyRecorded, Terminal,
};
use slipstream_domain::run::MalformedRun;
use slipstream_domain::{
    Category, Event, GenerationId, MessageId, ModelId, Part, ProviderId, Rating, Role, Sealed, Seq, UserId,
};
use slipstream_eventlog::{Recorded, StreamId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::leaves::Leaves;
use super::{MessageStatus, Transcript, role_word};
use crate::followed::{Followed, instant};
use crate::projection::{ApplyError, Known, Projection};
use crate::sql;

impl Projection for Transcript {
    const NAME: &'static str = "transcript";
    const VERSION: i32 = 2;

    fn takes(event: &Recorded) -> bool {
        [Category::Conversation, Category::Generation]
            .iter()
            .any(|category| category.number() == event.category.0)
    }

    /// The generations of recorded replies. Those that were requested within `events` are in them whole.
    fn needs(events: &[Followed]) -> Vec<StreamId> {
        let mut needed: HashSet<Uuid> = recorded_replies(events.iter()).map(GenerationId::as_uuid).collect();
        for followed in events.iter().filter(|followed| followed.version == 1) {
            needed.remove(&followed.stream);
        }
        needed.into_iter().map(StreamId::from_uuid).collect()
    }

    async fn apply(
        connection: &mut PgConnection,
        events: &[&Followed],
        known: Known<'_>,
    ) -> Result<(), ApplyError> {
        let outputs = Outputs::of(&recorded_replies(events.iter().copied()).collect(), known);
        let mut changes = Changes { leaves: Leaves::before(connection, events).await?, ..Changes::default() };
        for followed in events {
            match &followed.event {
                Event::Conversation(event) => changes.take(event, followed, &outputs)?,
                Event::Generation(GenerationEvent::GenerationRequested(asked)) => changes.asked(asked),
                Event::Generation(_)
                | Event::User(_)
                | Event::Email(_)
                | Event::Attachment(_)
                | Event::Audit(_) => {}
            }
        }
        delete(connection, &changes).await?;
        insert(connection, &changes.rows.into_iter().collect::<Vec<_>>()).await?;
        name_models(connection, &changes.asked).await?;
        record(connection, &changes.ended).await?;
        rate(connection, &changes.rated).await?;
        changes.leaves.write(connection).await?;
        Ok(())
    }
}

fn recorded_replies<'a>(events: impl Iterator<Item = &'a Followed>) -> impl Iterator<Item = GenerationId> {
    events.filter_map(|followed| match &followed.event {
        Event::Conversation(ConversationEvent::ReplyRecorded(reply)) => Some(reply.generation_id),
        Event::Conversation(_)
        | Event::Generation(_)
        | Event::User(_)
        | Event::Email(_)
        | Event::Attachment(_)
        | Event::Audit(_) => None,
    })
}

/// What the generations of some replies have recorded.
struct Outputs<'a> {
    chunks: HashMap<Uuid, Vec<&'a ChunksRecorded>>,
    ends: HashMap<Uuid, &'a Terminal>,
}

impl<'a> Outputs<'a> {
    fn of(wanted: &HashSet<GenerationId>, known: Known<'a>) -> Self {
        let mut outputs = Self { chunks: HashMap::new(), ends: HashMap::new() };
        if wanted.is_empty() {
            return outputs;
        }
        for followed in known.events() {
            let Event::Generation(event) = &followed.event else { continue };
            if !wanted.contains(&GenerationId::from_uuid(followed.stream)) {
                continue;
            }
            match event {
                GenerationEvent::ChunksRecorded(chunks) => {
                    outputs.chunks.entry(followed.stream).or_default().push(chunks);
                }
                GenerationEvent::GenerationCompleted(end)
                | GenerationEvent::GenerationCancelled(end)
                | GenerationEvent::GenerationInterrupted(end)
                | GenerationEvent::GenerationFailed(end) => {
                    outputs.ends.insert(followed.stream, end);
                }
                GenerationEvent::GenerationRequested(_)
                | GenerationEvent::GenerationStarted(_)
                | GenerationEvent::GenerationTakenOver(_)
                | GenerationEvent::CancelRequested(_) => {}
            }
        }
        outputs
    }

    /// How a reply has ended, with its text.
    fn end_of(&self, reply: &ReplyRecorded, at: OffsetDateTime) -> Result<EndedReply, ApplyError> {
        let generation = reply.generation_id;
        let chunks = self.chunks.get(&generation.as_uuid()).map_or(&[][..], Vec::as_slice);
        let whole = chunks.iter().try_fold(Seq::START, |last, chunks| {
            (chunks.from_seq == last.next()).then_some(chunks.to_seq).ok_or(last)
        });
        if whole != Ok(reply.final_seq) {
            let (Ok(last) | Err(last)) = whole;
            let ends = reply.final_seq;
            return Err(ApplyError::Unfit(format!(
                "the reply of generation {generation} ends at delta {ends}, but it is recorded only up to {last}"
            )));
        }
        let (text, thinking) = match spoken(chunks) {
            Ok(Sealed::Open((text, thinking))) => {
                (Some(text), Some(thinking).filter(|said| !said.is_empty()))
            }
            Ok(Sealed::Erased) => (None, None),
            Err(error) => return Err(ApplyError::Unfit(format!("generation {generation}: {error}"))),
        };
        let end = self.ends.get(&generation.as_uuid());
        let counted = chunks.iter().rev().find_map(|chunks| chunks.thinking_ms);
        let thinking_ms = end.and_then(|end| end.thinking_ms).or(counted).map(sql::bigint);
        let by = end.and_then(|end| end.answered_by.as_ref()).map(|by| Model::of(&by.provider, &by.model));
        Ok(EndedReply { status: MessageStatus::Ended(reply.status), at, text, thinking, thinking_ms, by })
    }
}

/// The text and the thinking in some chunks, whole; erased if any of them is.
fn spoken(chunks: &[&ChunksRecorded]) -> Result<Sealed<(String, String)>, MalformedRun> {
    let (mut text, mut thinking) = (String::new(), String::new());
    for chunk in chunks {
        let Sealed::Open(runs) = chunk.runs()? else { return Ok(Sealed::Erased) };
        for run in runs {
            match run.part {
                Part::Text => text.push_str(&run.text),
                Part::Thinking => thinking.push_str(&run.text),
                Part::Image => {}
            }
        }
    }
    Ok(Sealed::Open((text, thinking)))
}

/// What some events change. A message that is new here carries its later changes itself; the lists hold those of
/// messages that have a row already.
#[derive(Default)]
struct Changes {
    rows: HashMap<MessageId, Row>,
    asked: Vec<(MessageId, Model)>,
    ended: Vec<(MessageId, EndedReply)>,
    rated: Vec<(MessageId, Rating)>,
    leaves: Leaves,
    withdrawn: Vec<Uuid>,
    deleted: Vec<Uuid>,
}

struct Row {
    conversation: Uuid,
    owner: Option<Uuid>,
    parent: Option<MessageId>,
    edited_from: Option<MessageId>,
    generation: Option<GenerationId>,
    position: i64,
    created_at: OffsetDateTime,
    role: Role,
    status: MessageStatus,
    model: Option<Model>,
    text: Option<String>,
    rating: Rating,
    ended: Option<EndedReply>,
}

struct Model {
    provider: String,
    model: String,
}

impl Model {
    fn of(provider: &ProviderId, model: &ModelId) -> Self {
        Self { provider: provider.as_str().to_owned(), model: model.as_str().to_owned() }
    }
}

struct EndedReply {
    status: MessageStatus,
    at: OffsetDateTime,
    text: Option<String>,
    thinking: Option<String>,
    thinking_ms: Option<i64>,
    /// Who answered, when it was not the model that was asked.
    by: Option<Model>,
}

impl Changes {
    fn take(
        &mut self,
        event: &ConversationEvent,
        followed: &Followed,
        outputs: &Outputs<'_>,
    ) -> Result<(), ApplyError> {
        let user = |text| Row { text, ..Row::new(followed, Role::User, MessageStatus::Posted) };
        match event {
            ConversationEvent::UserMessagePosted(posted) => {
                let text = posted.content.open().map(|content| content.text.as_str().to_owned());
                let (parent, edited_from) = (posted.parent_message_id, posted.edited_from);
                self.put(posted.message_id, Row { parent, edited_from, ..user(text) });
                self.leaves.set(followed.stream, posted.message_id);
            }
            ConversationEvent::UserMessageQueued(queued) => {
                let text = queued.content.open().map(|content| content.message.text.as_str().to_owned());
                let (status, edited_from) = (MessageStatus::Queued, queued.edited_from);
                self.put(queued.message_id, Row { edited_from, status, ..user(text) });
            }
            ConversationEvent::QueuedMessageWithdrawn(withdrawn) => {
                self.rows.remove(&withdrawn.message_id);
                self.withdrawn.push(withdrawn.message_id.as_uuid());
            }
            ConversationEvent::ReplyRequested(reply) => {
                let row = Row::new(followed, Role::Assistant, MessageStatus::Running);
                let (parent, generation) = (Some(reply.parent_message_id), Some(reply.generation_id));
                self.put(reply.message_id, Row { parent, generation, ..row });
            }
            ConversationEvent::ReplyRecorded(reply) => {
                let ended = outputs.end_of(reply, instant(followed.meta.at))?;
                match self.rows.get_mut(&reply.message_id) {
                    Some(row) => row.ended = Some(ended),
                    None => self.ended.push((reply.message_id, ended)),
                }
                self.leaves.recorded(followed.stream, reply);
            }
            ConversationEvent::ConversationDeleted(_) => {
                self.rows.retain(|_, row| row.conversation != followed.stream);
                self.leaves.forget(followed.stream);
                self.deleted.push(followed.stream);
            }
            ConversationEvent::LeafChosen(chosen) => self.leaves.set(followed.stream, chosen.message_id),
            ConversationEvent::MessageRated(rated) => match self.rows.get_mut(&rated.message_id) {
                Some(row) => row.rating = rated.rating,
                None => self.rated.push((rated.message_id, rated.rating)),
            },
            // A reply that waits to be made again has no row before it is requested.
            ConversationEvent::ConversationStarted(_)
            | ConversationEvent::ReplyQueued(_)
            | ConversationEvent::TitleSet(_)
            | ConversationEvent::ConversationSettingsChanged(_) => {}
        }
        Ok(())
    }

    fn asked(&mut self, asked: &GenerationRequested) {
        let model = Model::of(&asked.provider, &asked.model);
        match self.rows.get_mut(&asked.message_id) {
            Some(row) => row.model = Some(model),
            None => self.asked.push((asked.message_id, model)),
        }
    }

    /// A queued message that is posted was said when it was queued.
    fn put(&mut self, id: MessageId, mut row: Row) {
        if let Some(queued) = self.rows.get(&id) {
            row.created_at = queued.created_at;
        }
        self.rows.insert(id, row);
    }
}

impl Row {
    fn new(followed: &Followed, role: Role, status: MessageStatus) -> Self {
        Self {
            conversation: followed.stream,
            owner: followed.meta.owner.map(UserId::as_uuid),
            parent: None,
            edited_from: None,
            generation: None,
            position: followed.position.get(),
            created_at: instant(followed.meta.at),
            role,
            status,
            model: None,
            text: None,
            rating: Rating::None,
            ended: None,
        }
    }

    /// Who answered; before that, who is asked.
    fn by(&self) -> Option<&Model> {
        self.ended.as_ref().and_then(|ended| ended.by.as_ref()).or(self.model.as_ref())
    }
}

async fn delete(connection: &mut PgConnection, changes: &Changes) -> Result<(), sqlx::Error> {
    if !changes.withdrawn.is_empty() {
        sqlx::query!(
            "DELETE FROM message WHERE message_id = ANY ($1) AND status = 'queued'",
            &changes.withdrawn
        )
        .execute(&mut *connection)
        .await?;
    }
    if !changes.deleted.is_empty() {
        sqlx::query!(
            "WITH leaves AS (DELETE FROM leaf WHERE conversation_id = ANY ($1))
             DELETE FROM message WHERE conversation_id = ANY ($1)",
            &changes.deleted
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// A message that was queued has a row already; posting moves it to its place.
async fn insert(connection: &mut PgConnection, rows: &[(MessageId, Row)]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let ended = || rows.iter().map(|(_, row)| row.ended.as_ref());
    let model = || rows.iter().map(|(_, row)| row.by());
    let text = rows.iter().map(|(_, row)| row.ended.as_ref().map_or(&row.text, |ended| &ended.text).clone());
    let status = rows.iter().map(|(_, row)| row.ended.as_ref().map_or(row.status, |ended| ended.status));
    sqlx::query!(
        "INSERT INTO message (message_id, conversation_id, owner_id, parent_id, generation_id, position, created_at,
                              role, status, provider, model, text, ended_at, thinking_text, thinking_ms,
                              edited_from, rating)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[],
                              $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                              $13::timestamptz[], $14::text[], $15::bigint[], $16::uuid[], $17::text[])
         ON CONFLICT (message_id) DO UPDATE
         SET parent_id = excluded.parent_id, position = excluded.position, status = excluded.status,
             text = excluded.text",
        &rows.iter().map(|(id, _)| id.as_uuid()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.conversation).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.owner).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|(_, row)| Some(row.parent?.as_uuid())).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|(_, row)| Some(row.generation?.as_uuid())).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|(_, row)| row.position).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.created_at).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| role_word(row.role)).collect::<Vec<_>>() as &[&str],
        &status.map(MessageStatus::as_str).collect::<Vec<_>>() as &[&str],
        &model().map(|model| Some(&*model?.provider)).collect::<Vec<_>>() as &[Option<&str>],
        &model().map(|model| Some(&*model?.model)).collect::<Vec<_>>() as &[Option<&str>],
        &text.collect::<Vec<_>>() as &[Option<String>],
        &ended().map(|ended| Some(ended?.at)).collect::<Vec<_>>() as &[Option<OffsetDateTime>],
        &ended().map(|ended| ended?.thinking.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &ended().map(|ended| ended?.thinking_ms).collect::<Vec<_>>() as &[Option<i64>],
        &rows.iter().map(|(_, row)| Some(row.edited_from?.as_uuid())).collect::<Vec<_>>() as &[Option<Uuid>],
        &rows.iter().map(|(_, row)| rating_word(row.rating)).collect::<Vec<_>>() as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A request stands after its `ReplyRequested` in one append; the two may come in two pages.
async fn name_models(connection: &mut PgConnection, asked: &[(MessageId, Model)]) -> Result<(), sqlx::Error> {
    if asked.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE message AS m SET provider = n.provider, model = n.model
         FROM unnest($1::uuid[], $2::text[], $3::text[]) AS n (message_id, provider, model)
         WHERE m.message_id = n.message_id",
        &asked.iter().map(|(id, _)| id.as_uuid()).collect::<Vec<_>>(),
        &asked.iter().map(|(_, model)| &*model.provider).collect::<Vec<_>>() as &[&str],
        &asked.iter().map(|(_, model)| &*model.model).collect::<Vec<_>>() as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn record(connection: &mut PgConnection, ended: &[(MessageId, EndedReply)]) -> Result<(), sqlx::Error> {
    if ended.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE message AS m
         SET status = n.status, ended_at = n.ended_at, text = n.text, thinking_text = n.thinking_text,
             thinking_ms = n.thinking_ms, provider = coalesce(n.provider, m.provider),
             model = coalesce(n.model, m.model)
         FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::bigint[], $7::text[],
                     $8::text[])
              AS n (message_id, status, ended_at, text, thinking_text, thinking_ms, provider, model)
         WHERE m.message_id = n.message_id",
        &ended.iter().map(|(id, _)| id.as_uuid()).collect::<Vec<_>>(),
        &ended.iter().map(|(_, ended)| ended.status.as_str()).collect::<Vec<_>>() as &[&str],
        &ended.iter().map(|(_, ended)| ended.at).collect::<Vec<_>>(),
        &ended.iter().map(|(_, ended)| ended.text.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &ended.iter().map(|(_, ended)| ended.thinking.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &ended.iter().map(|(_, ended)| ended.thinking_ms).collect::<Vec<_>>() as &[Option<i64>],
        &ended.iter().map(|(_, ended)| Some(&*ended.by.as_ref()?.provider)).collect::<Vec<_>>()
            as &[Option<&str>],
        &ended.iter().map(|(_, ended)| Some(&*ended.by.as_ref()?.model)).collect::<Vec<_>>() as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

const fn rating_word(rating: Rating) -> Option<&'static str> {
    match rating {
        Rating::None => None,
        Rating::Up | Rating::Down => Some(rating.as_str()),
    }
}

/// The last word on each message counts.
async fn rate(connection: &mut PgConnection, rated: &[(MessageId, Rating)]) -> Result<(), sqlx::Error> {
    if rated.is_empty() {
        return Ok(());
    }
    let last: HashMap<Uuid, Rating> = rated.iter().map(|(id, rating)| (id.as_uuid(), *rating)).collect();
    sqlx::query!(
        "UPDATE message AS m SET rating = n.rating
         FROM unnest($1::uuid[], $2::text[]) AS n (message_id, rating) WHERE m.message_id = n.message_id",
        &last.keys().copied().collect::<Vec<_>>(),
        &last.values().map(|rating| rating_word(*rating)).collect::<Vec<_>>() as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}
