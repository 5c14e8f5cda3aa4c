//! What was said before, as a model is shown it.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use slipstream_commands::{CommandError, Ownership, Position};
use slipstream_domain::{Part, Request, Role, Seq};

use slipstream_projections::transcript::{self, HistoryMessage};
use slipstream_projections::{
    GenerationLog, Transcript, Waited, generation_log, history_from_log, wait_for, young_history,
};
use slipstream_providers::{ApiKey, Model, SignedThinking, Turn, estimate_tokens};

use crate::attached::Shown;
use crate::prepare::Unprepared;
use crate::takeover::command_error;
use crate::worker::Worker;

/// How long a worker waits for the transcript to know the message to answer; then it asks the log
/// (`04-streaming-and-resume`, "Ends").
const PATIENCE: Duration = Duration::from_secs(5);
/// How many messages of a history are read at once for their thinking and their files.
const READS: usize = 8;

/// Who is shown a history.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) model: &'a Model,
    /// Whether it thinks now: then it is shown what it thought itself before its answers, where its vendor wants that back.
    pub(crate) thinks: bool,
    /// What pays for a file that its vendor must be given before.
    pub(crate) key: Option<&'a ApiKey>,
}

impl Worker {
    /// The conversation up to and with the message to answer, as the reader is shown it.
    ///
    /// # Errors
    /// A file of the message to answer cannot be shown; the log or a read model does not answer.
    pub(crate) async fn history(
        &self,
        request: &Request,
        requested_at: Position,
        to: Reader<'_>,
    ) -> Result<Vec<Turn>, Unprepared> {
        let messages = self.messages(request, requested_at).await?;
        let last = messages.len().saturating_sub(1);
        let to = Reader { thinks: to.thinks && self.providers.takes_thinking(to.model), ..to };
        let turns = messages.into_iter().enumerate();
        let turns = turns.map(|(n, message)| self.turn(message, request, to, n == last));
        stream::iter(turns).buffered(READS).try_collect().await
    }

    async fn turn(
        &self,
        message: HistoryMessage,
        request: &Request,
        to: Reader<'_>,
        asked: bool,
    ) -> Result<Turn, Unprepared> {
        let Reader { model, thinks, key } = to;
        let own =
            message.provider.as_ref() == Some(&model.provider) && message.model.as_ref() == Some(&model.id);
        let thinking = if own && thinks { self.thinking(&message).await } else { Vec::new() };
        let attachments = match request.owner {
            Some(owner) => self.attached(&message.attachments, Shown { owner, model, key, asked }).await?,
            None => Vec::new(),
        };
        let HistoryMessage { role, generation: _, provider, model, text, attachments: _ } = message;
        Ok(match role {
            Role::User => Turn::User { text, attachments },
            // A reply whose maker is not known any more counts as the asked model's own.
            Role::Assistant => Turn::Assistant {
                provider: provider.unwrap_or_else(|| request.asked.provider.clone()),
                model: model.unwrap_or_else(|| request.asked.model.clone()),
                text,
                thinking,
            },
        })
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
        let (said, files) = tokio::join!(
            wait_for::<Transcript>(log, conversation, requested_at, PATIENCE),
            wait_for::<slipstream_projections::Attachments>(log, conversation, requested_at, PATIENCE),
        );
        let messages = match if said == Waited::Reached { files } else { said } {
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
