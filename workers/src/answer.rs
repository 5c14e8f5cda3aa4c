//! What is known of an answer beside its text: when it began, how long it thought, its digest, its sources, and what all of
//! that makes of its end.

use std::time::Duration;

use sha2::{Digest, Sha256};
use slipstream_domain::event::{
    AnsweredBy, HistoryCut, ProviderFault, Terminal, TerminalContent, ThinkingSignature,
};
use slipstream_domain::{Citation, Cost, Ending, ErrorClass, FinishReason, Seq, TerminalStatus, TokenUsage};
use slipstream_providers::ProviderError;
use tokio::time::Instant;

/// Sources kept of one answer.
const MOST_CITATIONS: usize = 200;
/// Bytes of thinking signatures kept of one answer: with the rest of its end well below what an append may hold.
const MOST_SIGNATURES: usize = 512 * 1024;

/// An answer under way.
#[derive(Debug)]
pub(crate) struct Answer {
    asked_at: Instant,
    first_token: Option<Duration>,
    thought: Option<Duration>,
    thinking_since: Option<Instant>,
    digest: Sha256,
    /// Whether it has a word, or a picture.
    has_content: bool,
    /// The vendor's last count, and in which attempt it came.
    usage: Option<(u32, TokenUsage)>,
    citations: Vec<Citation>,
    signatures: Vec<ThinkingSignature>,
    signature_bytes: usize,
}

/// Why an answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The model has finished.
    Finished(FinishReason),
    /// The user wants it to stop.
    Cancelled,
    /// The worker stops, and nobody else will go on with it.
    Interrupted,
    /// Something went wrong.
    Failed(Fault),
}

/// What went wrong, fit to be shown to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) class: ErrorClass,
    pub(crate) message: String,
    /// Whether another provider may do better.
    pub(crate) transient: bool,
}

/// What the end of an answer says beside what [`Answer`] knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    pub(crate) final_seq: Seq,
    pub(crate) attempts: u32,
    pub(crate) usage: Option<TokenUsage>,
    pub(crate) cost: Option<Cost>,
    pub(crate) history_cut: Option<HistoryCut>,
    pub(crate) answered_by: Option<AnsweredBy>,
}

impl Fault {
    pub(crate) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), transient: false }
    }

    /// A fault of ours; what it was is in the server's log, not in the user's answer.
    pub(crate) fn internal() -> Self {
        Self::new(ErrorClass::Internal, "Something went wrong in Slipstream itself. Please try again.")
    }

    /// A model that ended without a word (`03-wire-protocol`, compat rule 7: a provider that returns nothing is an error).
    fn empty(reason: &FinishReason) -> Self {
        match reason {
            FinishReason::ContentFilter | FinishReason::Refusal => {
                Self::new(ErrorClass::ContentFiltered, "The model declined to answer.")
            }
            FinishReason::Length => {
                Self::new(ErrorClass::Protocol, "The model reached its output limit before it said anything.")
            }
            FinishReason::Stop | FinishReason::ToolUse | FinishReason::Pause | FinishReason::Other(_) => {
                Self::new(ErrorClass::Protocol, "The model returned an empty answer.")
            }
        }
    }
}

impl From<ProviderError> for Fault {
    fn from(error: ProviderError) -> Self {
        Self { transient: error.is_transient(), ..Self::new(error.class(), error.message()) }
    }
}

impl Answer {
    /// An answer asked for now.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            asked_at: now,
            first_token: None,
            thought: None,
            thinking_since: None,
            digest: Sha256::new(),
            has_content: false,
            usage: None,
            citations: Vec::new(),
            signatures: Vec::new(),
            signature_bytes: 0,
        }
    }

    /// More of the answer; it is not thinking (any more).
    pub(crate) fn said(&mut self, text: &str, now: Instant) {
        self.begun(now);
        if let Some(since) = self.thinking_since.take() {
            self.thought = Some(self.thought.unwrap_or_default() + (now - since));
        }
        self.has_content |= !text.is_empty();
        self.digest.update(text);
    }

    /// A picture of it has been kept.
    pub(crate) fn pictured(&mut self, now: Instant) {
        self.begun(now);
        self.has_content = true;
    }

    /// It is thinking.
    pub(crate) fn thought(&mut self, now: Instant) {
        self.begun(now);
        self.thinking_since.get_or_insert(now);
    }

    fn begun(&mut self, now: Instant) {
        if self.first_token.is_none() {
            self.first_token = Some(now - self.asked_at);
        }
    }

    /// A proof of the thinking up to `seq`.
    pub(crate) fn signed(&mut self, seq: Seq, bytes: String) {
        if self.signature_bytes + bytes.len() <= MOST_SIGNATURES {
            self.signature_bytes += bytes.len();
            self.signatures.push(ThinkingSignature { seq, bytes });
        }
    }

    /// A source; one that is known already changes nothing.
    pub(crate) fn cited(&mut self, citation: Citation) {
        let known = self.citations.iter().any(|known| known.url == citation.url);
        if !known && self.citations.len() < MOST_CITATIONS {
            self.citations.push(citation);
        }
    }

    /// What the vendor has counted so far, in its `attempt`th attempt.
    pub(crate) fn counted(&mut self, usage: TokenUsage, attempt: u32) {
        self.usage = Some((attempt, usage));
    }

    /// Takes what `attempts` attempts took: the vendor's last count, and the `estimate` of the last attempt when it was cut
    /// before anything of it was counted.
    pub(crate) fn take_usage(
        &mut self,
        attempts: u32,
        estimate: Option<TokenUsage>,
    ) -> impl Iterator<Item = TokenUsage> + use<> {
        let counted = self.usage.take();
        let uncounted = counted.is_none_or(|(attempt, _)| attempt < attempts);
        counted.map(|(_, usage)| usage).into_iter().chain(estimate.filter(|_| uncounted))
    }

    /// Whether nothing of an answer has come yet.
    pub(crate) fn is_blank(&self) -> bool {
        self.first_token.is_none() && self.citations.is_empty() && self.signatures.is_empty()
    }

    /// Milliseconds of thinking up to now; `None` when it has not thought.
    pub(crate) fn thinking_ms(&self, now: Instant) -> Option<u64> {
        let running = self.thinking_since.map(|since| now - since);
        let total = match (self.thought, running) {
            (None, None) => return None,
            (thought, running) => thought.unwrap_or_default() + running.unwrap_or_default(),
        };
        Some(millis(total))
    }

    /// The end as the log records it.
    ///
    /// A provider that fails after output was shown ends the answer as failed, not as interrupted: interrupted says that
    /// the *owner* was lost, or stopped. The text that was shown is kept in both cases.
    pub(crate) fn ending(self, end: End, sums: Sums, now: Instant) -> Ending {
        let thinking_ms = self.thinking_ms(now);
        let (status, finish_reason, fault) = match end {
            End::Finished(reason) if self.has_content => (TerminalStatus::Completed, Some(reason), None),
            End::Finished(reason) => {
                let fault = Fault::empty(&reason);
                (TerminalStatus::Failed, Some(reason), Some(fault))
            }
            End::Cancelled => (TerminalStatus::Cancelled, None, None),
            End::Interrupted => (TerminalStatus::Interrupted, None, None),
            End::Failed(fault) => (TerminalStatus::Failed, None, Some(fault)),
        };
        let content = TerminalContent {
            digest: hex::encode(self.digest.finalize()),
            citations: self.citations,
            thinking_signatures: self.signatures,
            provider_error: fault.as_ref().map(|fault| fault.message.clone()),
        };
        let terminal = Terminal {
            final_seq: sums.final_seq,
            finish_reason,
            usage: sums.usage,
            cost: sums.cost,
            attempts: sums.attempts,
            first_token_ms: self.first_token.map(millis),
            thinking_ms,
            history_cut: sums.history_cut,
            answered_by: sums.answered_by,
            error: fault.map(|fault| ProviderFault { class: fault.class }),
            content: content.into(),
        };
        Ending { status, terminal }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use slipstream_domain::UsageSource;

    use super::*;

    fn sums() -> Sums {
        Sums { final_seq: Seq(1), attempts: 1, ..Sums::default() }
    }

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn thinking_is_timed_from_its_first_delta_to_the_text_and_again_when_it_returns() {
        let start = Instant::now();
        let mut answer = Answer::new(start);
        assert_eq!(answer.thinking_ms(at(start, 50)), None);
        answer.thought(at(start, 100));
        assert_eq!(answer.thinking_ms(at(start, 150)), Some(50));
        answer.thought(at(start, 200));
        answer.said("a", at(start, 300));
        assert_eq!(answer.thinking_ms(at(start, 900)), Some(200));
        answer.thought(at(start, 1000));
        answer.said("b", at(start, 1010));
        let ending = answer.ending(End::Cancelled, sums(), at(start, 2000));
        assert_eq!((ending.terminal.thinking_ms, ending.terminal.first_token_ms), (Some(210), Some(100)));
    }

    #[test]
    fn the_digest_is_of_the_text_alone_however_it_was_cut() {
        let now = Instant::now();
        let mut answer = Answer::new(now);
        answer.thought(now);
        answer.said("hel", now);
        answer.said("lo", now);
        let ending = answer.ending(End::Finished(FinishReason::Stop), sums(), now);
        let content = ending.terminal.content.into_open().unwrap();
        assert_eq!(content.digest, TerminalContent::of_text("hello").digest);
    }

    #[test]
    fn an_answer_without_text_has_failed_whatever_its_model_says() {
        let now = Instant::now();
        for (reason, class) in [
            (FinishReason::Stop, ErrorClass::Protocol),
            (FinishReason::Length, ErrorClass::Protocol),
            (FinishReason::Refusal, ErrorClass::ContentFiltered),
        ] {
            let mut answer = Answer::new(now);
            answer.thought(now);
            let ending = answer.ending(End::Finished(reason.clone()), sums(), now);
            assert_eq!(ending.status, TerminalStatus::Failed);
            assert_eq!(ending.terminal.error, Some(ProviderFault { class }));
            assert_eq!(ending.terminal.finish_reason, Some(reason));
        }
    }

    #[test]
    fn a_true_finish_reason_is_kept() {
        let now = Instant::now();
        let mut answer = Answer::new(now);
        answer.said("half an ans", now);
        let ending = answer.ending(End::Finished(FinishReason::Length), sums(), now);
        assert_eq!(ending.status, TerminalStatus::Completed);
        assert_eq!(ending.terminal.finish_reason, Some(FinishReason::Length));
    }

    #[test]
    fn tokens_of_earlier_attempts_are_kept_when_the_last_is_cut_before_it_is_counted() {
        let of = |output, source| TokenUsage {
            input: 10,
            cached_input: 0,
            output,
            reasoning: 0,
            total: 10 + output,
            source,
        };
        let (counted, estimate) = (of(5, UsageSource::Provider), of(3, UsageSource::Estimated));
        let usage = |attempts, estimate| {
            let mut answer = Answer::new(Instant::now());
            answer.counted(counted, 1);
            answer.take_usage(attempts, estimate).map(|usage| (usage.total, usage.source)).collect::<Vec<_>>()
        };
        let (first, last) = ((15, UsageSource::Provider), (13, UsageSource::Estimated));
        assert_eq!(usage(1, Some(estimate)), [first]);
        assert_eq!(usage(2, Some(estimate)), [first, last]);
        assert_eq!(usage(2, None), [first], "the last one said nothing");
    }

    #[test]
    fn a_source_named_twice_is_kept_once() {
        let now = Instant::now();
        let mut answer = Answer::new(now);
        for title in [None, Some("again".to_owned())] {
            answer.cited(Citation { url: "https://example.com".into(), title });
        }
        assert_eq!(answer.citations.len(), 1);
    }
}
