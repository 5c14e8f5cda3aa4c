//! Traces to a collector: OTLP over HTTP, in batches, on a thread of its own. What the collector does not take in time is
//! dropped; nobody waits for it.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};

/// How long the end of the process waits for the last batch.
pub(super) const GOODBYE: Duration = Duration::from_secs(2);
/// Where traces go below an endpoint (OTLP specification, "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";

/// An exporter to the collector at `endpoint`. Headers, time-outs and batch sizes are those of OpenTelemetry's variables
/// (`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_…`).
///
/// # Errors
/// `endpoint` is no URL.
pub(super) fn traces(endpoint: &str, service_name: &str) -> anyhow::Result<SdkTracerProvider> {
    // An error says that the process has chosen its cryptography already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}{PATH}", endpoint.trim_end_matches('/')))
        .build()
        .context("traces cannot be exported: the OTLP endpoint is to be like http://localhost:4318")?;
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_service_name(service_name.to_owned()).with_attribute(version);
    let exporter = Reported { exporter, failing: AtomicBool::new(false) };
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build())
}

/// An exporter that says once when its collector is lost, and once when it is back.
#[derive(Debug)]
struct Reported<E> {
    exporter: E,
    failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Reported<E> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let exported = self.exporter.export(batch);
        async {
            let exported = exported.await;
            let failed_before = self.failing.swap(exported.is_err(), Ordering::Relaxed);
            match &exported {
                Err(error) if !failed_before => {
                    tracing::warn!(%error, "the collector takes no traces; they are dropped");
                }
                Ok(()) if failed_before => tracing::info!("the collector takes traces again"),
                Ok(()) | Err(_) => {}
            }
            exported
        }
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
