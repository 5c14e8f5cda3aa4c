//! The TypeScript client: type-checked against the frames' types, compiled, and run by node against a gateway.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::process::{DataFolder, Dev, tool};

async fn succeeds(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn the_client_keeps_every_promise_against_a_real_gateway() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/typescript");
    let compiled = tempfile::tempdir().unwrap();
    std::fs::write(compiled.path().join("package.json"), r#"{"type": "module"}"#).unwrap();
    let node = tool("SLIPSTREAM_TEST_NODE");
    let compile = ["--project", sources.to_str().unwrap(), "--outDir", compiled.path().to_str().unwrap()];
    succeeds(Command::new(&node).arg(tool("SLIPSTREAM_TEST_TSC")).args(compile)).await;

    let folder = DataFolder::new();
    let dev = Dev::start(&folder).await;
    let client = format!("file://{}", compiled.path().join("index.js").display());
    let test = sources.join("test/client.test.mjs");
    let mut run = Command::new(&node);
    run.args(["--no-warnings", "--experimental-websocket", "--test", test.to_str().unwrap()]);
    run.env("SLIPSTREAM_URL", format!("ws://{}", dev.address)).env("SLIPSTREAM_CLIENT", client);
    succeeds(&mut run).await;
    assert!(dev.interrupt().await.success());
}
