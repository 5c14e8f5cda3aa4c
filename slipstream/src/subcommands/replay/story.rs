//! Events in words: a line with time, position and what happened, then what was said, indented. Refuses to let recorded
//! text steer the terminal it is shown on.

mod attachment;
mod conversation;
mod generation;

use std::collections::HashMap;
use std::fmt::Arguments;

use serde::Serialize;
use slipstream_domain::{Category, Event, Params, SystemPrompt};
use slipstream_eventlog::{EventLog, Position, ReadError, Recorded};
use slipstream_projections::{Followed, category, decode, rfc3339};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::output::Output;

/// What must be remembered of the story so far.
#[derive(Default)]
pub(super) struct Story {
    /// When each generation was asked for.
    requested: HashMap<Uuid, OffsetDateTime>,
    /// What each file is.
    files: HashMap<Uuid, String>,
}

/// What is told of one event.
struct Told {
    what: String,
    /// What was said, each with a label.
    said: Vec<(String, String)>,
}

const ERASED: &str = "(erased)";

impl Story {
    /// Looks up what an event alone does not say: what a file is that is attached now. It was announced before it belonged to
    /// the conversation.
    ///
    /// # Errors
    /// The log does not answer.
    pub(super) async fn learn(
        &mut self,
        log: &EventLog,
        event: &Recorded,
        up_to: Position,
    ) -> Result<(), ReadError> {
        if event.category.0 == Category::Attachment.number()
            && !self.files.contains_key(&event.stream.as_uuid())
        {
            let of_file = log.read_streams(&[event.stream], up_to).await?;
            let announced =
                of_file.iter().find_map(|event| attachment::announced(&decode(event).ok()?.event));
            self.files.insert(event.stream.as_uuid(), announced.unwrap_or_else(|| "a file".to_owned()));
        }
        Ok(())
    }

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
            Event::Conversation(event) => conversation::told(event, followed.meta.owner),
            Event::Generation(event) => {
                let (id, at) = (recorded.stream.as_uuid(), recorded.recorded_at);
                let asked = *self.requested.entry(id).or_insert(at);
                generation::told(id, event, at - asked)
            }
            Event::Attachment(event) => {
                let id = recorded.stream.as_uuid();
                attachment::told(event, id, self.files.get(&id).map_or("a file", String::as_str))
            }
            Event::User(_) | Event::Email(_) | Event::Audit(_) => {
                Told::plain(recorded.event_type.to_string())
            }
        }
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

    fn under(self, instructions: Option<&SystemPrompt>) -> Self {
        match instructions {
            Some(instructions) => self.saying("under the instructions", instructions.as_str()),
            None => self,
        }
    }
}

/// A value's own word, as it is stored; of more than one word, the JSON.
fn word(value: &impl Serialize) -> String {
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

fn push(text: &mut String, more: Arguments<'_>) {
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
