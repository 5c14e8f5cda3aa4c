//! Takes a generation from an owner that is gone: a new epoch, what the old owner left in the stream state, and then the
//! one right thing (`04-streaming-and-resume`, "Owner and lease", steps 1 to 4).

use std::time::Duration;

use slipstream_commands::{
    Chunks, CommandError, Ownership, finish_generation, record_chunks, release_generation,
    take_over_generation,
};
use slipstream_domain::event::{ProviderFault, Terminal, TerminalContent};
use slipstream_domain::generation::Owner;
use slipstream_domain::{Ending, Epoch, GenerationId, Part, Seq, TerminalStatus, WorkerId};
use slipstream_projections::{Output, QueryError, StreamKey, generation_log};

use crate::answer::Fault;
use crate::delivery::Left;
use crate::journal::cut;
use crate::meters;
use crate::usage::{cost, estimated, text_of};
use crate::worker::Worker;

/// An owner whose newest record is younger is alive, whether it answers or not.
const SILENCE: Duration = Duration::from_secs(15);

/// How a generation without an owner ends.
enum Settled {
    /// As its user wished.
    Cancelled,
    /// Its owner was lost after output had been shown.
    Interrupted,
    /// Its owner, this worker, could not go on.
    Failed(Fault),
}

impl Worker {
    /// Whether an owner is gone. One that has let go is, and this worker's own: what it makes, it has in hand, and its
    /// caller has found that it has not. Another's is not while the bus cannot tell.
    pub(crate) async fn is_gone(&self, id: GenerationId, owner: Owner) -> bool {
        if owner.worker == self.id || owner.worker == WorkerId::NOBODY {
            return true;
        }
        if self.app.now().since(owner.last_at) < SILENCE {
            return false;
        }
        let answers = self.app.bus().owner_answers(id).await;
        let answers = answers.inspect_err(|error| tracing::warn!(%error, "an owner cannot be asked"));
        !answers.unwrap_or(true)
    }

    /// Takes over from the owner of epoch `from`, known to be gone, and goes on to the end.
    pub(crate) async fn take_over(&self, id: GenerationId, from: Epoch) -> Left {
        let own = match self.taken_over(id, from).await {
            Ok(own) => own,
            Err(error) => return left(&error),
        };
        if own.cancel_requested() {
            self.settle(own, Settled::Cancelled).await
        } else if own.last_seq() == Seq::START {
            self.make(own).await
        } else {
            self.settle(own, Settled::Interrupted).await
        }
    }

    /// Ends a generation that this worker, its owner in epoch `from`, cannot go on with.
    pub(crate) async fn give_up(&self, id: GenerationId, from: Epoch) -> Left {
        match self.taken_over(id, from).await {
            Ok(own) => self.settle(own, Settled::Failed(Fault::internal())).await,
            Err(error) => left(&error),
        }
    }

    /// Lets go of a generation that this worker, its owner in epoch `from`, has to leave to another: the job goes back at
    /// once. What cannot be recorded is found out by the next owner, more slowly.
    pub(crate) async fn hand_back(&self, id: GenerationId, from: Epoch) -> Left {
        match release_generation(&self.app, id, from).await {
            Ok(()) => Left::Later(Duration::ZERO),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a generation is not let go");
                left(&error)
            }
        }
    }

    /// Steps 1 and 2: fences the log and records what the owners before showed and did not record.
    async fn taken_over(&self, id: GenerationId, from: Epoch) -> Result<Box<Ownership>, CommandError> {
        let mut own = Box::new(take_over_generation(&self.app, id, from, self.id).await?);
        meters::taken_over();
        for epoch in (1..own.epoch().0).rev().map(Epoch) {
            let rest = self.left_behind(StreamKey { generation: id, epoch }, own.last_seq()).await;
            if !rest.is_empty() {
                tracing::info!(epoch = epoch.0, "output of a lost owner is carried over");
                self.carry(&mut own, rest).await?;
                break;
            }
        }
        Ok(own)
    }

    /// What an earlier owner's key holds past `seq`, as far as it follows on without a gap. A stream state that does not
    /// answer has nothing: the log is the truth.
    async fn left_behind(&self, key: StreamKey, seq: Seq) -> Vec<Output> {
        let outputs = match self.stream_state.read_after(key, seq).await {
            Ok(outputs) => outputs.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "a takeover goes on without the stream state");
                Vec::new()
            }
        };
        let mut next = seq.next();
        let follows = |output: &Output| {
            let sound = output.run.from == next && output.run.check().is_ok();
            next = output.run.to().next();
            sound
        };
        outputs.into_iter().take_while(follows).collect()
    }

    async fn carry(&self, own: &mut Ownership, outputs: Vec<Output>) -> Result<(), CommandError> {
        let thinking_ms = outputs.last().and_then(|output| output.thinking_ms);
        let mut left = outputs.into_iter().map(|output| output.run).collect();
        loop {
            let (runs, rest) = cut(left);
            if runs.is_empty() {
                return Ok(());
            }
            record_chunks(&self.app, own, Chunks { runs, carried: true, thinking_ms }).await?;
            left = rest;
        }
    }

    async fn settle(&self, own: Box<Ownership>, how: Settled) -> Left {
        let id = own.id();
        match self.settled(own, how).await {
            Ok(()) => Left::Done,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, generation = %id, "not settled");
                left(&error)
            }
        }
    }

    /// Steps 3 and 4: ends it with the text the log has. What a vendor counted is lost with its owner, so usage is
    /// estimated, and one call is known to have been made when anything was produced.
    async fn settled(&self, mut own: Box<Ownership>, how: Settled) -> Result<(), CommandError> {
        let (status, fault) = match how {
            Settled::Cancelled => (TerminalStatus::Cancelled, None),
            Settled::Interrupted => (TerminalStatus::Interrupted, None),
            Settled::Failed(fault) => (TerminalStatus::Failed, Some(fault)),
        };
        let told = generation_log(self.app.log(), own.id()).await.map_err(command_error)?;
        let produced = own.last_seq() > Seq::START;
        let usage =
            if produced { Some(estimated(self.input_tokens(&own).await, &told.outputs)) } else { None };
        let asked = &own.request().asked;
        let stands_in = self.stands_in(asked);
        let model = self.catalogue.model(&asked.provider, &asked.model).filter(|_| !stands_in);
        let cost = usage.as_ref().zip(model).and_then(|(usage, model)| cost(usage, model, &self.catalogue));
        let content = TerminalContent {
            provider_error: fault.as_ref().map(|fault| fault.message.clone()),
            ..TerminalContent::of_text(&text_of(&told.outputs, Part::Text))
        };
        let terminal = Terminal {
            final_seq: own.last_seq(),
            finish_reason: None,
            usage,
            cost,
            attempts: u32::from(produced),
            first_token_ms: None,
            thinking_ms: told.outputs.last().and_then(|output| output.thinking_ms),
            history_cut: None,
            answered_by: stands_in.then(|| self.stand_in()).flatten(),
            error: fault.map(|fault| ProviderFault { class: fault.class }),
            content: content.into(),
        };
        self.finish(&mut own, Ending { status, terminal }).await
    }

    /// Ends a generation in the log, and counts it.
    pub(crate) async fn finish(&self, own: &mut Ownership, ending: Ending) -> Result<(), CommandError> {
        let status = ending.status;
        finish_generation(&self.app, own, ending).await?;
        meters::ended(status);
        Ok(())
    }
}

fn left(error: &CommandError) -> Left {
    Left::from(error)
}

/// A read that failed, as the use cases say it.
pub(crate) fn command_error(error: QueryError) -> CommandError {
    match error {
        QueryError::Unavailable(cause) => CommandError::Unavailable(cause),
        QueryError::Unreadable(why) => CommandError::Unreadable(why),
    }
}
