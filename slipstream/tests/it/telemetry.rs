//! What an operator sees of a chat: one trace from the gateway to the provider, in logs, at a collector and in the
//! provider's request; metrics that say what they are; and nothing that is secret.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;
use slipstream_testkit::replay::{ReplayOptions, ReplayServer};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::client::Client;
use crate::process::{DataFolder, Dev, slipstream};

const KEY: &str = "sk-planted-key";
const PROMPT: &str = "planted-prompt";
const EMAIL: &str = "planted@example.com";

/// What a collector was sent, each request's body.
type Received = Arc<Mutex<Vec<Bytes>>>;

/// A collector of traces on this machine.
async fn collector() -> (SocketAddr, Received) {
    let received = Received::default();
    let take = async |State(received): State<Received>, body: Bytes| received.lock().unwrap().push(body);
    let router = Router::new().route("/v1/traces", post(take)).with_state(received.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    (address, received)
}

/// `slipstream dev` that asks `vendor`, with JSON logs into `logs`.
fn dev(folder: &DataFolder, logs: &std::path::Path, vendor: &ReplayServer) -> Command {
    let path = folder.path();
    let mut command = slipstream(&["dev", "--listen", "127.0.0.1:0", "--data-dir", path.to_str().unwrap()]);
    command.env("OPENAI_API_KEY", KEY).env("OPENAI_BASE_URL", vendor.base_url());
    command
        .env("SLIPSTREAM_LOG__FORMAT", "json")
        .env("RUST_LOG", "info,slipstream=debug,slipstream_commands=trace");
    command.stderr(std::fs::File::create(logs).unwrap());
    command
}

fn lines(logs: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(logs).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

/// The trace of the provider's request: the second field of `traceparent`.
fn told(vendor: &ReplayServer, request: usize) -> String {
    let requests = vendor.requests();
    let header = requests[request].header("traceparent").expect("the provider was told no trace");
    let fields: Vec<_> = header.split('-').collect();
    assert_eq!((fields[0], fields[1].len(), fields[2].len(), fields[3]), ("00", 32, 16, "01"), "{header}");
    fields[1].to_owned()
}

/// The generation that the read model has for the answer.
async fn generation(dev: &Dev, conversation: &str) -> String {
    let (_, body) = dev.get(&format!("/v1/conversations/{conversation}/messages?email={EMAIL}")).await;
    let items = body["items"].as_array().unwrap();
    let id =
        items.iter().find_map(|message| message["generationId"].as_str()).unwrap_or_else(|| panic!("{body}"));
    Uuid::parse_str(id).unwrap().simple().to_string()
}

#[tokio::test]
async fn one_trace_leads_from_the_gateway_to_the_provider_and_nothing_secret_is_in_it() {
    let (folder, logs) = (DataFolder::new(), tempfile::NamedTempFile::new().unwrap());
    let vendor = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    vendor.script(["429_rate_limit", "text"]);
    let (collector, received) = collector().await;
    let mut command = dev(&folder, logs.path(), &vendor);
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"))
        .env("OTEL_SERVICE_NAME", "planted-name");
    let dev = Dev::spawn_logging(command).await;
    let mut client = Client::connect(dev.address, EMAIL).await;
    client.ask("new-chat", PROMPT).await;
    let answer = client.answer(usize::MAX).await;
    assert_eq!(answer.end["type"], "ai_chat_response", "{answer:?}");
    let trace = generation(&dev, &answer.conversation).await;
    assert!(dev.interrupt().await.success());

    assert_eq!([told(&vendor, 0), told(&vendor, 1)], [trace.clone(), trace.clone()]);
    let again = lines(logs.path())
        .into_iter()
        .find(|line| line["message"].as_str().unwrap().contains("asking again"));
    let again = again.expect("a retry is logged");
    assert_eq!((&again["trace_id"], &again["level"]), (&Value::from(trace.as_str()), &Value::from("WARN")));
    let spans: Vec<_> =
        again["spans"].as_array().unwrap().iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(spans, ["make_reply"]);

    let received = received.lock().unwrap().concat();
    let id = Uuid::parse_str(&trace).unwrap();
    let holds = |part: &[u8]| received.windows(part.len()).any(|window| window == part);
    assert!(holds(id.as_bytes()), "the collector was sent the trace");
    for name in
        ["chat", "post_message", "make_reply", "open_generation", "provider_call", "finish_generation"]
    {
        assert!(holds(name.as_bytes()), "the collector was sent no span {name}");
    }
    assert!(holds(b"planted-name"));
    let logged = std::fs::read(logs.path()).unwrap();
    for secret in [KEY, PROMPT, EMAIL, answer.text.as_str()] {
        assert!(!holds(secret.as_bytes()), "{secret:?} was exported");
        assert!(
            !logged.windows(secret.len()).any(|window| window == secret.as_bytes()),
            "{secret:?} was logged"
        );
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_one_warning() {
    let (folder, logs) = (DataFolder::new(), tempfile::NamedTempFile::new().unwrap());
    let vendor = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let mut command = dev(&folder, logs.path(), &vendor);
    // Each span alone, and soon: many failures.
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1").env("OTEL_BSP_SCHEDULE_DELAY", "10");
    let dev = Dev::spawn_logging(command).await;
    let mut client = Client::connect(dev.address, EMAIL).await;
    for conversation in 0..3 {
        client.ask("new-chat", PROMPT).await;
        assert_eq!(client.answer(usize::MAX).await.end["type"], "ai_chat_response", "{conversation}");
        assert_eq!(told(&vendor, conversation).len(), 32);
    }
    assert!(dev.interrupt().await.success());
    let of_collector =
        |line: &Value| line["message"].as_str().is_some_and(|message| message.contains("collector"));
    assert_eq!(lines(logs.path()).iter().filter(|line| of_collector(line)).count(), 1);
}

#[tokio::test]
async fn a_filter_or_a_collector_that_is_none_is_named_before_anything_is_started() {
    let mut command = slipstream(&["dev"]);
    let filter = command.arg("--log").arg("slipstream=loud").output().await.unwrap();
    let mut command = slipstream(&["dev"]);
    let endpoint = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url").output().await.unwrap();
    for (output, named) in [(filter, "filter of logs"), (endpoint, "OTLP endpoint")] {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(named), "{said}");
    }
}

#[tokio::test]
async fn every_metric_says_what_it_is_and_its_labels_come_from_closed_sets() {
    let folder = DataFolder::new();
    let dev = Dev::start(&folder).await;
    let mut client = Client::connect(dev.address, EMAIL).await;
    client.ask("new-chat", PROMPT).await;
    assert_eq!(client.answer(usize::MAX).await.end["type"], "ai_chat_response");
    let (status, body) = dev.get("/metrics").await;
    assert_eq!(status, 200);
    let text = body.as_str().unwrap().to_owned();
    assert!(dev.interrupt().await.success());

    let named = |prefix: &str| -> BTreeSet<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
        lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let (helped, typed) = (named("# HELP "), named("# TYPE "));
    assert_eq!(helped, typed, "each has both");
    for seen in [
        "slipstream_sockets",
        "slipstream_frames_total",
        "slipstream_first_token_seconds",
        "slipstream_added_latency_seconds",
        "slipstream_append_batch_bytes",
        "slipstream_projection_lag_seconds",
        "slipstream_provider_requests_total",
        "process_resident_memory_bytes",
        "slipstream_build_info",
    ] {
        assert!(typed.contains(seen), "{seen} is missing:\n{text}");
    }
    let families: BTreeSet<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    for line in families {
        let (name, kind) = line.split_once(' ').unwrap();
        let fits = match kind {
            "counter" => name.ends_with("_total"),
            "histogram" => ["_seconds", "_bytes", "_appends"].iter().any(|unit| name.ends_with(unit)),
            "gauge" => !name.ends_with("_total"),
            _ => false,
        };
        assert!(fits, "{line}");
    }
    for sample in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = sample.split(['{', ' ']).next().unwrap();
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
        assert!(typed.contains(family) || typed.contains(name), "{sample}");
        for (label, value) in labels(sample) {
            assert!(is_closed(label, value), "{label}={value:?} is of no closed set: {sample}");
        }
    }
}

fn labels(sample: &str) -> Vec<(&str, &str)> {
    let Some((_, rest)) = sample.split_once('{') else { return Vec::new() };
    let inside = rest.rsplit_once('}').unwrap().0;
    inside.split("\",").map(|pair| pair.trim_end_matches('"').split_once("=\"").unwrap()).collect()
}

fn is_closed(label: &str, value: &str) -> bool {
    match label {
        "le" => value == "+Inf" || value.parse::<f64>().is_ok(),
        "version" => value.split('.').all(|part| part.parse::<u32>().is_ok()),
        "direction" => ["in", "out"].contains(&value),
        "type" => ["ai_chat_request", "ai_chat_chunk", "ai_chat_response", "connection_established"]
            .contains(&value),
        "status" => ["completed", "cancelled", "interrupted", "failed"].contains(&value),
        "outcome" => ["written", "known", "conflict", "closed", "refused", "failed"].contains(&value),
        "projection" => {
            ["conversations", "transcript", "generations", "attachments", "usage_daily"].contains(&value)
        }
        "provider" => ["simulated", "openai"].contains(&value),
        "tier" => ["hot", "log"].contains(&value),
        _ => false,
    }
}
