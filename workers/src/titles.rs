//! The better title of a new conversation: asked for beside its first reply, once that has begun, and never in its way.
//! One try; whatever goes wrong, the provisional title stays.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use slipstream_commands::{CommandError, Commands, suggest_title};
use slipstream_domain::conversation::SuggestedTitle;
use slipstream_domain::event::ConversationEvent;
use slipstream_domain::{
    ConversationId, ErrorClass, FinishReason, GenerationId, Request, TitleSource, TokenUsage, UserId,
};
use slipstream_projections::{ConversationLog, conversation_log};
use slipstream_providers::{
    Catalogue, ChatRequest, Delta, Provider, ProviderError, Turn, title_of, title_request,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::prepare::Prepared;
use crate::takeover::command_error;
use crate::usage::cost;
use crate::worker::Worker;

/// How long a title may take, from its question to the log (`11-events`, "The title").
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read; a title is a line.
const MOST_ANSWER: usize = 4 * 1024;
/// Titles on their way at once; a conversation that finds no place keeps its provisional one. A model takes about a second
/// for one, so this is enough for some hundred new conversations a second.
const PLACES: usize = 256;

/// What goes on beside the replies and may outlive the one it came from.
#[derive(Clone)]
pub(crate) struct Sides {
    tasks: TaskTracker,
    places: Arc<Semaphore>,
}

impl Sides {
    pub(crate) fn new() -> Self {
        Self { tasks: TaskTracker::new(), places: Arc::new(Semaphore::new(PLACES)) }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            self.tasks.spawn(async move {
                task.await;
                drop(place);
            });
        }
    }

    /// Waits until nothing goes on any more. Cancel-safe.
    pub(crate) async fn over(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A title to be found.
pub(crate) struct Untitled {
    sides: Sides,
    app: Commands,
    catalogue: Arc<Catalogue>,
    stop: CancellationToken,
    owner: UserId,
    conversation: ConversationId,
    generation: GenerationId,
    provider: Arc<dyn Provider>,
    question: ChatRequest,
    /// Whether the model asked is paid for; the simulated one in its place is not.
    paid: bool,
}

/// Why there is no better title.
#[derive(Debug, thiserror::Error)]
enum NoTitle {
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Log(#[from] CommandError),
    #[error("the model's answer is no title")]
    None,
}

impl Worker {
    /// The title to be found beside a reply which may be the first of its conversation.
    pub(crate) fn untitled(
        &self,
        request: &Request,
        generation: GenerationId,
        prepared: &Prepared,
    ) -> Option<Untitled> {
        let asked = &prepared.question;
        let [Turn::User { text, .. }] = &asked.history[..] else { return None };
        if !self.settings.titles {
            return None;
        }
        let model = Arc::clone(&self.catalogue.vendor(&asked.model.provider)?.titles);
        Some(Untitled {
            sides: self.sides.clone(),
            app: self.app.clone(),
            catalogue: Arc::clone(&self.catalogue),
            stop: self.stop.clone(),
            owner: request.owner?,
            conversation: request.asked.conversation_id,
            generation,
            provider: Arc::clone(self.providers.get(&prepared.provider)?),
            question: title_request(model, text, asked.key.clone(), asked.key_owner),
            paid: prepared.is_paid(),
        })
    }
}

impl Untitled {
    /// Finds the title, in a task of its own.
    pub(crate) fn begin(self) {
        let span = tracing::info_span!("find_title", conversation.id = %self.conversation);
        let sides = self.sides.clone();
        sides.spawn(self.find().instrument(span));
    }

    async fn find(self) {
        let finding = tokio::time::timeout(PATIENCE, self.found());
        match self.stop.run_until_cancelled(finding).await {
            Some(Ok(Ok(()))) | None => {}
            Some(Ok(Err(error))) => {
                tracing::info!(error = &error as &dyn std::error::Error, "a title stays provisional");
            }
            Some(Err(_)) => tracing::info!("a title stays provisional: the model took too long"),
        }
    }

    async fn found(&self) -> Result<(), NoTitle> {
        let told = conversation_log(self.app.log(), self.conversation).await.map_err(command_error)?;
        if !is_wanted(&told, self.generation) {
            return Ok(());
        }
        let (answer, usage) = self.ask().await?;
        let title = title_of(&answer).ok_or(NoTitle::None)?;
        let cost =
            usage.filter(|_| self.paid).and_then(|usage| cost(&usage, &self.question.model, &self.catalogue));
        let suggested = SuggestedTitle { title, usage, cost };
        suggest_title(&self.app, self.owner, self.conversation, suggested).await?;
        Ok(())
    }

    /// The whole answer, and what it took.
    async fn ask(&self) -> Result<(String, Option<TokenUsage>), NoTitle> {
        let (mut answer, mut usage) = (String::new(), None);
        let mut deltas = self.provider.title(&self.question, CancellationToken::new());
        while let Some(delta) = deltas.next().await {
            match delta? {
                Delta::Text(text) => answer.push_str(&text),
                Delta::Usage(counted) => usage = Some(counted),
                Delta::Finish { reason: FinishReason::Stop } => return Ok((answer, usage)),
                Delta::Finish { .. } => return Err(NoTitle::None),
                Delta::Thinking(_)
                | Delta::ThinkingSignature(_)
                | Delta::Image { .. }
                | Delta::Citation(_)
                | Delta::ToolStatus { .. } => {}
            }
            if answer.len() > MOST_ANSWER {
                return Err(NoTitle::None);
            }
        }
        Err(ProviderError::new(ErrorClass::Protocol, "the answer stopped without an end").into())
    }
}

/// Whether the conversation's first reply is this one, and nothing but its first words names it.
fn is_wanted(told: &ConversationLog, generation: GenerationId) -> bool {
    let first = told.events.iter().find_map(|versioned| match &versioned.event {
        ConversationEvent::ReplyRequested(reply) => Some(reply.generation_id),
        ConversationEvent::ConversationStarted(_)
        | ConversationEvent::UserMessagePosted(_)
        | ConversationEvent::UserMessageQueued(_)
        | ConversationEvent::ReplyQueued(_)
        | ConversationEvent::QueuedMessageWithdrawn(_)
        | ConversationEvent::ReplyRecorded(_)
        | ConversationEvent::LeafChosen(_)
        | ConversationEvent::MessageRated(_)
        | ConversationEvent::TitleSet(_)
        | ConversationEvent::ConversationSettingsChanged(_)
        | ConversationEvent::ConversationDeleted(_) => None,
    });
    first == Some(generation) && told.state.title_source() == Some(TitleSource::Provisional)
}
