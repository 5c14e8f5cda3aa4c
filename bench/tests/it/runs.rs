//! Each suite, quick. Numbers are not judged: other tests run beside it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_slipstream-bench");

fn bench(arguments: &[&str]) -> Output {
    Command::new(BENCH).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn report(arguments: &[&str]) -> Value {
    let output = bench(arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
}

fn row<'a>(report: &'a Value, work: &str) -> &'a Value {
    let rows = report["rows"].as_array().unwrap();
    rows.iter().find(|row| row["work"] == work).unwrap_or_else(|| panic!("no row {work}: {report:#}"))
}

/// The server's program beside ours. A run of all tests has built it; a test of this package alone does not. One that is
/// there is taken as it is: built by itself it has other features, and most of its dependencies would be built again.
fn build_server() {
    if Path::new(BENCH).with_file_name("slipstream").exists() {
        return;
    }
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--quiet", "--package", "slipstream", "--bin", "slipstream"]);
    let target = Path::new(BENCH).ancestors().nth(2).unwrap();
    build.arg("--target-dir").arg(target);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success(), "the server does not build");
}

#[test]
fn the_log_is_measured_beside_pgbench_and_read_again() {
    let report = report(&["log", "--quick"]);
    let appends = row(&report, "8 writers");
    let details = &appends["details"];
    assert!(details["referencePerSecond"].as_f64().unwrap() > 0.0, "{appends:#}");
    assert!(details["walBytesPerEvent"].as_f64().unwrap() > 300.0, "more than the payload: {appends:#}");
    assert_eq!(details["conflicts"], 0.0, "each writer has a stream of its own");
    assert_eq!(appends["target"]["atLeast"], 0.8);
    assert!(row(&report, "two processes × 8 writers")["value"].as_f64().unwrap() > 0.0);
    assert!(row(&report, "bytes an event beyond its payload")["value"].as_f64().unwrap() > 100.0);
    assert!(row(&report, "log verify")["value"].as_f64().unwrap() > 0.0);
    assert!(row(&report, "rebuild of all read models at once")["value"].as_f64().unwrap() > 0.0);
}

#[test]
fn every_chat_of_the_suite_ends_whole() {
    build_server();
    let report = report(&["chat", "--quick"]);
    assert_eq!(row(&report, "10 at once, 200 chunks: failed")["value"], 0.0, "{report:#}");
    let rate = row(&report, "10 at once, 200 chunks: rate");
    assert_eq!(rate["details"]["chunks"], 2000, "no chunk is lost and none comes twice");
    let steady = row(&report, "steady 5 chats/s, 20 ms a chunk: first chunk p50");
    assert!(steady["details"]["processes"]["server"]["memory"].as_u64().unwrap() > 0, "{steady:#}");
    assert!(row(&report, "resume after 2000 chunks: caught up, p99")["value"].as_f64().unwrap() > 0.0);
}

#[test]
fn what_cannot_work_is_said_before_anything_is_measured() {
    let output = bench(&["chat", "--slipstream", "/nowhere/slipstream"]);
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("/nowhere/slipstream is missing: build it"), "{told}");
}
