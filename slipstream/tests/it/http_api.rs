//! The HTTP API does what it says of itself: asked by schemathesis, some five hundred questions.

use std::path::Path;
use std::process::Stdio;

use slipstream_testkit::TestDatabase;
use tokio::process::Command;

use crate::client::Client;
use crate::operator::{on, run, serve};
use crate::process::tool;

/// What would call vendors, and what would sign the asker itself out.
const LEFT_OUT: &str =
    r"^(PUT /v1/keys/\{provider\}|POST /v1/keys/\{provider\}/validate|DELETE /v1/sessions.*)$";
/// What a description cannot say: that a cursor is one of an earlier page, how many days two dates may span.
const NOT_HERE: &str = "positive_data_acceptance";

#[tokio::test]
async fn every_answer_is_one_that_the_description_allows() {
    let database = TestDatabase::create().await;
    let service = serve(&database).await;
    let mut client = Client::connect(service.address, "a@example.com").await;
    client.ask("new-chat", "[[chunks=2 bytes=5 delay_ms=0]] hello").await;
    client.answer(usize::MAX).await;
    let (code, token) = run(on(&database, &["users", "session", "a@example.com"])).await;
    assert_eq!(code, 0, "{token}");

    let python = tool("SLIPSTREAM_TEST_PYTHON");
    // It keeps what it has found beside itself.
    let folder = tempfile::tempdir().unwrap();
    let mut st = Command::new(Path::new(&python).with_file_name("st"));
    st.args(["run", &format!("http://{}/openapi.json", service.address)])
        .args(["--header", &format!("Authorization: Bearer {}", token.trim())])
        .args(["--exclude-name-regex", LEFT_OUT, "--exclude-checks", NOT_HERE])
        // As many questions as these phases have for each operation, and the same ones each time.
        .args(["--phases", "coverage,fuzzing", "--max-examples", "10", "--seed", "1"])
        .args(["--request-timeout", "10", "--no-color"])
        .current_dir(folder.path())
        .stdin(Stdio::null());
    let output = st.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(service.interrupt().await.success());
}
