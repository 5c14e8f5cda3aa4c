//! Log lines: for people or for machines, each with the trace it belongs to.

use std::fmt;

use anyhow::Context;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{DefaultFields, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, fmt as lines};

use super::{is_own, trace};
use crate::config::LogFormat;

/// Lines of what `filter` lets through. `colours` are for people on a terminal.
///
/// # Errors
/// It is no filter.
pub(super) fn layer<S, W>(
    filter: &str,
    form: LogFormat,
    writer: W,
    colours: bool,
) -> anyhow::Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter).context("not a filter of logs such as info or sqlx=warn")?;
    // A span that no filter names is still the place where a line comes from.
    let filter = filter_fn(|metadata| metadata.is_span() && is_own(metadata))
        .with_max_level_hint(LevelFilter::INFO)
        .or(filter)
        .and(filter_fn(|metadata| !quotes(metadata)));
    let lines = lines::layer().with_writer(writer).with_ansi(colours);
    Ok(match form {
        LogFormat::Pretty => {
            let line = Traced { line: format().with_ansi(colours), put: append };
            lines.fmt_fields(DefaultFields::new()).event_format(line).with_filter(filter).boxed()
        }
        LogFormat::Json => {
            let line = format().json().flatten_event(true).with_current_span(false).with_span_list(true);
            let line = Traced { line, put: insert };
            lines
                .fmt_fields(JsonFields::new())
                .event_format(line)
                .with_ansi(false)
                .with_filter(filter)
                .boxed()
        }
    })
}

/// The finest lines of others quote what goes over their connections, headers with keys and frames with texts: they are
/// never logged, whatever the filter says.
fn quotes(metadata: &Metadata<'_>) -> bool {
    *metadata.level() > LevelFilter::DEBUG && !metadata.target().starts_with("slipstream")
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;
    use uuid::Uuid;

    use super::*;

    /// The lines of a chat at which something odd happens, at the level that is asked for least.
    fn lines_of(form: LogFormat) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = layer("warn", form, Arc::new(file.reopen().unwrap()), false).unwrap();
        let subscriber = Registry::default().with(trace::Join).with(trace::Joined).with(lines);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("chat", generation.id = %Uuid::from_u128(7)).in_scope(|| {
                tracing::info!("all is well");
                tracing::warn!(odd = 1, "something is odd");
            });
        });
        std::fs::read_to_string(file.path()).unwrap()
    }

    #[test]
    fn a_line_for_people_ends_with_its_trace() {
        let lines = lines_of(LogFormat::Pretty);
        assert_eq!(lines.lines().count(), 1, "{lines}");
        assert!(lines.contains("something is odd odd=1"), "{lines}");
        assert!(lines.ends_with("trace_id=00000000000000000000000000000007\n"), "{lines}");
    }

    #[test]
    fn a_line_for_machines_has_its_trace_and_the_fields_of_its_spans() {
        let line: serde_json::Value = serde_json::from_str(&lines_of(LogFormat::Json)).unwrap();
        assert_eq!(line["trace_id"], "00000000000000000000000000000007");
        assert_eq!((&line["message"], &line["odd"]), (&"something is odd".into(), &1.into()));
        assert_eq!(line["spans"][0]["generation.id"], Uuid::from_u128(7).to_string());
    }
}
