//! Log lines: for people or for machines, each with the trace it belongs to.

use std::fmt;
use std::io::{self, IsTerminal};

use anyhow::Context;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::format::{DefaultFields, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, fmt as lines};

use super::{is_own, trace};
use crate::config::LogFormat;

/// Lines to standard error, of what `filter` lets through.
///
/// # Errors
/// It is no filter.
pub(super) fn layer<S>(filter: &str, form: LogFormat) -> anyhow::Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::try_new(filter).context("not a filter of logs such as info or sqlx=warn")?;
    // A span that no line names for itself is still the place where a line comes from.
    let filter = filter_fn(|metadata| metadata.is_span() && is_own(metadata))
        .with_max_level_hint(tracing::level_filters::LevelFilter::INFO)
        .or(filter);
    let lines = lines::layer().with_writer(io::stderr);
    Ok(match form {
        LogFormat::Pretty => {
            let colours = io::stderr().is_terminal();
            let line = Traced { line: format().with_ansi(colours), put: append };
            lines
                .with_ansi(colours)
                .fmt_fields(DefaultFields::new())
                .event_format(line)
                .with_filter(filter)
                .boxed()
        }
        LogFormat::Json => {
            let line = format().json().flatten_event(true).with_current_span(false).with_span_list(true);
            let line = Traced { line, put: insert };
            lines.fmt_fields(JsonFields::new()).event_format(line).with_filter(filter).boxed()
        }
    })
}

/// A format of lines that also names the trace.
struct Traced<F> {
    line: F,
    /// Writes a whole line with the trace in it.
    put: fn(&mut Writer<'_>, &str, trace::Generation) -> fmt::Result,
}

impl<S, N, F> FormatEvent<S, N> for Traced<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(trace) = ctx.event_scope().and_then(trace::Generation::of) else {
            return self.line.format_event(ctx, writer, event);
        };
        let mut line = String::new();
        self.line.format_event(ctx, Writer::new(&mut line), event)?;
        (self.put)(&mut writer, &line, trace)
    }
}

fn append(writer: &mut Writer<'_>, line: &str, trace: trace::Generation) -> fmt::Result {
    writeln!(writer, "{} trace_id={trace}", line.trim_end())
}

/// The line is one JSON object.
fn insert(writer: &mut Writer<'_>, line: &str, trace: trace::Generation) -> fmt::Result {
    write!(writer, "{{\"trace_id\":\"{trace}\",{}", line.strip_prefix('{').unwrap_or(line))
}
