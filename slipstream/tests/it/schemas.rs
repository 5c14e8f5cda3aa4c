//! Every golden sample, of whatever version, is valid by the schema that is committed beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::process::{slipstream, tool};

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Whether each sample is valid by its schema, in order.
async fn valid(pairs: &[(PathBuf, Value)]) -> Vec<Option<String>> {
    let program = "import json, sys, jsonschema\n\
                   for line in sys.stdin:\n\
                   \x20   schema, sample = json.loads(line)\n\
                   \x20   validator = jsonschema.Draft202012Validator(json.load(open(schema)))\n\
                   \x20   validator.check_schema(validator.schema)\n\
                   \x20   errors = [error.message for error in validator.iter_errors(sample)]\n\
                   \x20   print(json.dumps('; '.join(errors) if errors else None))\n";
    let mut python = Command::new(tool("SLIPSTREAM_TEST_PYTHON"));
    python.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().unwrap();
    let lines: Vec<_> = pairs.iter().map(|pair| serde_json::to_string(pair).unwrap() + "\n").collect();
    python.stdin.take().unwrap().write_all(lines.concat().as_bytes()).await.unwrap();
    let output = python.wait_with_output().await.unwrap();
    let verdicts = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<_> = verdicts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.len(), pairs.len());
    verdicts
}

async fn all_valid(pairs: &[(PathBuf, Value)]) {
    for ((schema, sample), wrong) in pairs.iter().zip(valid(pairs).await) {
        assert_eq!(wrong, None, "{}: {sample}", schema.display());
    }
}

/// Files of a folder by name.
fn files(folder: &str, ending: &str) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(schemas().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(ending)?.to_owned();
        Some((name, path))
    });
    named.collect()
}

#[tokio::test]
async fn every_event_ever_written_is_valid_by_the_schema_of_its_version() {
    let schemas = files("events", ".schema.json");
    let samples: BTreeMap<_, _> =
        files("events", ".json").into_iter().filter(|(name, _)| !name.ends_with(".schema")).collect();
    assert_eq!(schemas.keys().collect::<Vec<_>>(), samples.keys().collect::<Vec<_>>());
    let pairs: Vec<_> = samples.iter().map(|(name, sample)| (schemas[name].clone(), read(sample))).collect();
    all_valid(&pairs).await;
    let broken = pairs.into_iter().map(|(schema, mut sample)| {
        sample["data"] = Value::Null;
        (schema, sample)
    });
    for ((schema, _), wrong) in broken.clone().zip(valid(&broken.collect::<Vec<_>>()).await) {
        assert!(wrong.is_some(), "{} says nothing of data", schema.display());
    }
}

#[tokio::test]
async fn every_golden_frame_is_valid_by_its_schema() {
    let mut pairs = Vec::new();
    for side in ["client", "server"] {
        let golden = std::fs::read_to_string(schemas().join(format!("frames/golden.{side}.ndjson"))).unwrap();
        for line in golden.lines() {
            let frame: Value = serde_json::from_str(line).unwrap();
            let name = frame["type"].as_str().unwrap().replace(':', ".");
            pairs.push((schemas().join(format!("frames/{side}.{name}.json")), frame));
        }
    }
    all_valid(&pairs).await;
}

#[tokio::test]
async fn what_is_committed_is_what_the_program_writes() {
    let folder = tempfile::tempdir().unwrap();
    let output = slipstream(&["schema", folder.path().to_str().unwrap()]).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut pending = vec![folder.path().to_owned()];
    let mut compared = 0;
    while let Some(next) = pending.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let committed = schemas().join(path.strip_prefix(folder.path()).unwrap());
            let same = std::fs::read(&committed).ok() == std::fs::read(&path).ok();
            assert!(same, "{} is out of date: run ops/schema", committed.display());
            compared += 1;
        }
    }
    assert!(compared > 90, "{compared}");
    let types = schemas().join("../clients/typescript/src/protocol.ts");
    assert_eq!(std::fs::read(types).unwrap(), std::fs::read(schemas().join("slipstream.d.ts")).unwrap());
}
