//! What was said before, as a model is shown it.

use std::time::Duration;

use futures::{StreamExt, stream};
use slipstream_commands::{CommandError, Ownership, Position};
use slipstream_domain::{Part, Request, Role, Seq};
use slipstream_projections::transcript::{self, HistoryMessage};
use slipstream_projections::{
    GenerationLog, Transcript, Waited, generation_log, history_from_log, wait_for, young_history,
};
use slipstream_providers::{Model, SignedThinking, Turn, estimate_tokens};

use crate::takeover::command_error;
use crate::worker::Worker;

/// How long a worker waits for the transcript to know the message to answer; then it asks the log
/// (`04-streaming-and-resume`, "Ends").
const PATIENCE: Duration = Duration::from_secs(5);
/// How many earlier replies of a history are read at once for their thinking.
const READS: usize = 8;

impl Worker {
    /// The conversation up to and with the message to answer, as `model` is shown it: `with_thinking`, with what it thought
    /// itself before its answers, where its vendor wants that back.
    pub(crate) async fn history(
        &self,
        request: &Request,
        requested_at: Position,
        model: &Model,
        with_thinking: bool,
    ) -> Result<Vec<Turn>, CommandError> {
        let messages = self.messages(request, requested_at).await?;
        let with_thinking = with_thinking && self.providers.takes_thinking(model);
        let turns = messages.into_iter().map(|message| async move {
            let own = message.provider.as_ref() == Some(&model.provider)
                && message.model.as_ref() == Some(&model.id);
            let thinking = if own && with_thinking { self.thinking(&message).await } else { Vec::new() };
            turn(message, thinking, request)
        });
        Ok(stream::iter(turns).buffered(READS).collect().await)
    }

    async fn messages(
        &self,
        request: &Request,
        requested_at: Position,
    ) -> Result<Vec<HistoryMessage>, CommandError> {
        let (conversation, reply) = (request.asked.conversation_id, request.asked.message_id);
        let log = self.app.log();
        let young = young_history(log, conversation, reply, requested_at).await;
        if let Some(messages) = young.map_err(command_error)? {
            return Ok(messages);
        }
        let messages = match wait_for::<Transcript>(log, conversation, requested_at, PATIENCE).await {
            Waited::Reached => transcript::history(&self.read_models, conversation, reply).await,
            Waited::Parked | Waited::TimedOut => {
                tracing::warn!("the transcript is behind; a history is read from the log");
                history_from_log(log, conversation, reply).await
            }
        };
        messages.map_err(command_error)
    }

    /// What was thought before a reply, as far as it is proved. A vendor does without, so what cannot be read is left out.
    async fn thinking(&self, reply: &HistoryMessage) -> Vec<SignedThinking> {
        let Some(generation) = reply.generation else { return Vec::new() };
        match generation_log(self.app.log(), generation).await {
            Ok(told) => signed_thinking(&told),
            Err(error) => {
                tracing::warn!(%error, "a history goes without the thinking of a reply");
                Vec::new()
            }
        }
    }

    /// About how many tokens a lost owner's call was asked with; 0 when that cannot be told.
    pub(crate) async fn input_tokens(&self, own: &Ownership) -> u64 {
        match self.messages(own.request(), own.requested_at()).await {
            Ok(messages) => messages.iter().map(|message| estimate_tokens(&message.text)).sum(),
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

fn turn(message: HistoryMessage, thinking: Vec<SignedThinking>, request: &Request) -> Turn {
    let HistoryMessage { role, generation: _, provider, model, text } = message;
    match role {
        Role::User => Turn::User { text, attachments: Vec::new() },
        // A reply whose maker is not known any more counts as the asked model's own.
        Role::Assistant => Turn::Assistant {
            provider: provider.unwrap_or_else(|| request.asked.provider.clone()),
            model: model.unwrap_or_else(|| request.asked.model.clone()),
            text,
            thinking,
        },
    }
}

/// Each proof with the thinking since the proof before it.
fn signed_thinking(told: &GenerationLog) -> Vec<SignedThinking> {
    let content = told.terminal.as_ref().and_then(|(_, end)| end.content.open());
    let proofs = content.map_or(&[][..], |content| &content.thinking_signatures);
    let mut after = Seq::START;
    let signed = proofs.iter().map(|proof| {
        let runs = told.outputs.iter().map(|output| &output.run).filter(|run| run.part == Part::Thinking);
        let text = runs.filter_map(|run| Some(run.clone().after(after)?.up_to(proof.seq)?.text)).collect();
        after = proof.seq;
        SignedThinking { text, signature: proof.bytes.clone() }
    });
    signed.collect()
}
