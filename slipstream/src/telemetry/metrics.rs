//! Metrics for Prometheus: collects what the crates count, says what each metric means, renders all of them.

use std::time::Duration;

use anyhow::Context;
use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use super::process;

/// From half a millisecond, a write into the log, to minutes, an answer of a slow model.
const SECONDS: [f64; 17] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// From one small event to the largest batch of the log.
const BYTES: [f64; 7] = [256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0];
/// From one to the most appends of a batch of the log.
const NUMBERS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// How often what was measured is sorted into its buckets. It waits in memory until then, or until it is rendered.
const SORT_EVERY: Duration = Duration::from_secs(5);

/// All metrics of the process.
#[derive(Clone)]
pub(crate) struct Metrics(PrometheusHandle);

/// Collects every metric from now on. Crates keep the handles they make: collect before anything is started.
///
/// # Errors
/// Somebody collects them already.
pub(crate) fn collect_metrics() -> anyhow::Result<Metrics> {
    let handle = builder()?.install_recorder().context("metrics cannot be collected")?;
    describe();
    gauge!("slipstream_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(Metrics(handle))
}

impl Metrics {
    /// Prometheus' text format, 0.0.4.
    pub(crate) fn render(&self) -> String {
        let mut text = self.0.render();
        process::render(&mut text);
        text
    }

    /// Keeps memory bounded when nobody asks for the metrics, until drained.
    pub(crate) async fn sort(self, drain: CancellationToken) {
        while drain.run_until_cancelled(tokio::time::sleep(SORT_EVERY)).await.is_some() {
            self.0.run_upkeep();
        }
    }
}

fn builder() -> anyhow::Result<PrometheusBuilder> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES)?
        .set_buckets_for_metric(Matcher::Suffix("_appends".to_owned()), &NUMBERS)?;
    Ok(builder)
}

/// Says what every metric means, each crate its own.
fn describe() {
    slipstream_eventlog::describe_metrics();
    slipstream_projections::describe_metrics();
    slipstream_providers::describe_metrics();
    slipstream_workers::describe_metrics();
    slipstream_gateway::describe_metrics();
    describe_gauge!("slipstream_build_info", "Always 1; its labels say what is running.");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use metrics::{
        Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit, with_local_recorder,
    };

    use super::*;

    const DOCUMENT: &str = include_str!("../../../ops/METRICS.md");

    /// One row of the document for each metric that is described.
    #[derive(Default)]
    struct Rows(Mutex<BTreeSet<String>>);

    impl Rows {
        fn add(&self, name: &KeyName, kind: &str, unit: Option<Unit>, meaning: &str) {
            let unit = unit.map_or("", |unit| unit.as_str());
            self.0.lock().unwrap().insert(format!("| `{}` | {kind} | {unit} | {meaning} |", name.as_str()));
        }
    }

    impl Recorder for Rows {
        fn describe_counter(&self, name: KeyName, unit: Option<Unit>, meaning: SharedString) {
            assert!(name.as_str().ends_with("_total"), "{name:?} counts");
            self.add(&name, "counter", unit, &meaning);
        }

        fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, meaning: SharedString) {
            assert!(!name.as_str().ends_with("_total"), "{name:?} goes up and down");
            self.add(&name, "gauge", unit, &meaning);
        }

        fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, meaning: SharedString) {
            let buckets = ["_seconds", "_bytes", "_appends"];
            assert!(buckets.iter().any(|suffix| name.as_str().ends_with(suffix)), "{name:?} has no buckets");
            self.add(&name, "histogram", unit, &meaning);
        }

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            Counter::noop()
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    /// The rows of a document, without their labels, which no description tells.
    fn rows(document: &str) -> BTreeSet<String> {
        let rows = document.lines().filter(|line| line.starts_with("| `"));
        let without_labels = |row: &str| {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let [_, name, kind, unit, _labels, meaning, _] = cells.as_slice() else {
                panic!("not five cells: {row}")
            };
            format!("| {name} | {kind} | {unit} | {meaning} |")
        };
        rows.map(without_labels).collect()
    }

    #[test]
    fn the_document_has_a_row_for_every_metric_and_no_other() {
        let described = Rows::default();
        with_local_recorder(&described, describe);
        let mut described = described.0.into_inner().unwrap();
        described.extend(process::rows());
        let missing: Vec<_> = described.difference(&rows(DOCUMENT)).cloned().collect();
        let gone: Vec<_> = rows(DOCUMENT).difference(&described).cloned().collect();
        assert!(
            missing.is_empty() && gone.is_empty(),
            "add:\n{}\nremove:\n{}",
            missing.join("\n"),
            gone.join("\n")
        );
    }

    #[test]
    fn what_is_measured_is_rendered_in_buckets_with_its_meaning() {
        let recorder = builder().unwrap().build_recorder();
        with_local_recorder(&recorder, || {
            describe();
            metrics::histogram!("slipstream_append_seconds").record(0.003);
        });
        let text = recorder.handle().render();
        assert!(text.contains("# TYPE slipstream_append_seconds histogram"), "{text}");
        assert!(text.contains("# HELP slipstream_append_seconds "), "{text}");
        assert!(text.contains("slipstream_append_seconds_bucket{le=\"0.005\"} 1"), "{text}");
    }
}
