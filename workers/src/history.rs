//! What was said before, as a model is shown it.

use std::time::Duration;

use slipstream_commands::{CommandError, Ownership, Position};
use slipstream_domain::{Request, Role};
use slipstream_projections::transcript::{self, HistoryMessage};
use slipstream_projections::{Transcript, Waited, history_from_log, wait_for, young_history};
use slipstream_providers::{Turn, estimate_tokens};

use crate::takeover::command_error;
use crate::worker::Worker;

/// How long a worker waits for the transcript to know the message to answer; then it asks the log
/// (`04-streaming-and-resume`, "Ends").
const PATIENCE: Duration = Duration::from_secs(5);

impl Worker {
    /// The conversation up to and with the message to answer.
    pub(crate) async fn history(
        &self,
        request: &Request,
        requested_at: Position,
    ) -> Result<Vec<Turn>, CommandError> {
        let (conversation, reply) = (request.asked.conversation_id, request.asked.message_id);
        let log = self.app.log();
        let young = young_history(log, conversation, reply, requested_at).await;
        if let Some(messages) = young.map_err(command_error)? {
            return Ok(messages.into_iter().map(|message| turn(message, request)).collect());
        }
        let messages = match wait_for::<Transcript>(log, conversation, requested_at, PATIENCE).await {
            Waited::Reached => transcript::history(&self.read_models, conversation, reply).await,
            Waited::Parked | Waited::TimedOut => {
                tracing::warn!("the transcript is behind; a history is read from the log");
                history_from_log(log, conversation, reply).await
            }
        };
        Ok(messages.map_err(command_error)?.into_iter().map(|message| turn(message, request)).collect())
    }

    /// About how many tokens a lost owner's call was asked with; 0 when that cannot be told.
    pub(crate) async fn input_tokens(&self, own: &Ownership) -> u64 {
        match self.history(own.request(), own.requested_at()).await {
            Ok(turns) => turns.iter().map(|turn| estimate_tokens(turn.text())).sum(),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "usage is estimated without its input"
                );
                0
            }
        }
    }
}

fn turn(message: HistoryMessage, request: &Request) -> Turn {
    let HistoryMessage { role, provider, model, text } = message;
    match role {
        Role::User => Turn::User { text, attachments: Vec::new() },
        // A reply whose maker is not known any more counts as the asked model's own.
        Role::Assistant => Turn::Assistant {
            provider: provider.unwrap_or_else(|| request.asked.provider.clone()),
            model: model.unwrap_or_else(|| request.asked.model.clone()),
            text,
            thinking: Vec::new(),
        },
    }
}
