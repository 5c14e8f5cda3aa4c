//! The life of a file over every store: announced, uploaded by `curl` with what the instructions say, checked, shown; what the
//! store refuses has failed.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use slipstream_testkit::SignedS3;
use slipstream_testkit::servers::s3_url;
use tokio::process::Command;
use uuid::Uuid;

use crate::client::Client;
use crate::process::{DataFolder, Dev, slipstream};

const ANN: &str = "a@example.com";

/// The status and the body of what `curl` is answered.
async fn curl(arguments: &[&str]) -> (u16, Vec<u8>) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--write-out", "%{stderr}%{http_code}"]);
    let output = command.args(arguments).stdin(Stdio::null()).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (said.parse().unwrap_or_else(|_| panic!("curl {arguments:?}: {said}")), output.stdout)
}

/// Uploads a file as the instructions say, with these headers instead of theirs if there are any.
pub(crate) async fn put(told: &Value, file: &Path, other: &[&str]) -> u16 {
    let required = told["requiredHeaders"].as_object().unwrap();
    let required = required.iter().map(|(name, value)| format!("{name}: {}", value.as_str().unwrap()));
    let headers: Vec<String> = if other.is_empty() {
        required.collect()
    } else {
        other.iter().map(|&header| header.into()).collect()
    };
    let mut arguments = vec!["-T", file.to_str().unwrap()];
    arguments.extend(headers.iter().flat_map(|header| ["-H", header]));
    arguments.push(told["uploadUrl"].as_str().unwrap());
    curl(&arguments).await.0
}

struct Story {
    dev: Dev,
    client: Client,
    folder: tempfile::TempDir,
    /// Whether the store refuses what was not signed.
    strict: bool,
}

impl Story {
    async fn begin(data: &DataFolder, settings: &[(&str, &str)], strict: bool) -> Self {
        let dev = Dev::start_with(data, settings).await;
        let client = Client::connect(dev.address, ANN).await;
        Self { dev, client, folder: tempfile::tempdir().unwrap(), strict }
    }

    fn file(&self, content: &[u8]) -> std::path::PathBuf {
        let path = self.folder.path().join("upload");
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn attach(&mut self, name: &str, mime: &str, size: usize) -> Value {
        let frame = json!({"type": "asset_attached", "conversationId": "new-chat", "filename": name, "mime": mime,
            "size": size, "draftId": "d1", "batchId": "b1"});
        self.ask(frame).await
    }

    async fn complete(&mut self, told: &Value) -> Value {
        let id = &told["attachmentId"];
        self.ask(json!({"type": "asset_upload_complete", "attachmentId": id, "success": true})).await
    }

    async fn ask(&mut self, frame: Value) -> Value {
        self.client.send(frame).await;
        self.client.frame().await.expect("an answer")
    }

    /// A file is uploaded and shown.
    async fn a_good_file_is_shown(&mut self) {
        let content = b"Gr\xc3\xbc\xc3\x9fe and more of them";
        let told = self.attach("Grüße & more.txt", "text/plain", content.len()).await;
        assert_eq!(told["type"], "asset_upload_instructions", "{told}");
        assert!(!told["uploadUrl"].as_str().unwrap().to_lowercase().contains("checksum"), "{told}");
        let path = self.file(content);
        assert_eq!(put(&told, &path, &[]).await, 200);
        let ready = self.complete(&told).await;
        assert_eq!((&ready["type"], &ready["status"]), (&json!("asset_ready"), &json!("READY")), "{ready}");
        assert_eq!((&ready["size"], &ready["key"]), (&json!(content.len()), &told["key"]));
        assert_eq!(self.complete(&told).await["etag"], ready["etag"], "completing twice is no harm");
        let (status, shown) = curl(&[ready["downloadUrl"].as_str().unwrap()]).await;
        assert_eq!((status, &shown[..]), (200, &content[..]));
        let (status, part) = curl(&["-r", "4-7", ready["downloadUrl"].as_str().unwrap()]).await;
        assert_eq!((status, &part[..]), (206, &content[4..8]));
    }

    /// What was not signed is refused, and the file fails.
    async fn a_refused_upload_has_failed(&mut self) {
        let told = self.attach("a.txt", "text/plain", 5).await;
        let early = self.complete(&told).await;
        assert_eq!(
            (&early["type"], &early["code"]),
            (&json!("asset_upload_complete_error"), &json!("conflict"))
        );
        if self.strict {
            let (five, key) = (self.file(b"hello"), told["key"].as_str().unwrap().to_owned());
            assert_eq!(put(&told, &five, &["Content-Type: text/html"]).await, 403);
            let mut elsewhere = told.clone();
            let url = told["uploadUrl"].as_str().unwrap();
            elsewhere["uploadUrl"] = url.replace(&key, &key.replace("upload/", "other/")).into();
            assert_eq!(put(&elsewhere, &five, &[]).await, 403);
            let six = self.file(b"hello!");
            assert!(matches!(put(&told, &six, &[]).await, 400 | 403));
        } else {
            // It takes anything: what is there is compared with what was said.
            let six = self.file(b"hello!");
            assert_eq!(put(&told, &six, &[]).await, 200);
        }
        let failed = json!({"type": "asset_upload_complete_error", "attachmentId": told["attachmentId"], "success": false,
            "error": "the store refused it"});
        let frame = if self.strict { self.ask(failed).await } else { self.complete(&told).await };
        assert_eq!(frame["type"], "asset_upload_complete_error", "{frame}");
        let again = self.complete(&told).await;
        assert_eq!(again["code"], "conflict", "it may not become ready: {again}");
        let (_, list) = self.dev.get(&format!("/v1/attachments?email={ANN}")).await;
        let of =
            |id: &Value| list["items"].as_array().unwrap().iter().find(|file| file["id"] == *id).cloned();
        // The read model is a little behind.
        let mut found = of(&told["attachmentId"]);
        for _ in 0..100 {
            if found.as_ref().is_some_and(|file| file["status"] == "FAILED") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let (_, list) = self.dev.get(&format!("/v1/attachments?email={ANN}")).await;
            let items = list["items"].as_array().unwrap();
            found = items.iter().find(|file| file["id"] == told["attachmentId"]).cloned();
        }
        let found = found.unwrap();
        assert_eq!((&found["status"], &found["downloadUrl"]), (&json!("FAILED"), &Value::Null), "{found}");
    }

    async fn told(mut self) {
        self.a_good_file_is_shown().await;
        self.a_refused_upload_has_failed().await;
        assert!(self.dev.interrupt().await.success());
    }
}

#[tokio::test]
async fn the_story_of_a_file_in_a_folder() {
    let data = DataFolder::new();
    Story::begin(&data, &[], true).await.told().await;
}

#[tokio::test]
async fn the_story_of_a_file_on_moto() {
    let bucket = format!("b-{}", Uuid::new_v4());
    assert_eq!(curl(&["-X", "PUT", &format!("{}/{bucket}", s3_url())]).await.0, 200);
    let data = DataFolder::new();
    Story::begin(&data, &s3_settings(&s3_url(), &bucket, "tests", "tests"), false).await.told().await;
}

#[tokio::test]
async fn the_story_of_a_file_on_an_s3_that_checks_signatures() {
    let server = SignedS3::start(&["files"]).await;
    let (key, secret) = (SignedS3::ACCESS_KEY_ID, SignedS3::SECRET_ACCESS_KEY);
    let data = DataFolder::new();
    Story::begin(&data, &s3_settings(&server.url(), "files", key, secret), true).await.told().await;
}

#[tokio::test]
async fn the_doctor_lets_pages_upload_into_the_buckets() {
    let bucket = format!("b-{}", Uuid::new_v4());
    assert_eq!(curl(&["-X", "PUT", &format!("{}/{bucket}", s3_url())]).await.0, 200);
    let data = DataFolder::new();
    let url = s3_url();
    let doctor = async |bucket: &str, arguments: &[&str]| {
        let mut command = slipstream(&[&["doctor", "--json"], arguments].concat());
        command.envs(s3_settings(&url, bucket, "tests", "tests"));
        command.env("SLIPSTREAM_GATEWAY__ALLOWED_ORIGINS", "https://chat.example.com");
        command.args(["--data-dir", data.path().to_str().unwrap()]);
        let findings: Value = serde_json::from_slice(&command.output().await.unwrap().stdout).unwrap();
        let found =
            findings.as_array().unwrap().iter().find(|found| found["check"] == "files").cloned().unwrap();
        (found["state"].as_str().unwrap().to_owned(), found)
    };
    let (state, found) = doctor(&bucket, &[]).await;
    assert!(state == "warn" && found["advice"].as_str().unwrap().contains("--fix-cors"), "{found}");
    assert_eq!(doctor(&bucket, &["--fix-cors"]).await.0, "ok");
    assert_eq!(doctor(&bucket, &[]).await.0, "ok");
    let preflight = [
        "-X",
        "OPTIONS",
        "-H",
        "Origin: https://chat.example.com",
        "-H",
        "Access-Control-Request-Method: PUT",
        "-D",
        "-",
    ];
    let (_, head) = curl(&[&preflight[..], &[&format!("{url}/{bucket}/a")]].concat()).await;
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.contains("access-control-allow-origin: https://chat.example.com"), "{head}");
    assert_eq!(doctor("no-such-bucket", &["--fix-cors"]).await.0, "fail");
}

/// Settings of a service whose files are in one bucket of an S3.
pub(crate) fn s3_settings<'a>(
    endpoint: &'a str,
    bucket: &'a str,
    key: &'a str,
    secret: &'a str,
) -> [(&'static str, &'a str); 6] {
    [
        ("AWS_ACCESS_KEY_S3", key),
        ("AWS_SECRET_ACCESS_KEY_S3", secret),
        ("SLIPSTREAM_S3__ENDPOINT", endpoint),
        ("SLIPSTREAM_S3__PATH_STYLE", "true"),
        ("ASSETS_BUCKET", bucket),
        ("GEN_BUCKET", bucket),
    ]
}
