//! The last frames of a reply, out of the log: `ai_chat_response` for a reply with a text, else `ai_chat_error`, before
//! which a compat client is sent a text that a person can read, because it does not show the error itself.

use std::sync::Arc;

use slipstream_domain::event::Terminal;
use slipstream_domain::{ErrorClass, TerminalStatus};
use slipstream_projections::GenerationLog;

use super::ordered_reply::Facts;
use super::tiers::Missing;
use crate::protocol::{ChatChunk, ChatError, ChatHead, ChatResponse, EndOfReply, ServerFrame};

/// The frames that end a reply: `whole` is all of its output.
pub(super) fn end_frames(
    head: &Arc<ChatHead>,
    whole: Missing,
    status: TerminalStatus,
    terminal: &Terminal,
) -> Vec<ServerFrame> {
    let usage = terminal.usage.map(|usage| usage.total);
    let failed = status == TerminalStatus::Failed;
    if !failed && !whole.text.is_empty() {
        return vec![ServerFrame::ChatResponse(ChatResponse {
            head: head.clone(),
            chunk: whole.text,
            thinking_text: Some(whole.thinking).filter(|thinking| !thinking.is_empty()),
            thinking_duration: terminal.thinking_ms.or(whole.thinking_ms),
            usage,
            done: true,
            end: None,
        })];
    }
    let message = explain(status, terminal);
    let shown = if whole.text.is_empty() { message.clone() } else { format!("\n\n{message}") };
    vec![
        ServerFrame::ChatChunk(ChatChunk::text(head.clone(), shown, None)),
        ServerFrame::ChatError(ChatError {
            head: head.clone(),
            message,
            stop_reason: Some(status.as_str().to_owned()),
            usage,
            done: true,
            end: None,
        }),
    ]
}

/// The frame that ends a reply for a v1 client, which is shown the status and needs no text in place of one; `None` while
/// it has not ended. `version` is the conversation's with the reply in it.
pub(super) fn ordered_end(facts: &Facts, told: &GenerationLog, version: i64) -> Option<ServerFrame> {
    let (status, terminal) = told.terminal.as_ref()?;
    let content = terminal.content.open();
    let end = EndOfReply {
        generation_id: facts.generation,
        message_id: facts.message,
        epoch: told.epoch(),
        final_seq: terminal.final_seq,
        status: *status,
        finish_reason: terminal.finish_reason.clone(),
        token_usage: terminal.usage,
        cost: terminal.cost.clone(),
        answered_by: terminal.answered_by.clone(),
        citations: content.map(|content| content.citations.clone()).unwrap_or_default(),
        version,
        digest: content.map(|content| content.digest.clone()),
    };
    let usage = terminal.usage.map(|usage| usage.total);
    if *status == TerminalStatus::Failed {
        return Some(ServerFrame::ChatError(ChatError {
            head: facts.head.clone(),
            message: explain(*status, terminal),
            stop_reason: Some(status.as_str().to_owned()),
            usage,
            done: true,
            end: Some(end),
        }));
    }
    let mut whole = Missing::default();
    told.outputs.iter().for_each(|output| whole.add(&output.run, output.thinking_ms));
    Some(ServerFrame::ChatResponse(ChatResponse {
        head: facts.head.clone(),
        chunk: whole.text,
        thinking_text: Some(whole.thinking).filter(|thinking| !thinking.is_empty()),
        thinking_duration: terminal.thinking_ms.or(whole.thinking_ms),
        usage,
        done: true,
        end: Some(end),
    }))
}

/// What a person should know of a reply without a text, or of one that failed.
pub(super) fn explain(status: TerminalStatus, terminal: &Terminal) -> String {
    match status {
        TerminalStatus::Completed => "The model answered without a text.".to_owned(),
        TerminalStatus::Cancelled => "The reply was stopped before it began.".to_owned(),
        TerminalStatus::Interrupted => "The reply was interrupted before it began; ask again.".to_owned(),
        TerminalStatus::Failed => {
            let why = explain_class(terminal.error.map_or(ErrorClass::Internal, |fault| fault.class));
            match terminal.content.open().and_then(|content| content.provider_error.as_deref()) {
                // The vendor's words or our own; the log does not tell which.
                Some(said) => format!("{why} {said}"),
                None => why.to_owned(),
            }
        }
    }
}

const fn explain_class(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Auth => "The provider refused the key.",
        ErrorClass::Quota => "The provider account has no quota left.",
        ErrorClass::RateLimited => "The provider takes no more requests for now; try again later.",
        ErrorClass::Overloaded => "The provider is overloaded; try again later.",
        ErrorClass::InvalidRequest => "The provider could not use the request.",
        ErrorClass::ContentFiltered => "The provider's filter refused the request.",
        ErrorClass::Timeout => "The provider did not answer in time; try again.",
        ErrorClass::Network => "The connection to the provider failed; try again.",
        ErrorClass::Protocol => "The provider's answer could not be understood.",
        ErrorClass::Internal => "The server could not make the reply; try again.",
    }
}

#[cfg(test)]
mod tests {
    use slipstream_domain::event::{ProviderFault, TerminalContent};
    use slipstream_domain::{Ending, TokenUsage, UsageSource, UserId};
    use uuid::Uuid;

    use super::*;

    fn head() -> Arc<ChatHead> {
        Arc::new(ChatHead {
            conversation_id: Some("c".into()),
            user_id: UserId::from_uuid(Uuid::nil()),
            provider: None,
            model: None,
            temperature: None,
            top_p: None,
        })
    }

    fn terminal(class: Option<ErrorClass>, said: Option<&str>) -> Terminal {
        let content =
            TerminalContent { provider_error: said.map(Into::into), ..TerminalContent::of_text("") };
        let mut ending = Ending::without_output(
            TerminalStatus::Failed,
            class.map(|class| ProviderFault { class }),
            content,
        );
        ending.terminal.usage = Some(TokenUsage {
            input: 1,
            cached_input: 0,
            output: 2,
            reasoning: 0,
            total: 3,
            source: UsageSource::Provider,
        });
        ending.terminal
    }

    fn whole(text: &str) -> Missing {
        Missing { text: text.into(), thinking: "hm".into(), thinking_ms: Some(5) }
    }

    #[test]
    fn a_reply_with_a_text_ends_with_its_whole_text_even_if_it_was_stopped() {
        for status in [TerminalStatus::Completed, TerminalStatus::Cancelled, TerminalStatus::Interrupted] {
            let frames = end_frames(&head(), whole("hi"), status, &terminal(None, None));
            let [ServerFrame::ChatResponse(end)] = frames.as_slice() else { panic!("{frames:?}") };
            assert_eq!(
                (end.chunk.as_str(), end.thinking_text.as_deref(), end.usage),
                ("hi", Some("hm"), Some(3))
            );
        }
    }

    #[test]
    fn a_reply_without_a_text_is_an_error_that_can_be_read_whatever_its_status() {
        for status in [
            TerminalStatus::Completed,
            TerminalStatus::Cancelled,
            TerminalStatus::Interrupted,
            TerminalStatus::Failed,
        ] {
            let frames = end_frames(&head(), whole(""), status, &terminal(None, None));
            let [ServerFrame::ChatChunk(shown), ServerFrame::ChatError(error)] = frames.as_slice() else {
                panic!("{frames:?}")
            };
            assert_eq!(shown.chunk.as_ref(), Some(&error.message));
            assert_eq!(error.stop_reason.as_deref(), Some(status.as_str()));
        }
    }

    #[test]
    fn a_failure_after_a_text_is_shown_below_it() {
        let said = terminal(Some(ErrorClass::Overloaded), Some("try later"));
        let frames = end_frames(&head(), whole("hi"), TerminalStatus::Failed, &said);
        let [ServerFrame::ChatChunk(shown), ServerFrame::ChatError(error)] = frames.as_slice() else {
            panic!("{frames:?}")
        };
        assert_eq!(error.message, "The provider is overloaded; try again later. try later");
        assert_eq!(shown.chunk.as_deref(), Some(format!("\n\n{}", error.message).as_str()));
    }
}
