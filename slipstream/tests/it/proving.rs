//! Signatures are kept outside the database, and what they prove holds without it: of messages by files that others check,
//! of the log by its verification.

use std::path::{Path, PathBuf};

use serde_json::Value;
use slipstream_testkit::TestDatabase;
use tempfile::TempDir;
use tokio::process::Command;

use crate::client::Client;
use crate::operator::{on, run};
use crate::process::{Dev, slipstream};

/// RFC 8032, 7.1, test 1.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const OTHER: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

/// A service that signs, a conversation of one exchange, and its two messages.
struct Signed {
    database: TestDatabase,
    folder: TempDir,
    service: Dev,
    conversation: String,
    messages: Vec<String>,
}

fn command(database: &TestDatabase, signatures: &Path, arguments: &[&str]) -> Command {
    let mut command = on(database, arguments);
    command.env("SLIPSTREAM_AUDIT__SIGNING_KEY", SEED);
    command.env("SLIPSTREAM_AUDIT__SIGNATURES_FOLDER", signatures);
    command
}

impl Signed {
    async fn exchange() -> Self {
        let (database, folder) = (TestDatabase::create().await, TempDir::new().unwrap());
        let roles = "worker,gateway,projector";
        let mut serve = command(
            &database,
            &folder.path().join("signatures"),
            &["serve", "--roles", roles, "--listen", "127.0.0.1:0"],
        );
        serve.env("SLIPSTREAM_AUTH__DEVELOPMENT_EMAIL", "true");
        let service = Dev::spawn(serve).await;
        let mut client = Client::connect(service.address, "a@example.com").await;
        client.ask("new-chat", "[[chunks=3 bytes=5 delay_ms=0]]").await;
        let conversation = client.answer(usize::MAX).await.conversation;
        let path = format!("/v1/conversations/{conversation}/messages?email=a@example.com");
        let (_, messages) = service.get(&path).await;
        let ids = messages["items"].as_array().unwrap().iter();
        let messages = ids.map(|message| message["id"].as_str().unwrap().to_owned()).collect();
        Self { database, folder, service, conversation, messages }
    }

    fn signatures(&self) -> PathBuf {
        self.folder.path().join("signatures")
    }

    async fn run(&self, arguments: &[&str]) -> (i32, String) {
        run(command(&self.database, &self.signatures(), arguments)).await
    }

    /// A file with the proof of a message.
    async fn proof(&self, message: &str) -> PathBuf {
        let (code, proof) = self.run(&["log", "prove", message]).await;
        assert_eq!(code, 0, "{proof}");
        self.file(&proof)
    }

    fn file(&self, text: &str) -> PathBuf {
        let file = self.folder.path().join(format!("{}.json", uuid::Uuid::new_v4()));
        std::fs::write(&file, text).unwrap();
        file
    }
}

/// Somewhere else: no database, no settings.
async fn check(file: &Path, arguments: &[&str]) -> (i32, String) {
    let file = file.to_str().unwrap();
    run(slipstream(&[&["log", "check-proof", file][..], arguments].concat())).await
}

#[tokio::test]
async fn a_message_is_proved_to_who_has_nothing_but_the_proof_and_a_key() {
    let signed = Signed::exchange().await;
    let (code, said) = signed.run(&["log", "sign"]).await;
    assert!(code == 0 && said.contains(PUBLIC), "{code} {said}");
    let [question, reply] = &signed.messages[..] else { panic!("{:?}", signed.messages) };
    let file = signed.proof(reply).await;
    let (code, said) = check(&file, &["--public-key", PUBLIC]).await;
    assert!(code == 0 && said.contains("the proof holds"), "{code} {said}");
    for event in ["GenerationRequested", "ChunksRecorded", "GenerationCompleted", "ReplyRecorded"] {
        assert!(said.contains(event), "{event}: {said}");
    }
    let of_question = signed.proof(question).await;
    let (_, said) = check(&of_question, &["--public-key", PUBLIC, "--json"]).await;
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["holds"], &told["events"]), (&true.into(), &1.into()), "{said}");

    let text = std::fs::read_to_string(&file).unwrap();
    let forged = text.replacen("ReplyRecorded", "ReplyRecorder", 1);
    for (file, arguments, exit, why) in [
        (&file, &["--public-key", OTHER][..], 1, "signed with another key: d75a"),
        (&file, &[], 2, "Name the key with --public-key"),
        (&file, &["--public-key", "d75a"], 2, "64 hexadecimal digits"),
        (&signed.file(&text[..text.len() / 2]), &["--public-key", PUBLIC], 1, "no whole proof"),
        (&signed.file(&forged), &["--public-key", PUBLIC], 1, "or its path is not what was recorded"),
        (&signed.folder.path().join("none"), &["--public-key", PUBLIC], 1, "No such file"),
    ] {
        let (code, said) = check(file, arguments).await;
        assert!(code == exit && said.contains(why), "{arguments:?}: {code} {said}");
    }
    let (code, said) = signed.run(&["log", "prove", "00000000-0000-7000-8000-000000000000"]).await;
    assert!(code == 1 && said.contains("there is no message"), "{code} {said}");

    let erase = "UPDATE es.event SET sealed = NULL WHERE correlation_id = $1::uuid";
    sqlx::query(erase).bind(&signed.conversation).execute(signed.database.pool()).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(signed.proof(reply).await).unwrap(),
        text,
        "erased, it proves the same"
    );
    assert!(signed.service.interrupt().await.success());
}

#[tokio::test]
async fn a_history_that_was_replaced_consistently_is_found_by_the_signatures_alone() {
    let signed = Signed::exchange().await;
    let (code, _) = signed.run(&["log", "sign"]).await;
    assert_eq!(code, 0);
    let folder = signed.signatures();
    let with_signatures =
        ["log", "verify", "--from-signature", folder.to_str().unwrap(), "--public-key", PUBLIC];
    let (code, said) = run(on(&signed.database, &with_signatures)).await;
    assert!(code == 0 && said.contains("is what was signed at"), "{code} {said}");
    let (code, said) = signed.run(&["log", "verify", "--from-signature", "--json"]).await;
    let told: Value = serde_json::from_str(&said).unwrap();
    assert!(code == 0 && told["signedBatch"].as_i64() <= told["headBatch"].as_i64(), "{said}");
    let (code, said) = signed.run(&["log", "verify", "--from-signature", "--public-key", OTHER]).await;
    assert!(code == 1 && said.contains("another key"), "{code} {said}");
    assert!(signed.service.interrupt().await.success());

    // What an insider can do who knows the format: cut the tail off, and leave everything consistent.
    for cut in [
        "CREATE TEMP TABLE cut AS SELECT max(batch_no) / 2 AS batch_no FROM es.batch;
         DELETE FROM es.event WHERE position > (SELECT last_position FROM es.batch JOIN cut USING (batch_no));
         DELETE FROM es.batch WHERE batch_no > (SELECT batch_no FROM cut);
         DELETE FROM es.open_stream;
         DELETE FROM es.stream;
         INSERT INTO es.stream SELECT stream_id, max(version), min(position), max(position),
             (array_agg(owner_id ORDER BY version DESC))[1], min(category), 1 FROM es.event GROUP BY stream_id",
    ] {
        sqlx::raw_sql(cut).execute(signed.database.pool()).await.unwrap();
    }
    let (code, said) = run(on(&signed.database, &["log", "verify"])).await;
    assert!(code == 0, "in itself it is consistent: {said}");
    let (code, said) = run(on(&signed.database, &with_signatures)).await;
    assert!(
        code == 1 && said.contains("was signed") && said.contains("not the log that was signed"),
        "{code} {said}"
    );
}

#[tokio::test]
async fn a_part_of_the_log_is_verified_by_positions_or_by_conversation() {
    let signed = Signed::exchange().await;
    let (code, said) = signed.run(&["log", "verify", "--conversation", &signed.conversation]).await;
    assert!(code == 0 && said.contains(" 0 faults"), "{code} {said}");
    let (code, said) = signed.run(&["log", "verify", "--from", "1", "--to", "1", "--json"]).await;
    let told: Value = serde_json::from_str(&said).unwrap();
    assert!(code == 0 && told["events"].as_i64() < told["head"].as_i64(), "{said}");
    for (arguments, why) in [
        (&["--from", "5", "--to", "1"][..], "--from 5 is after --to 1"),
        (&["--from", "0"], "--from"),
        (&["--conversation", "x"], "invalid value 'x'"),
        (&["--public-key", PUBLIC], "--from-signature"),
    ] {
        let (code, said) = signed.run(&[&["log", "verify"][..], arguments].concat()).await;
        assert!(code == 2 && said.contains(why), "{arguments:?}: {code} {said}");
    }
    let (code, said) = run(on(&signed.database, &["log", "sign"])).await;
    assert!(code == 2 && said.contains("set audit.signing_key"), "{code} {said}");
    let mut wrong = on(&signed.database, &["log", "sign"]);
    wrong.env("SLIPSTREAM_AUDIT__SIGNING_KEY", "secret");
    let (code, said) = run(wrong).await;
    assert!(code == 2 && said.contains("audit.signing_key") && !said.contains("secret"), "{code} {said}");
    assert!(signed.service.interrupt().await.success());
}

#[tokio::test]
async fn a_service_with_the_key_signs_by_itself_and_says_so_in_the_log() {
    let signed = Signed::exchange().await;
    let begin = std::time::Instant::now();
    let named = loop {
        let (_, tail) = signed.run(&["log", "tail", "--from", "1", "--json"]).await;
        let events: Vec<Value> = tail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if let Some(signed) = events.into_iter().find(|event| event["type"] == "LogSigned") {
            break signed;
        }
        assert!(begin.elapsed().as_secs() < 20, "nothing was signed");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    assert_eq!(named["category"], "audit");
    let id = named["data"]["signatureId"].as_str().unwrap();
    let days = std::fs::read_dir(signed.signatures()).unwrap();
    let files = days.flat_map(|day| std::fs::read_dir(day.unwrap().path()).unwrap());
    let kept: Vec<String> =
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(kept.iter().any(|signature| signature.contains(id)), "{kept:?}");
    assert!(signed.service.interrupt().await.success());
}
