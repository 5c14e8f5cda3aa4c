//! A call against a scripted provider, on a clock that is moved by hand.
#![allow(clippy::unnecessary_wraps, reason = "the helpers make items as the stream has them")]

use std::sync::Mutex;

use slipstream_domain::{FinishReason, ModelId, Params, ProviderId, UsageSource};

use super::*;
use crate::breaker::BreakerPolicy;
use crate::{Catalogue, KeyOwner, Turn};

type Items = Vec<Result<Delta, ProviderError>>;

/// Answers each attempt with the next of its scripts, then never again.
struct Scripted {
    id: ProviderId,
    attempts: Mutex<Vec<Items>>,
}

impl Provider for Scripted {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn stream(&self, _: &ChatRequest, _: CancellationToken) -> DeltaStream {
        let mut attempts = self.attempts.lock().unwrap();
        if attempts.is_empty() {
            return stream::pending().boxed();
        }
        stream::iter(attempts.remove(0)).boxed()
    }
}

fn openai() -> ProviderId {
    ProviderId::parse("openai").unwrap()
}

fn rules(failures: usize) -> Rules {
    Rules {
        retry: RetryPolicy::default(),
        breaker: Breaker::new(BreakerPolicy { failures, ..BreakerPolicy::default() }),
        jitter: Arc::new(|| 1.0),
    }
}

fn start(attempts: Vec<Items>, rules: &Rules, cancel: &CancellationToken) -> Call {
    let catalogue = Catalogue::shipped().unwrap();
    let model = catalogue.model(&openai(), &ModelId::parse("gpt-4.1").unwrap()).unwrap();
    let request = ChatRequest {
        model: Arc::clone(model),
        system: None,
        history: vec![Turn::User { text: "hello".to_owned(), attachments: Vec::new() }],
        params: Params::default(),
        thinking: false,
        web_search: false,
        user_location: None,
        key: None,
        key_owner: KeyOwner::Server,
    };
    let provider = Arc::new(Scripted { id: openai(), attempts: Mutex::new(attempts) });
    call(provider, request, cancel.clone(), rules.clone())
}

async fn run(attempts: Vec<Items>, rules: &Rules) -> (Items, u32) {
    let call = start(attempts, rules, &CancellationToken::new());
    (call.deltas.collect().await, call.attempts.made())
}

fn text(text: &str) -> Result<Delta, ProviderError> {
    Ok(Delta::Text(text.to_owned()))
}

fn done() -> Result<Delta, ProviderError> {
    Ok(Delta::Finish { reason: FinishReason::Stop })
}

fn fails(class: ErrorClass) -> Result<Delta, ProviderError> {
    Err(ProviderError::new(class, "scripted"))
}

fn usage(input: u64, output: u64) -> Result<Delta, ProviderError> {
    let source = UsageSource::Provider;
    Ok(Delta::Usage(TokenUsage {
        input,
        cached_input: 0,
        output,
        reasoning: 0,
        total: input + output,
        source,
    }))
}

#[tokio::test(start_paused = true)]
async fn it_waits_half_a_second_then_a_whole_one_and_then_gives_up() {
    let started = Instant::now();
    let busy = || vec![fails(ErrorClass::Overloaded)];
    let (items, attempts) = run(vec![busy(), busy(), busy()], &rules(99)).await;
    assert_eq!((items, attempts), (vec![fails(ErrorClass::Overloaded)], 3));
    assert_eq!(started.elapsed(), Duration::from_millis(500 + 1000));
}

#[tokio::test(start_paused = true)]
async fn it_waits_as_long_as_the_vendor_asks() {
    let started = Instant::now();
    let limited = ProviderError::new(ErrorClass::RateLimited, "slow down")
        .with_retry_after(Some(Duration::from_secs(7)));
    let (items, attempts) = run(vec![vec![Err(limited)], vec![text("hi"), done()]], &rules(99)).await;
    assert_eq!((items, attempts), (vec![text("hi"), done()], 2));
    assert_eq!(started.elapsed(), Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn after_the_first_delta_an_error_is_final() {
    let broken = vec![text("half"), fails(ErrorClass::Network)];
    let (items, attempts) = run(vec![broken.clone(), vec![text("again"), done()]], &rules(99)).await;
    assert_eq!((items, attempts), (broken, 1));
}

#[tokio::test(start_paused = true)]
async fn usage_alone_is_no_delta_and_adds_up_over_attempts() {
    let first = vec![usage(10, 1), fails(ErrorClass::Overloaded)];
    let second = vec![usage(5, 0), usage(12, 3), fails(ErrorClass::Timeout)];
    let third = vec![text("hi"), usage(20, 4), done()];
    let (items, attempts) = run(vec![first, second, third], &rules(99)).await;
    assert_eq!(attempts, 3);
    let expected = vec![usage(10, 1), usage(15, 1), usage(22, 4), text("hi"), usage(42, 8), done()];
    assert_eq!(items, expected);
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_stops_a_call_between_its_attempts_and_a_probe_closes_it() {
    let rules = rules(1);
    let busy = || vec![fails(ErrorClass::Overloaded)];
    let (items, attempts) = run(vec![busy(), vec![text("never")]], &rules).await;
    assert_eq!((items[0].as_ref().unwrap_err().class(), attempts), (ErrorClass::Overloaded, 1));
    let (items, attempts) = run(vec![vec![text("never")]], &rules).await;
    let error = items[0].as_ref().unwrap_err();
    assert_eq!((error.class(), attempts), (ErrorClass::Overloaded, 0));
    assert!(error.retry_after().unwrap() <= Duration::from_secs(30));
    tokio::time::advance(Duration::from_secs(31)).await;
    for _ in 0..2 {
        assert_eq!(run(vec![vec![text("hi"), done()]], &rules).await.0, vec![text("hi"), done()]);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_break_off_open_the_circuit_and_refusals_do_not() {
    let rules = rules(2);
    for _ in 0..5 {
        run(vec![vec![fails(ErrorClass::Auth)]], &rules).await;
    }
    for _ in 0..2 {
        let (_, attempts) = run(vec![vec![text("half"), fails(ErrorClass::Network)]], &rules).await;
        assert_eq!(attempts, 1);
    }
    assert_eq!(run(vec![vec![done()]], &rules).await.1, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_counts_as_one_failure_however_often_it_asks_and_a_rate_limit_as_none() {
    let rules = rules(2);
    for _ in 0..5 {
        let limited = || vec![fails(ErrorClass::RateLimited)];
        assert_eq!(run(vec![limited(), limited(), limited()], &rules).await.1, 3);
    }
    let busy = || vec![fails(ErrorClass::Overloaded)];
    assert_eq!(run(vec![busy(), busy(), busy()], &rules).await.1, 3, "no failure of its own stops it");
    assert_eq!(run(vec![busy(), busy(), busy()], &rules).await.1, 1, "the second call's failure opens it");
    assert_eq!(run(vec![vec![done()]], &rules).await.1, 0);
}

#[tokio::test(start_paused = true)]
async fn cancelling_while_it_waits_ends_it_at_once() {
    let cancel = CancellationToken::new();
    let mut call = start(vec![vec![fails(ErrorClass::Overloaded)]], &rules(99), &cancel);
    let started = Instant::now();
    let canceller = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel.cancel();
    };
    let (item, ()) = tokio::join!(call.deltas.next(), canceller);
    assert_eq!((item, call.attempts.made()), (None, 1));
    assert_eq!(started.elapsed(), Duration::from_millis(100));
}

#[tokio::test]
async fn nothing_is_asked_before_it_is_polled() {
    let call = start(vec![vec![done()]], &rules(99), &CancellationToken::new());
    assert_eq!(call.attempts.made(), 0);
    assert_eq!(call.deltas.collect::<Items>().await, vec![done()]);
}
