//! Events of a generation's stream: one attempt at a reply.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::codec::events;
use crate::ids::{AttachmentId, ConversationId, MessageId, UserId, WorkerId};
use crate::run::{MalformedRun, Part, Run};
use crate::sealed::Sealed;
use crate::values::{
    Citation, Cost, Epoch, ErrorClass, FinishReason, GenerationKind, KeySource, ModelId, Params, ProviderId,
    Seq, SystemPrompt, TokenUsage,
};

events! {
    /// What happens to one attempt at a reply.
    GenerationEvent {
        /// Somebody asks for a reply.
        GenerationRequested(GenerationRequested) 2 sealed content;
        /// A worker has taken it: the first owner.
        GenerationStarted(GenerationStarted) 1;
        /// Another worker has taken it from an owner that is gone.
        GenerationTakenOver(GenerationTakenOver) 1;
        /// Output was produced. The one place where a reply's text is stored.
        ChunksRecorded(ChunksRecorded) 1 sealed texts;
        /// The user wants it to stop.
        CancelRequested(CancelRequested) 1;
        /// The provider finished.
        GenerationCompleted(Terminal) 1 sealed content;
        /// It was stopped.
        GenerationCancelled(Terminal) 1 sealed content;
        /// Its owner was lost after output had been shown.
        GenerationInterrupted(Terminal) 1 sealed content;
        /// It could not be answered.
        GenerationFailed(Terminal) 1 sealed content;
    }
}

/// Somebody asks for a reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenerationRequested {
    /// Where.
    pub conversation_id: ConversationId,
    /// The reply's message.
    pub message_id: MessageId,
    /// Whom it asks.
    pub provider: ProviderId,
    /// Which model.
    pub model: ModelId,
    /// With which parameters: the request's own, else those of the conversation's settings.
    pub params: Params,
    /// What of parameters and instructions the request said itself; absent when all of it is (since version 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnWords>,
    /// Whose key pays.
    pub key_source: KeySource,
    /// What is made.
    pub kind: GenerationKind,
    /// Under which instructions.
    #[serde(skip)]
    pub content: Sealed<RequestContent>,
}

/// What a request said itself of its parameters and instructions; the rest came from the conversation's settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnWords {
    /// The parameters.
    pub params: Params,
    /// Whether the instructions are its own.
    pub system_prompt: bool,
}

impl GenerationRequested {
    /// What the request said itself, to be asked again under the settings that hold then; `None` when its instructions
    /// are erased.
    #[must_use]
    pub fn own_words(&self) -> Option<(Params, Option<SystemPrompt>)> {
        let said = self.content.open()?.system_prompt.clone();
        Some(match self.own {
            None => (self.params, said),
            Some(own) => (own.params, said.filter(|_| own.system_prompt)),
        })
    }
}

/// The instructions of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestContent {
    /// Standing instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<SystemPrompt>,
}

/// What did not fit into the model's context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryCut {
    /// How many of the oldest turns were left out.
    pub turns_dropped: u32,
}

/// A worker has taken it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenerationStarted {
    /// Always the first.
    pub epoch: Epoch,
    /// Who.
    pub worker: WorkerId,
}

/// Another worker has taken it, or its worker has let it go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenerationTakenOver {
    /// One more than the last owner's.
    pub epoch: Epoch,
    /// Who; [`WorkerId::NOBODY`] when it was let go.
    pub worker: WorkerId,
    /// The last delta recorded before.
    pub last_seq: Seq,
}

/// Output was produced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChunksRecorded {
    /// The owner's epoch.
    pub epoch: Epoch,
    /// Whether an earlier owner produced it and it was found in the stream state.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub carried: bool,
    /// The first delta.
    pub from_seq: Seq,
    /// The last delta.
    pub to_seq: Seq,
    /// How long the model has thought so far, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_ms: Option<u64>,
    /// The shape of each run.
    pub parts: Vec<RecordedPart>,
    /// The text of each run, in the order of `parts`; empty for an image.
    #[serde(skip)]
    pub texts: Sealed<Texts>,
}

/// The sealed half of [`ChunksRecorded`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Texts {
    texts: Vec<String>,
}

/// The shape of one run within [`ChunksRecorded`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordedPart {
    /// Which part.
    pub part: Part,
    /// Bytes of that part before it.
    pub start_offset: u64,
    /// Byte end of each delta within the run's text.
    pub ends: Vec<u32>,
    /// The image, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment_id: Option<AttachmentId>,
}

impl ChunksRecorded {
    /// The event that records `runs`, which must be consecutive and not empty.
    #[must_use]
    pub fn of(epoch: Epoch, carried: bool, thinking_ms: Option<u64>, runs: Vec<Run>) -> Option<Self> {
        let from_seq = runs.first()?.from;
        let to_seq = runs.last()?.to();
        let mut texts = Vec::with_capacity(runs.len());
        let mut parts = Vec::with_capacity(runs.len());
        for run in runs {
            let Run { from: _, part, start_offset, ends, text, attachment } = run;
            texts.push(text);
            parts.push(RecordedPart { part, start_offset, ends, attachment_id: attachment });
        }
        Some(Self {
            epoch,
            carried,
            from_seq,
            to_seq,
            thinking_ms,
            parts,
            texts: Sealed::Open(Texts { texts }),
        })
    }

    /// The recorded runs; erased with their owner.
    ///
    /// # Errors
    /// The stored shape and the stored texts do not fit together.
    pub fn runs(&self) -> Result<Sealed<Vec<Run>>, MalformedRun> {
        let Sealed::Open(Texts { texts }) = &self.texts else {
            return Ok(Sealed::Erased);
        };
        if texts.len() != self.parts.len() {
            return Err(MalformedRun);
        }
        let mut from = self.from_seq;
        let mut runs = Vec::with_capacity(texts.len());
        for (part, text) in self.parts.iter().zip(texts) {
            let run = Run {
                from,
                part: part.part,
                start_offset: part.start_offset,
                ends: part.ends.clone(),
                text: text.clone(),
                attachment: part.attachment_id,
            };
            run.check()?;
            from = run.to().next();
            runs.push(run);
        }
        if from == self.to_seq.next() { Ok(Sealed::Open(runs)) } else { Err(MalformedRun) }
    }
}

/// The user wants it to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelRequested {
    /// Who asks.
    pub by: UserId,
}

/// How a generation ended: the same shape for every status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Terminal {
    /// The last delta's number; 0 when there was none.
    pub final_seq: Seq,
    /// Why the model stopped, when it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<FinishReason>,
    /// Tokens, all attempts summed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TokenUsage>,
    /// What they cost; absent when a price is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// How often a provider was called.
    pub attempts: u32,
    /// From the first call to the first delta, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u64>,
    /// How long the model thought, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_ms: Option<u64>,
    /// What did not fit into the model's context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history_cut: Option<HistoryCut>,
    /// Who answered, when it was not the model that was asked but the one configured to stand in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<AnsweredBy>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ProviderFault>,
    /// The personal half.
    #[serde(skip)]
    pub content: Sealed<TerminalContent>,
}

/// A model that answered for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnsweredBy {
    /// Who runs it.
    pub provider: ProviderId,
    /// Which.
    pub model: ModelId,
}

/// The class of a failure, as far as it may stand in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderFault {
    /// The class.
    pub class: ErrorClass,
}

/// What of an end is personal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TerminalContent {
    /// SHA-256 of the whole text part, in hex.
    pub digest: String,
    /// Sources the model named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<Citation>,
    /// Proofs of thinking, to be sent back to the vendor unchanged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thinking_signatures: Vec<ThinkingSignature>,
    /// What the provider said of its failure, redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_error: Option<String>,
}

impl TerminalContent {
    /// The end of a reply whose text part is `text`, with nothing else to tell.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self { digest: hex::encode(Sha256::digest(text.as_bytes())), ..Self::default() }
    }
}

/// A vendor's proof of a stretch of thinking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThinkingSignature {
    /// The delta it came after.
    pub seq: Seq,
    /// The proof, as the vendor wrote it.
    pub bytes: String,
}
