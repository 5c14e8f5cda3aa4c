//! The built-in provider: deterministic, without a network, for the first run and for tests. Its answer follows from
//! the request alone, so that a test can say beforehand what must arrive.

mod directive;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use slipstream_domain::{ErrorClass, FinishReason, ProviderId, TokenUsage, UsageSource};
use tokio_util::sync::CancellationToken;

pub use directive::{Directive, DirectiveError};

use crate::delta::until_cancelled;
use crate::{
    Capability, Catalogue, ChatRequest, Delta, DeltaStream, Model, Provider, ProviderError, Tool, ToolState,
    Turn, estimate_tokens,
};

/// The adapter. Asked for another provider's model it stands in for it, and says that no key is set.
#[derive(Debug)]
pub(crate) struct Simulated {
    id: ProviderId,
    catalogue: Arc<Catalogue>,
}

impl Simulated {
    /// The catalogue tells how the providers it stands in for are called, and which setting holds their keys.
    pub(crate) fn new(catalogue: Arc<Catalogue>) -> Self {
        Self { id: ProviderId::simulated(), catalogue }
    }
}

/// How an answer comes: its pieces, the wait before each, and its end.
struct Plan {
    thinking: Vec<String>,
    text: Vec<String>,
    delay: Duration,
    failure: Option<ProviderError>,
}

impl Provider for Simulated {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn stream(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        let prompt = match request.history.last() {
            Some(Turn::User { text, .. }) => text,
            Some(Turn::Assistant { .. }) | None => "",
        };
        let plan = match Directive::find(prompt) {
            Ok(Some(directive)) => Plan::of(&directive),
            Ok(None) if !request.model.can(Capability::Chat) => {
                return until_cancelled(picture(request), cancel);
            }
            Ok(None) => Plan::greeting(&greeting(&self.catalogue, &request.model)),
            Err(error) => Plan::refusal(&error),
        };
        until_cancelled(plan.stream(request), cancel)
    }

    fn title(&self, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
        let prompt = request.history.last().map_or("", Turn::text);
        let text = vec![title(prompt)];
        let plan = Plan { thinking: Vec::new(), text, delay: Directive::DEFAULT_DELAY, failure: None };
        until_cancelled(plan.stream(request), cancel)
    }
}

/// The picture it makes of everything: a red disc.
const PICTURE: &[u8] = include_bytes!("simulated/picture.png");

fn picture(request: &ChatRequest) -> DeltaStream {
    let deltas = [
        Delta::ToolStatus { tool: Tool::ImageGeneration, state: ToolState::Running },
        Delta::Image { mime: "image/png".to_owned(), bytes: Bytes::from_static(PICTURE) },
        Delta::Usage(usage(request, &[], &[])),
        Delta::Finish { reason: FinishReason::Stop },
    ];
    stream::iter(deltas.map(Ok)).boxed()
}

/// The title it finds for a prompt: its first six words that are no directive, with a capital letter.
#[must_use]
pub fn title(prompt: &str) -> String {
    let (before, rest) = prompt.split_once("[[").unwrap_or((prompt, ""));
    let after = rest.split_once("]]").map_or("", |(_, after)| after);
    let words: Vec<_> = before.split_whitespace().chain(after.split_whitespace()).take(6).collect();
    let text = words.join(" ");
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "A simulated conversation".to_owned(),
    }
}

/// What it answers to a prompt without a directive.
#[must_use]
pub fn greeting(catalogue: &Catalogue, model: &Model) -> String {
    let vendor =
        catalogue.vendor(&model.provider).filter(|vendor| vendor.id.as_str() != ProviderId::SIMULATED);
    let opening = match vendor {
        Some(vendor) => {
            let setting = vendor.key_setting.as_deref().unwrap_or("its key");
            format!(
                "No key for {} is set, so Slipstream's simulated provider answers in place of {}. Set {setting} and \
                 start again to reach the real model.",
                vendor.name, model.name
            )
        }
        None => "Hello! This is Slipstream's simulated provider; no AI model was asked.".to_owned(),
    };
    format!(
        "{opening}\n\nEverything else is real: this answer was streamed to you, recorded in the log, and can be resumed \
         from any word. A directive in the prompt shapes it – try [[chunks=200 delay_ms=20]]."
    )
}

impl Plan {
    fn of(directive: &Directive) -> Self {
        let mut text = pieces(&directive.text(), directive.bytes);
        let failure = directive.fail_after.map(|after| {
            text.truncate(after);
            ProviderError::new(directive.error, "the simulated provider fails as its directive says")
        });
        Self {
            thinking: pieces(&directive.thinking_text(), directive.bytes),
            text,
            delay: directive.delay,
            failure,
        }
    }

    fn greeting(text: &str) -> Self {
        let words = text.split_inclusive(' ').map(str::to_owned).collect();
        Self { thinking: Vec::new(), text: words, delay: Directive::DEFAULT_DELAY, failure: None }
    }

    fn refusal(error: &DirectiveError) -> Self {
        let failure = ProviderError::new(ErrorClass::InvalidRequest, &error.to_string());
        Self { thinking: Vec::new(), text: Vec::new(), delay: Duration::ZERO, failure: Some(failure) }
    }

    fn stream(self, request: &ChatRequest) -> DeltaStream {
        let Self { thinking, text, delay, failure } = self;
        let ending = match failure {
            Some(error) => vec![Err(error)],
            None => vec![
                Ok(Delta::Usage(usage(request, &thinking, &text))),
                Ok(Delta::Finish { reason: FinishReason::Stop }),
            ],
        };
        let pieces = thinking.into_iter().map(Delta::Thinking).chain(text.into_iter().map(Delta::Text));
        let paced = stream::iter(pieces).then(move |piece| async move {
            if delay.is_zero() {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(delay).await;
            }
            Ok(piece)
        });
        paced.chain(stream::iter(ending)).boxed()
    }
}

/// `text` in pieces of `bytes` bytes. It is ASCII, so every place is a character's edge.
fn pieces(text: &str, bytes: usize) -> Vec<String> {
    text.as_bytes().chunks(bytes).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
}

/// By the same guess as everywhere (a quarter of the bytes), but stated as the provider's own: it is the provider.
fn usage(request: &ChatRequest, thinking: &[String], text: &[String]) -> TokenUsage {
    let input = request.system.as_deref().map_or(0, estimate_tokens)
        + request.history.iter().map(|turn| estimate_tokens(turn.text())).sum::<u64>();
    let reasoning = estimate_tokens(&thinking.concat());
    let output = reasoning + estimate_tokens(&text.concat());
    TokenUsage {
        input,
        cached_input: 0,
        output,
        reasoning,
        total: input + output,
        source: UsageSource::Provider,
    }
}
