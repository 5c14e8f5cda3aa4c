//! The trace of a reply: its id is the generation's id. So it needs to be carried nowhere: whoever knows the generation, the
//! gateway, a worker after a restart, the one that takes over from it, knows the trace.
//!
//! A span that has no parent and names a generation in its field `generation.id` begins there; what is below it goes along.

use std::cell::Cell;
use std::fmt;

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, ContextGuard};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context as Spans, Layer};
use tracing_subscriber::registry::{LookupSpan, Scope};
use uuid::Uuid;

/// The field that names a generation.
const FIELD: &str = "generation.id";

/// A generation as a trace. Printed as a trace id is: 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(Uuid);

thread_local! {
    /// From [`Join`] to [`Joined`], while a span is made.
    static JOINED: Cell<Option<ContextGuard>> = const { Cell::new(None) };
}

/// Goes before the layer that exports: a span that begins here in a generation's trace begins below the request, as if
/// that had come from elsewhere.
pub(super) struct Join;

/// Goes after the layer that exports.
pub(super) struct Joined;

impl Generation {
    /// Whose trace the innermost span of a scope is in.
    pub(super) fn of<'a, S: LookupSpan<'a>>(scope: Scope<'a, S>) -> Option<Self> {
        let mut scope = scope;
        scope.find_map(|span| span.extensions().get::<Self>().copied())
    }

    /// The span that nobody exports, and that all of the trace is below: the request itself. Its id is the random half of
    /// the generation's, which is never zero.
    fn root(self) -> SpanContext {
        let (id, state) = (TraceId::from_bytes(*self.0.as_bytes()), TraceState::default());
        let (_, random) = self.0.as_u64_pair();
        SpanContext::new(id, SpanId::from(random), TraceFlags::SAMPLED, true, state)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Join {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, spans: Spans<'_, S>) {
        let mut named = Named(None);
        if attributes.fields().field(FIELD).is_some() {
            attributes.record(&mut named);
        }
        let Some((generation, span)) = named.0.zip(spans.span(id)) else { return };
        if span.parent().is_none() {
            span.extensions_mut().insert(generation);
            JOINED.set(Some(Context::new().with_remote_span_context(generation.root()).attach()));
        }
    }
}

impl<S: Subscriber> Layer<S> for Joined {
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Spans<'_, S>) {
        drop(JOINED.take());
    }
}

/// The generation that a span's fields name.
struct Named(Option<Generation>);

impl Visit for Named {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == FIELD {
            self.0 = Uuid::try_parse(&format!("{value:?}")).ok().map(Generation);
        }
    }
}

/// Where the caller is, as W3C's Trace Context tells another server (`traceparent`, version 00). Without an exporter there
/// are no spans to be below, but the trace is the same. `None` outside of any trace.
pub(crate) fn traceparent() -> Option<String> {
    let span = Span::current();
    let context = span.context();
    let exported = Some(context.span().span_context().clone()).filter(SpanContext::is_valid);
    let context = exported.or_else(|| generation_of(&span).map(Generation::root))?;
    let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags());
    Some(format!("00-{trace}-{span}-{flags:02x}"))
}

fn generation_of(span: &Span) -> Option<Generation> {
    let found = span.with_subscriber(|(id, subscriber)| {
        Generation::of(subscriber.downcast_ref::<Registry>()?.span(id)?.scope())
    });
    found.flatten()
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    const ID: &str = "01936fd4-5d2f-7c1b-9a3e-0123456789ab";
    const TRACE: &str = "01936fd45d2f7c1b9a3e0123456789ab";

    /// Where one is inside a span of the generation, and a span below it.
    fn told() -> (String, String) {
        let outer = tracing::info_span!("chat", generation.id = %Uuid::try_parse(ID).unwrap());
        let inner = tracing::info_span!(parent: &outer, "post_message");
        (outer.in_scope(traceparent).unwrap(), inner.in_scope(traceparent).unwrap())
    }

    #[test]
    fn the_trace_of_a_reply_is_its_generation() {
        let subscriber = Registry::default().with(Join).with(Joined);
        let (outer, inner) = tracing::subscriber::with_default(subscriber, told);
        assert_eq!(outer, format!("00-{TRACE}-9a3e0123456789ab-01"));
        assert_eq!(inner, outer, "there are no spans to be told apart");
    }

    #[test]
    fn with_an_exporter_each_span_of_the_trace_is_told_apart() {
        let provider = SdkTracerProvider::builder().build();
        let traces = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("test"))
            .with_context_activation(false);
        let subscriber = Registry::default().with(Join).with(traces).with(Joined);
        tracing::subscriber::with_default(subscriber, || {
            let (outer, inner) = told();
            assert!(outer.starts_with(&format!("00-{TRACE}-")) && inner.starts_with(&format!("00-{TRACE}-")));
            assert_ne!(outer, inner);
            let other = tracing::info_span!("http").in_scope(traceparent).unwrap();
            assert!(!other.contains(TRACE), "the next span is not in it: {other}");
        });
    }

    #[test]
    fn outside_of_a_trace_nothing_is_told() {
        let subscriber = Registry::default().with(Join).with(Joined);
        tracing::subscriber::with_default(subscriber, || {
            assert_eq!(traceparent(), None);
            assert_eq!(tracing::info_span!("http").in_scope(traceparent), None);
        });
    }
}
