//! One call: attempts with waits between them, guarded by the circuit breaker, until the first delta; after that what
//! comes is what there is, because output that was shown is never asked for twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use slipstream_domain::{ErrorClass, TokenUsage};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::breaker::{Breaker, Permit};
use crate::delta::until_cancelled;
use crate::meters;
use crate::retry::{Jitter, RetryPolicy};
use crate::usage::sum_usage;
use crate::{ChatRequest, Delta, DeltaStream, Provider, ProviderError};

/// An answer on its way.
pub struct Call {
    /// The answer. [`Delta::Usage`] is cumulative over all attempts.
    pub deltas: DeltaStream,
    /// How often the vendor has been asked; may be read at any time.
    pub attempts: Attempts,
}

/// How often the vendor has been asked so far. 0 when the circuit was open.
#[derive(Debug, Clone, Default)]
pub struct Attempts(Arc<AtomicU32>);

impl Attempts {
    /// The number.
    #[must_use]
    pub fn made(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What all calls share.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) retry: RetryPolicy,
    pub(crate) breaker: Breaker,
    pub(crate) jitter: Jitter,
}

/// Lazy: the vendor is first asked when `deltas` is first polled.
pub(crate) fn call(
    provider: Arc<dyn Provider>,
    request: ChatRequest,
    cancel: CancellationToken,
    rules: Rules,
) -> Call {
    let attempts = Attempts::default();
    let run = Run {
        provider,
        request,
        cancel: cancel.clone(),
        rules,
        attempts: attempts.clone(),
        current: None,
        shown: false,
        counted: false,
        spent: None,
        latest: None,
        over: false,
    };
    let deltas =
        stream::unfold(run, |mut run| async move { run.next().await.map(|item| (item, run)) }).boxed();
    Call { deltas: until_cancelled(deltas, cancel), attempts }
}

struct Run {
    provider: Arc<dyn Provider>,
    request: ChatRequest,
    cancel: CancellationToken,
    rules: Rules,
    attempts: Attempts,
    /// The attempt under way.
    current: Option<Attempt>,
    /// Whether anything of an answer has been handed out.
    shown: bool,
    /// Whether the circuit knows of a failure of this call. It hears of one: a call that asks again is one user's still.
    counted: bool,
    /// Tokens of attempts that failed.
    spent: Option<TokenUsage>,
    /// The last usage handed out: `spent` and the current attempt's.
    latest: Option<TokenUsage>,
    over: bool,
}

/// One request, while it is answered.
struct Attempt {
    deltas: DeltaStream,
    permit: Permit,
    asked_at: Instant,
    span: Span,
}

impl Run {
    async fn next(&mut self) -> Option<Result<Delta, ProviderError>> {
        while !self.over {
            if self.current.is_none()
                && let Err(error) = self.attempt()
            {
                self.over = true;
                return Some(Err(error));
            }
            let attempt = self.current.as_mut()?;
            // The span lasts as long as the attempt. It is entered for the request, which tells the vendor of it, and not
            // once more for every delta.
            let item = if self.shown {
                attempt.deltas.next().await
            } else {
                attempt.deltas.next().instrument(attempt.span.clone()).await
            };
            match item {
                Some(Ok(delta)) => {
                    attempt.permit.answering();
                    return Some(Ok(self.passed_on(delta)));
                }
                Some(Err(error)) => {
                    let Some(wait) = self.failed(&error) else {
                        self.over = true;
                        return Some(Err(error));
                    };
                    tokio::time::sleep(wait).await;
                }
                None => self.over = true,
            }
        }
        None
    }

    fn attempt(&mut self) -> Result<(), ProviderError> {
        let key = (self.provider.id().clone(), self.request.key_owner);
        let permit = self.rules.breaker.admit(key, Instant::now()).map_err(|open| {
            let seconds = open.wait.as_secs().max(1);
            let message =
                format!("{} failed repeatedly; it is asked again in {seconds} s", self.provider.id());
            ProviderError::new(ErrorClass::Overloaded, &message).with_retry_after(Some(open.wait))
        })?;
        self.attempts.one_more();
        let (provider, attempt) = (self.provider.id(), self.attempts.made());
        meters::request(provider, attempt);
        self.current = Some(Attempt {
            deltas: self.provider.stream(&self.request, self.cancel.clone()),
            permit,
            asked_at: Instant::now(),
            span: tracing::info_span!("provider_call", provider.id = %provider, attempt),
        });
        Ok(())
    }

    /// Closes the failed attempt; says how long to wait for the next, if there is to be one.
    fn failed(&mut self, error: &ProviderError) -> Option<Duration> {
        meters::failure(self.provider.id(), error.class());
        if let Some(Attempt { permit, .. }) = self.current.take() {
            self.settle(permit, error);
        }
        self.spent = self.latest;
        if self.shown {
            return None;
        }
        let attempt = self.attempts.made();
        let wait = self.rules.retry.wait_after(attempt, error, (self.rules.jitter)())?;
        tracing::warn!(
            provider.id = %self.provider.id(),
            error.class = error.class().as_str(),
            attempt,
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "the provider failed; asking again"
        );
        Some(wait)
    }

    fn settle(&mut self, permit: Permit, error: &ProviderError) {
        if !error.is_outage() {
            permit.succeeded();
        } else if !self.counted || permit.is_probe() {
            self.counted = true;
            permit.failed(Instant::now());
        }
    }

    fn passed_on(&mut self, delta: Delta) -> Delta {
        match delta {
            Delta::Usage(usage) => {
                let total = self.spent.map_or(usage, |spent| sum_usage(spent, usage));
                self.latest = Some(total);
                Delta::Usage(total)
            }
            Delta::Finish { .. } => {
                self.over = true;
                if let Some(Attempt { permit, .. }) = self.current.take() {
                    permit.succeeded();
                }
                delta
            }
            Delta::Text(_)
            | Delta::Thinking(_)
            | Delta::ThinkingSignature(_)
            | Delta::Image { .. }
            | Delta::Citation(_)
            | Delta::ToolStatus { .. } => {
                if let Some(attempt) = self.current.as_ref().filter(|_| !self.shown) {
                    meters::first_token(self.provider.id(), attempt.asked_at.elapsed());
                }
                self.shown = true;
                delta
            }
        }
    }
}

#[cfg(test)]
mod tests;
