//! Events in words: a line with time, position and what happened, then what was said, indented. Refuses to let recorded
//! text steer the terminal it is shown on.

use std::collections::HashMap;

use slipstream_domain::event::{
    ChunksRecorded, ConversationEvent, GenerationEvent, GenerationRequested, MessageContent, QueuedContent,
    Terminal,
};
use slipstream_domain::{Event, KeySource, Params, Part, Sealed, SystemPrompt, TerminalStatus, UserId};
use slipstream_eventlog::Recorded;
use slipstream_projections::{Followed, decode};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::envelope::{category, rfc3339};
use crate::output::Output;

/// What must be remembered of the story so far.
#[derive(Default)]
pub(super) struct Story {
    /// When each generation was asked for.
    requested: HashMap<Uuid, OffsetDateTime>,
}

/// What is told of one event.
struct Told {
    what: String,
    /// What was said, each with a label.
    said: Vec<(String, String)>,
}

const ERASED: &str = "(erased)";

impl Story {
    /// # Errors
    /// The answer cannot be written.
    pub(super) fn tell(&mut self, output: &mut Output, recorded: &Recorded) -> std::io::Result<()> {
        let told = match decode(recorded) {
            Ok(followed) => self.told(recorded, &followed),
            Err(unreadable) => Told::plain(format!(
                "{} in version {} of {} {}: cannot be read: {}",
                recorded.event_type,
                recorded.schema_version,
                category(recorded),
                recorded.stream,
                unreadable.why
            )),
        };
        let at = rfc3339(recorded.recorded_at);
        output.line(format_args!("{at}  #{:<6} {}", recorded.position, printable(&told.what)))?;
        for (label, text) in &told.said {
            output.line(format_args!("    {label}:"))?;
            for line in text.split('\n') {
                output.line(format_args!("    | {}", printable(line)))?;
            }
        }
        Ok(())
    }

    fn told(&mut self, recorded: &Recorded, followed: &Followed) -> Told {
        match &followed.event {
            Event::Conversation(event) => conversation(event, followed.meta.owner),
            Event::Generation(event) => self.generation(recorded, event),
            Event::User(_) | Event::Email(_) => Told::plain(recorded.event_type.to_string()),
        }
    }

    fn generation(&mut self, recorded: &Recorded, event: &GenerationEvent) -> Told {
        let id = recorded.stream.as_uuid();
        let after = self.after_request(id, recorded.recorded_at);
        match event {
            GenerationEvent::GenerationRequested(request) => {
                self.requested.insert(id, recorded.recorded_at);
                requested(id, request)
            }
            GenerationEvent::GenerationStarted(start) => Told::plain(format!(
                "worker {} begins generation {id} (epoch {}){after}",
                start.worker, start.epoch.0
            )),
            GenerationEvent::GenerationTakenOver(taken) => Told::plain(format!(
                "worker {} takes generation {id} over (epoch {}) after delta {}{after}",
                taken.worker, taken.epoch.0, taken.last_seq.0
            )),
            GenerationEvent::ChunksRecorded(chunks) => streamed(id, chunks, &after),
            GenerationEvent::CancelRequested(cancel) => {
                Told::plain(format!("user {} stops generation {id}{after}", cancel.by))
            }
            GenerationEvent::GenerationCompleted(end) => ended(id, TerminalStatus::Completed, end, &after),
            GenerationEvent::GenerationCancelled(end) => ended(id, TerminalStatus::Cancelled, end, &after),
            GenerationEvent::GenerationInterrupted(end) => {
                ended(id, TerminalStatus::Interrupted, end, &after)
            }
            GenerationEvent::GenerationFailed(end) => ended(id, TerminalStatus::Failed, end, &after),
        }
    }

    /// `, 0.123 s after it was asked for`.
    fn after_request(&self, generation: Uuid, at: OffsetDateTime) -> String {
        self.requested.get(&generation).map_or_else(String::new, |requested| {
            format!(", {:.3} s after it was asked for", (at - *requested).as_seconds_f64())
        })
    }
}

impl Told {
    fn plain(what: String) -> Self {
        Self { what, said: Vec::new() }
    }

    fn saying(mut self, label: impl Into<String>, text: impl Into<String>) -> Self {
        self.said.push((label.into(), text.into()));
        self
    }
}

fn conversation(event: &ConversationEvent, owner: Option<UserId>) -> Told {
    let user = owner.map_or_else(|| "nobody".to_owned(), |user| format!("user {user}"));
    match event {
        ConversationEvent::ConversationStarted(_) => Told::plain(format!("{user} starts the conversation")),
        ConversationEvent::UserMessagePosted(posted) => {
            let mut what = format!("{user} says (message {}", posted.message_id);
            follow(&mut what, "after", posted.parent_message_id);
            follow(&mut what, "edited from", posted.edited_from);
            files(&mut what, posted.attachment_ids.len());
            what.push(')');
            message(Told::plain(what), posted.content.open())
        }
        ConversationEvent::UserMessageQueued(queued) => {
            let mut what =
                format!("{user} says, to wait for the running reply (message {}", queued.message_id);
            follow(&mut what, "after", queued.parent_message_id);
            files(&mut what, queued.attachment_ids.len());
            let place = if queued.at_head { ", before what waits already" } else { "" };
            let params = params(&queued.params);
            push(&mut what, format_args!(") to {} / {}{params}{place}", queued.provider, queued.model));
            queued_content(Told::plain(what), queued.content.open())
        }
        ConversationEvent::QueuedMessageWithdrawn(withdrawn) => Told::plain(format!(
            "the waiting message {} is withdrawn: {}",
            withdrawn.message_id,
            word(&withdrawn.reason)
        )),
        ConversationEvent::ReplyRequested(reply) => Told::plain(format!(
            "a reply to message {} is asked for (message {}, generation {})",
            reply.parent_message_id, reply.message_id, reply.generation_id
        )),
        ConversationEvent::ReplyRecorded(reply) => Told::plain(format!(
            "the reply stands (message {}, generation {}): {}, {} deltas",
            reply.message_id,
            reply.generation_id,
            word(&reply.status),
            reply.final_seq.0
        )),
        ConversationEvent::TitleSet(title) => {
            let told = Told::plain(format!("the title is set ({})", word(&title.source)));
            let content = title.content.open();
            told.saying("title", content.map_or(ERASED, |content| content.title.as_str()))
        }
        ConversationEvent::ConversationDeleted(_) => Told::plain(format!("{user} deletes the conversation")),
    }
}

fn message(told: Told, content: Option<&MessageContent>) -> Told {
    let Some(content) = content else { return told.saying("said", ERASED) };
    let told = told.saying("said", content.text.as_str());
    match &content.metadata {
        Some(metadata) => told.saying("from", word(metadata)),
        None => told,
    }
}

fn queued_content(told: Told, content: Option<&QueuedContent>) -> Told {
    let told = message(told, content.map(|content| &content.message));
    system_prompt(told, content.and_then(|content| content.system_prompt.as_ref()))
}

fn system_prompt(told: Told, prompt: Option<&SystemPrompt>) -> Told {
    match prompt {
        Some(prompt) => told.saying("under the instructions", prompt.as_str()),
        None => told,
    }
}

fn requested(id: Uuid, request: &GenerationRequested) -> Told {
    let key = match request.key_source {
        KeySource::Own { key_id } => format!("the user's own key {key_id}"),
        KeySource::Server => "the operator's key".to_owned(),
        KeySource::None => "no key".to_owned(),
    };
    let told = Told::plain(format!(
        "{} / {} is asked for a {} reply (generation {id}, message {}) with {key}{}",
        request.provider,
        request.model,
        word(&request.kind),
        request.message_id,
        params(&request.params)
    ));
    match &request.content {
        Sealed::Open(content) => system_prompt(told, content.system_prompt.as_ref()),
        Sealed::Erased => told.saying("under the instructions", ERASED),
    }
}

fn streamed(id: Uuid, chunks: &ChunksRecorded, after: &str) -> Told {
    let carried = if chunks.carried { ", found in the stream state of the owner before" } else { "" };
    let told = Told::plain(format!(
        "deltas {} to {} of generation {id} (epoch {}{carried}){after}",
        chunks.from_seq.0, chunks.to_seq.0, chunks.epoch.0
    ));
    match chunks.runs() {
        Ok(Sealed::Open(runs)) => runs.into_iter().fold(told, |told, run| {
            let label = format!("{} {} to {}", part(run.part), run.from.0, run.to().0);
            match run.attachment {
                Some(attachment) => told.saying(label, format!("(attachment {attachment})")),
                None => told.saying(label, run.text),
            }
        }),
        Ok(Sealed::Erased) => told.saying("streamed", ERASED),
        Err(malformed) => told.saying("streamed", format!("(cannot be read: {malformed})")),
    }
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Text => "text",
        Part::Thinking => "thinking",
        Part::Image => "image",
    }
}

fn ended(id: Uuid, status: TerminalStatus, end: &Terminal, after: &str) -> Told {
    let mut what = format!("generation {id} ends: {}, {} deltas{after}", word(&status), end.final_seq.0);
    if let Some(reason) = &end.finish_reason {
        push(&mut what, format_args!("; the model stopped: {}", word(reason)));
    }
    if let Some(error) = &end.error {
        push(&mut what, format_args!("; error: {}", word(&error.class)));
    }
    push(&mut what, format_args!("; {} calls", end.attempts));
    if let Some(usage) = &end.usage {
        push(
            &mut what,
            format_args!(
                "; tokens: {} in, {} out, {} together ({})",
                usage.input,
                usage.output,
                usage.total,
                word(&usage.source)
            ),
        );
    }
    if let Some(cost) = &end.cost {
        push(&mut what, format_args!("; {} millionths of a dollar", cost.micro_usd));
    }
    if let Some(first) = end.first_token_ms {
        push(&mut what, format_args!("; first delta after {first} ms"));
    }
    if let Some(cut) = &end.history_cut {
        push(&mut what, format_args!("; {} turns did not fit", cut.turns_dropped));
    }
    let told = Told::plain(what);
    let Sealed::Open(content) = &end.content else { return told.saying("digest of the text", ERASED) };
    let told = told.saying("digest of the text", content.digest.as_str());
    let told = content.citations.iter().fold(told, |told, citation| {
        told.saying("source", format!("{} {}", citation.url, citation.title.as_deref().unwrap_or_default()))
    });
    match &content.provider_error {
        Some(error) => told.saying("the provider said", error.as_str()),
        None => told,
    }
}

/// A value's own word, as it is stored; of more than one word, the JSON.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    }
}

/// `, {…}`, or nothing when none is set.
fn params(params: &Params) -> String {
    let text = word(params);
    if text == "{}" { String::new() } else { format!(", {text}") }
}

fn follow(what: &mut String, relation: &str, message: Option<slipstream_domain::MessageId>) {
    if let Some(message) = message {
        push(what, format_args!(", {relation} {message}"));
    }
}

fn files(what: &mut String, count: usize) {
    if count > 0 {
        push(what, format_args!(", {count} files"));
    }
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.push_str(&more.to_string());
}

/// With control characters, and those that turn the direction of writing, shown instead of obeyed.
fn printable(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() && c != '\t') || turns(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_text_does_not_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202E}c\té"), "a\\u{1b}[2Jb\\u{202e}c\té");
    }
}
