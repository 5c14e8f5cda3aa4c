//! One answer in several rounds: a model that searches long pauses its turn (`pause_turn`), and goes on when it is sent
//! what it has said so far.

use std::sync::PoisonError;

use futures::{StreamExt, stream};
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use slipstream_domain::{FinishReason, TokenUsage};
use tokio_util::sync::CancellationToken;

use super::body::body;
use super::events::{MessagesDecoder, Paused};
use crate::exchange::{Exchange, ask};
use crate::http::Http;
use crate::usage::sum_usage;
use crate::{ApiKey, ChatRequest, Delta, DeltaStream, ProviderError};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const API_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// A model that pauses more often than this is left paused.
const MOST_ROUNDS: u32 = 8;

/// Asks, and asks to go on as long as the model pauses. Usage is that of all rounds.
pub(super) fn stream(http: Http, url: Url, request: &ChatRequest, cancel: CancellationToken) -> DeltaStream {
    let rounds = Rounds {
        http,
        url,
        key: request.key.clone(),
        cancel,
        body: body(request),
        // Only searching makes a turn so long that it pauses.
        may_pause: request.searches(),
        paused: Paused::default(),
        current: None,
        round: 0,
        spent: None,
        finish: None,
    };
    stream::unfold(rounds, |mut rounds| async move { rounds.next().await.map(|item| (item, rounds)) }).boxed()
}

struct Rounds {
    http: Http,
    url: Url,
    key: Option<ApiKey>,
    cancel: CancellationToken,
    body: Result<Value, ProviderError>,
    may_pause: bool,
    paused: Paused,
    current: Option<DeltaStream>,
    round: u32,
    /// Tokens of the rounds so far. Told at the end only, like those of one round.
    spent: Option<TokenUsage>,
    /// Handed out after them.
    finish: Option<Result<Delta, ProviderError>>,
}

impl Rounds {
    async fn next(&mut self) -> Option<Result<Delta, ProviderError>> {
        if self.finish.is_some() {
            return self.finish.take();
        }
        loop {
            if self.current.is_none() {
                self.current = Some(self.ask());
            }
            match self.current.as_mut()?.next().await? {
                Ok(Delta::Usage(usage)) => {
                    self.spent = Some(self.spent.map_or(usage, |spent| sum_usage(spent, usage)));
                }
                Ok(Delta::Finish { reason: FinishReason::Pause }) if self.goes_on() => self.current = None,
                finish @ Ok(Delta::Finish { .. }) => match self.spent.take() {
                    Some(spent) => {
                        self.finish = Some(finish);
                        return Some(Ok(Delta::Usage(spent)));
                    }
                    None => return Some(finish),
                },
                item => return Some(item),
            }
        }
    }

    fn ask(&mut self) -> DeltaStream {
        self.round += 1;
        let exchange = self.body.clone().and_then(|body| {
            let mut exchange = Exchange::keyed(self.url.clone(), API_KEY, self.key.as_ref(), body)?;
            exchange.headers.insert(API_VERSION, HeaderValue::from_static("2023-06-01"));
            Ok(exchange)
        });
        let decoder = if self.may_pause {
            MessagesDecoder::leaving(self.paused.clone())
        } else {
            MessagesDecoder::default()
        };
        ask(&self.http, exchange, decoder, self.key.as_ref(), self.cancel.clone())
    }

    /// Prepares the next round, if there is to be one.
    fn goes_on(&mut self) -> bool {
        let blocks = std::mem::take(&mut *self.paused.lock().unwrap_or_else(PoisonError::into_inner));
        let messages = self.body.as_mut().ok().and_then(|body| body["messages"].as_array_mut());
        let (Some(messages), false) = (messages, blocks.is_empty() || self.round >= MOST_ROUNDS) else {
            return false;
        };
        messages.push(json!({ "role": "assistant", "content": blocks }));
        true
    }
}
