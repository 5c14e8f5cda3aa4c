//! One owner makes one reply: asks the provider, lets the answer out, listens for a wish to stop, and ends it in the log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use slipstream_commands::{CommandError, Ownership, Position};
use slipstream_domain::event::{AnsweredBy, HistoryCut};
use slipstream_domain::values::clean_text;
use slipstream_domain::{ErrorClass, FinishReason, GenerationId, Request, Seq, TokenUsage};
use slipstream_providers::{Attempts, Catalogue, Delta, DeltaStream, Model, ProviderError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::answer::{Answer, End, Fault, Sums};
use crate::delivery::Left;
use crate::hints::{Hint, Hints};
use crate::keeping::Keeping;
use crate::meters;
use crate::outlet::Outlet;
use crate::prepare::{Prepared, Unprepared};
use crate::titles::Untitled;
use crate::usage::{Bill, cost, estimated};
use crate::worker::{AtGraceEnd, Worker};

/// Bytes of text and thinking at which an answer ends, as if its model had reached its own limit; the delta that reaches
/// it is kept. About 2 million tokens, many times what a model of the catalogue can say. All of it is held in memory
/// while it is made, twice, and every reader may have to be sent it from its start.
const LONGEST_ANSWER: u64 = 8 * 1024 * 1024;

/// Why a reply stops before its end.
enum Stopped {
    /// The worker must stop; the generation goes back as it is.
    HandBack,
    /// The log did not take a write: another owner has it, it has ended, or the log does not answer.
    Log(CommandError),
}

impl From<CommandError> for Stopped {
    fn from(error: CommandError) -> Self {
        Self::Log(error)
    }
}

impl Worker {
    /// Makes the reply of a generation that is this worker's and has produced nothing yet. The task boundary: a panic on
    /// the way ends the generation as failed, like any other fault of ours.
    pub(crate) async fn make(&self, own: Box<Ownership>) -> Left {
        let (id, epoch) = (own.id(), own.epoch());
        let left = match AssertUnwindSafe(self.reply(own)).catch_unwind().await {
            Ok(Ok(())) => Left::Done,
            Ok(Err(Stopped::HandBack)) => return self.hand_back(id, epoch).await,
            Ok(Err(Stopped::Log(error))) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a reply was stopped");
                Left::from(&error)
            }
            Err(_) => {
                tracing::error!("a reply panicked");
                Left::Broken
            }
        };
        match left {
            Left::Broken => self.give_up(id, epoch).await,
            Left::Done | Left::Later(_) | Left::ToAnother => left,
        }
    }

    async fn reply(&self, own: Box<Ownership>) -> Result<(), Stopped> {
        let request = own.request().clone();
        let mut hints = Hints::listen(self, &own).await;
        let prepared = self.unless_stopped(&mut hints, self.prepare(&request, own.requested_at())).await?;
        let mut reply = Reply::new(self, own, request, Instant::now());
        let (end, asked) = match prepared {
            Err(end) => (end, None),
            Ok(Err(Unprepared::Fault(fault))) => (End::Failed(fault), None),
            Ok(Err(Unprepared::Log(error))) => return Err(error.into()),
            Ok(Ok(prepared)) => {
                let first = self.ask(&mut reply, prepared, &mut hints).await?;
                let (end, asked) = self.or_fallback(&mut reply, first, &mut hints).await?;
                (end, Some(asked))
            }
        };
        self.end(reply, end, asked).await
    }

    /// What is being prepared, unless the reply ends before.
    async fn unless_stopped<T>(
        &self,
        hints: &mut Hints,
        preparing: impl Future<Output = T>,
    ) -> Result<Result<T, End>, Stopped> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => self.interrupted(Stopped::HandBack).map(Err),
            // A hint that may have been missed is made good by the next look at the log.
            Hint::Cancel = hints.next() => Ok(Err(End::Cancelled)),
            prepared = preparing => Ok(Ok(prepared)),
        }
    }

    /// The end of a first call; or, when it failed before anything came and another model may do better, that of the call
    /// that the other model answers.
    async fn or_fallback(
        &self,
        reply: &mut Reply,
        (end, asked): (End, Asked),
        hints: &mut Hints,
    ) -> Result<(End, Asked), Stopped> {
        match &end {
            End::Failed(fault) if fault.transient && reply.answer.is_blank() => {}
            End::Failed(_) | End::Finished(_) | End::Cancelled | End::Interrupted => return Ok((end, asked)),
        }
        let preparing = self.fallback(&reply.request, reply.requested_at);
        let next = match self.unless_stopped(hints, preparing).await? {
            Ok(Some(next)) => next,
            Ok(None) => return Ok((end, asked)),
            Err(stopped) => return Ok((stopped, asked)),
        };
        let model = &next.question.model;
        tracing::warn!(provider = %model.provider, model = %model.id, "another model answers");
        meters::fell_back();
        reply.answered_by = Some(AnsweredBy { provider: model.provider.clone(), model: model.id.clone() });
        reply.charge(&asked, None, &self.catalogue);
        self.ask(reply, next, hints).await
    }

    /// Asks the provider and lets its answer out until it ends. The connection is closed when this returns.
    async fn ask(
        &self,
        reply: &mut Reply,
        prepared: Prepared,
        hints: &mut Hints,
    ) -> Result<(End, Asked), Stopped> {
        let paid = prepared.is_paid();
        if !paid {
            reply.answered_by = self.stand_in();
        }
        reply.untitled = self.untitled(&reply.request, reply.id, &prepared);
        let Prepared { provider, question, history_cut, input_tokens } = prepared;
        let model = Arc::clone(&question.model);
        let cancel = CancellationToken::new();
        let _closed = cancel.clone().drop_guard();
        let mut call = self.providers.call(&provider, question, cancel);
        reply.attempts = call.attempts;
        let ended = reply.stream(&mut call.deltas, hints, &self.stop).await;
        let ended = ended.or_else(|stopped| self.interrupted(stopped));
        drop(call.deltas);
        match ended {
            Ok(end) => Ok((end, Asked { model, paid, history_cut, input_tokens })),
            Err(Stopped::HandBack) => {
                // What was produced is recorded, so that whoever takes over finds it even without the stream state.
                let thinking_ms = reply.answer.thinking_ms(Instant::now());
                reply.outlet.rest(thinking_ms).await?;
                Err(Stopped::HandBack)
            }
            Err(stopped @ Stopped::Log(_)) => Err(stopped),
        }
    }

    /// A reply that nobody would take from the queue ends, instead of going back there.
    fn interrupted(&self, stopped: Stopped) -> Result<End, Stopped> {
        match (stopped, self.settings.at_grace_end) {
            (Stopped::HandBack, AtGraceEnd::Interrupt) => Ok(End::Interrupted),
            (Stopped::HandBack, AtGraceEnd::HandBack) => Err(Stopped::HandBack),
            (Stopped::Log(error), AtGraceEnd::HandBack | AtGraceEnd::Interrupt) => Err(Stopped::Log(error)),
        }
    }

    /// Lets the rest out, and ends the generation in the log.
    async fn end(&self, mut reply: Reply, end: End, asked: Option<Asked>) -> Result<(), Stopped> {
        let now = Instant::now();
        reply.outlet.rest(reply.answer.thinking_ms(now)).await?;
        if let Some(asked) = &asked {
            let shown = reply.outlet.hot.shown();
            // A vendor has read the question before it says a word.
            let is_cut = matches!(end, End::Cancelled | End::Interrupted) && reply.attempts.made() > 0;
            let estimate = (is_cut || !shown.is_empty()).then(|| estimated(asked.input_tokens, shown));
            reply.charge(asked, estimate, &self.catalogue);
        }
        let Reply { answer, outlet, bill, answered_by, .. } = reply;
        let (own, hot) = outlet.into_parts();
        let mut own = own.ok_or(CommandError::Contended)?;
        let Bill { attempts, usage, cost } = bill;
        let history_cut = asked.and_then(|asked| asked.history_cut);
        let sums = Sums { final_seq: own.last_seq(), attempts, usage, cost, history_cut, answered_by };
        self.finish(&mut own, answer.ending(end, sums, now)).await?;
        hot.close().await;
        Ok(())
    }
}

/// What is known of a call when it is over.
struct Asked {
    model: Arc<Model>,
    /// Whether it costs what its model costs.
    paid: bool,
    history_cut: Option<HistoryCut>,
    input_tokens: u64,
}

/// A reply under way.
struct Reply {
    id: GenerationId,
    request: Request,
    /// Where the request stands in the log.
    requested_at: Position,
    answer: Answer,
    outlet: Outlet,
    /// How often the provider asked now has been.
    attempts: Attempts,
    /// What calls that are over took.
    bill: Bill,
    /// Who answers, when it is not the model asked.
    answered_by: Option<AnsweredBy>,
    /// The title that is to be looked for once the answer has begun.
    untitled: Option<Untitled>,
    keeping: Keeping,
}

impl Reply {
    fn new(worker: &Worker, own: Box<Ownership>, request: Request, now: Instant) -> Self {
        Self {
            id: own.id(),
            request,
            requested_at: own.requested_at(),
            answer: Answer::new(now),
            attempts: Attempts::default(),
            bill: Bill::default(),
            answered_by: None,
            untitled: None,
            keeping: Keeping::new(worker.pictures.clone()),
            outlet: Outlet::new(&worker.app, Arc::clone(&worker.stream_state), own, now),
        }
    }

    /// Puts a call that is over on the bill; `estimate` is what its last attempt took, if nobody has counted it.
    fn charge(&mut self, asked: &Asked, estimate: Option<TokenUsage>, catalogue: &Catalogue) {
        let attempts = self.attempts.made();
        self.bill.attempts += attempts;
        for usage in self.answer.take_usage(attempts, estimate) {
            self.bill.add(usage, asked.paid.then(|| cost(&usage, &asked.model, catalogue)).flatten());
        }
    }

    /// Takes deltas until the answer ends, the user wants it to stop, or somebody else must go on with it.
    async fn stream(
        &mut self,
        deltas: &mut DeltaStream,
        hints: &mut Hints,
        stop: &CancellationToken,
    ) -> Result<End, Stopped> {
        loop {
            let now = Instant::now();
            self.outlet.tick(now, self.answer.thinking_ms(now)).await;
            let wake_at = self.outlet.wake_at();
            // Every arm is cancel-safe: writes under way stay in the journal and in the stream state's copy.
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Stopped::HandBack),
                hint = hints.next() => match hint {
                    Hint::Cancel => return Ok(End::Cancelled),
                    Hint::Missed => self.outlet.journal.start(now),
                },
                written = self.outlet.journal.done() => {
                    written?;
                    if self.outlet.journal.cancel_requested() {
                        return Ok(End::Cancelled);
                    }
                }
                () = self.outlet.hot.done() => {}
                kept = self.keeping.done() => match kept {
                    Ok(picture) => {
                        self.answer.pictured(Instant::now());
                        self.outlet.coalescer.picture(picture);
                    }
                    Err(fault) => return Ok(End::Failed(fault)),
                },
                () = tokio::time::sleep_until(wake_at) => {}
                delta = deltas.next(), if self.outlet.has_room() && self.keeping.is_idle() => {
                    if let Some(end) = self.take(delta, Instant::now()) {
                        return Ok(end);
                    }
                    if self.outlet.coalescer.last() > Seq::START && let Some(untitled) = self.untitled.take() {
                        untitled.begin();
                    }
                }
            }
        }
    }

    /// One step of the answer; its end, if it is that.
    fn take(&mut self, delta: Option<Result<Delta, ProviderError>>, now: Instant) -> Option<End> {
        match delta {
            Some(Ok(delta)) => self.delta(delta, now),
            Some(Err(error)) => Some(End::Failed(error.into())),
            None => {
                let fault = Fault::new(ErrorClass::Protocol, "The model's answer stopped without an end.");
                Some(End::Failed(fault))
            }
        }
    }

    fn delta(&mut self, delta: Delta, now: Instant) -> Option<End> {
        match delta {
            Delta::Text(text) => {
                let text = clean_text(text);
                self.answer.said(&text, now);
                self.outlet.coalescer.say(&text);
            }
            Delta::Thinking(text) => {
                self.answer.thought(now);
                self.outlet.coalescer.think(&clean_text(text));
            }
            Delta::ThinkingSignature(proof) => {
                self.answer.signed(self.outlet.coalescer.last(), clean_text(proof));
            }
            Delta::Citation(citation) => self.answer.cited(citation),
            Delta::Usage(usage) => self.answer.counted(usage, self.attempts.made()),
            Delta::Finish { reason } => return Some(End::Finished(reason)),
            Delta::ToolStatus { .. } => {}
            Delta::Image { mime, bytes } => {
                return self.keeping.start(&self.request, mime, bytes).err().map(End::Failed);
            }
        }
        (self.outlet.coalescer.produced() >= LONGEST_ANSWER).then_some(End::Finished(FinishReason::Length))
    }
}
