//! Files, from the paste to the message, with uploads and downloads by signed URLs as a browser does them.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use slipstream_commands::ports::{Blob, Disposition};
use slipstream_domain::{BlobKey, MediaType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::Client;
use crate::world::{PATIENCE, World};

/// An answer with its bytes.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let found =
            self.head.lines().find_map(|line| line.split_once(": ").filter(|(found, _)| *found == name));
        found.unwrap_or_else(|| panic!("no {name} in {}", self.head)).1
    }
}

/// One request to a signed URL.
pub(crate) async fn http(
    address: SocketAddr,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let path = url.split_once(&address.to_string()).unwrap().1;
    let headers: String = headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    // A server that refuses does not read on.
    drop(stream.write_all(body).await);
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer").unwrap();
    let split = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..split].to_vec()).unwrap().replace("\r\n", "\n");
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: answer[split + 4..].to_vec(),
    }
}

async fn put(world: &World, url: &str, mime: &str, body: &[u8]) -> Answer {
    let length = body.len().to_string();
    http(world.address, "PUT", url, &[("content-type", mime), ("content-length", &length)], body).await
}

async fn attach(client: &mut Client, mime: &str, size: usize, batch: &str) -> Value {
    client
        .send(json!({
            "type": "asset_attached", "conversationId": "new-chat", "filename": "../Grüße.txt", "mime": mime,
            "size": size, "draftId": "d1", "batchId": batch,
        }))
        .await;
    client.next().await
}

async fn attach_named(client: &mut Client, name: &str) -> Value {
    let frame = json!({"type": "asset_attached", "conversationId": "new-chat", "filename": name,
        "mime": "text/plain", "size": 5, "draftId": "d1"});
    client.send(frame).await;
    client.next().await
}

/// What the frame about an attached file of plain text is answered with, its bytes uploaded.
async fn uploaded(world: &World, client: &mut Client, text: &str, batch: &str) -> Value {
    let told = attach(client, "text/plain", text.len(), batch).await;
    assert_eq!(told["type"], "asset_upload_instructions", "{told}");
    let answer = put(world, told["uploadUrl"].as_str().unwrap(), "text/plain", text.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    told
}

async fn complete(client: &mut Client, id: &Value) -> Value {
    client
        .send(json!({
            "type": "asset_upload_complete", "conversationId": "new-chat", "attachmentId": id, "success": true,
            // What another wanted to have checked in our name.
            "bucket": "elsewhere", "key": "upload/somebody/1-else.txt", "versionId": "v", "publicUrl": "x",
            "duration": 5,
        }))
        .await;
    client.next().await
}

#[tokio::test]
async fn a_file_goes_from_the_paste_to_a_signed_download() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let told = attach(&mut client, "text/plain", 5, "b1").await;
    assert_eq!((&told["method"], &told["expiresIn"]), (&json!("PUT"), &json!(900)));
    assert_eq!((&told["draftId"], &told["batchId"]), (&json!("d1"), &json!("b1")));
    assert_eq!(told["requiredHeaders"], json!({"Content-Type": "text/plain"}));
    let (id, url) = (&told["attachmentId"], told["uploadUrl"].as_str().unwrap());

    client
        .send(json!({
            "type": "asset_upload_prepare", "conversationId": "new-chat", "filename": "a", "mime": "text/plain",
            "size": 5, "draftId": "d1",
        }))
        .await;
    let prepared = client.next().await;
    assert_eq!((&prepared["type"], &prepared["attachmentId"]), (&json!("asset_upload_progress"), id));
    let progress =
        json!({"type": "asset_upload_progress", "attachmentId": id, "progress": 40, "totalBytes": 5});
    client.send(progress).await;
    let relayed = client.next().await;
    assert_eq!((&relayed["progress"], &relayed["totalBytes"]), (&json!(40.0), &json!(5)));

    let stored = put(&world, url, "text/plain", b"hello").await;
    assert_eq!(stored.status, 200, "{}", stored.head);
    assert_eq!(stored.header("access-control-allow-origin"), "*");
    assert!(stored.header("access-control-expose-headers").contains("x-amz-version-id"));
    let ready = complete(&mut client, id).await;
    assert_eq!((&ready["type"], &ready["status"]), (&json!("asset_ready"), &json!("READY")), "{ready}");
    assert_eq!((&ready["size"], &ready["mime"]), (&json!(5), &json!("text/plain")));
    assert_eq!(ready["etag"], stored.header("etag"));
    assert_eq!(ready["versionId"], stored.header("x-amz-version-id"));
    let object = format!(
        "s3://{}/{}#{}",
        ready["bucket"].as_str().unwrap(),
        told["key"].as_str().unwrap(),
        stored.header("x-amz-version-id")
    );
    assert_eq!(ready["s3ObjectId"], object.as_str());
    assert_eq!(ready["metadata"]["filename"], "Grüße.txt");

    let shown = ready["downloadUrl"].as_str().unwrap();
    let whole = http(world.address, "GET", shown, &[], b"").await;
    assert_eq!((whole.status, &whole.body[..]), (200, &b"hello"[..]));
    assert!(whole.header("content-disposition").ends_with("filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt"));
    assert_eq!(whole.header("content-security-policy"), "default-src 'none'; sandbox");
    let part = http(world.address, "GET", shown, &[("range", "bytes=1-3")], b"").await;
    assert_eq!((part.status, &part.body[..]), (206, &b"ell"[..]));
    assert_eq!(part.header("content-range"), "bytes 1-3/5");
    let beyond = http(world.address, "GET", shown, &[("range", "bytes=5-")], b"").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */5"));
    let head = http(world.address, "HEAD", shown, &[], b"").await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "5", 0));

    let listed = crate::http::get(world.address, "/v1/attachments?email=a@example.com").await.json();
    let file = &listed["items"][0];
    assert_eq!((&file["id"], &file["filename"]), (id, &json!("Grüße.txt")), "{listed}");
    let again = complete(&mut client, id).await;
    assert_eq!(
        (&again["type"], &again["etag"]),
        (&ready["type"], &ready["etag"]),
        "completing twice is no harm"
    );
    world.end().await;
}

#[tokio::test]
async fn an_upload_url_takes_what_it_was_signed_for_and_nothing_else() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let told = attach(&mut client, "text/plain", 5, "b1").await;
    let url = told["uploadUrl"].as_str().unwrap();
    assert_eq!(put(&world, url, "text/html", b"hello").await.status, 403);
    assert_eq!(put(&world, url, "text/plain", b"hello!").await.status, 400);
    assert_eq!(put(&world, url, "text/plain", b"hell").await.status, 400);
    assert_eq!(put(&world, url, "text/plain", b"").await.status, 400);
    let chunked = [("content-type", "text/plain"), ("transfer-encoding", "chunked")];
    let longer = http(world.address, "PUT", url, &chunked, b"9\r\nhello you\r\n0\r\n\r\n").await;
    assert_eq!(longer.status, 400, "{}", longer.head);
    assert_eq!(put(&world, &url.replace("size=5", "size=6"), "text/plain", b"hello!").await.status, 403);
    assert_eq!(put(&world, &url.replace("/assets/", "/other/"), "text/plain", b"hello").await.status, 403);
    assert_eq!(http(world.address, "GET", url, &[], b"").await.status, 403);
    assert_eq!(http(world.address, "POST", url, &[], b"").await.status, 405);
    let preflight = http(world.address, "OPTIONS", url, &[("origin", "https://chat.example.com")], b"").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-methods")), (204, "PUT, GET, HEAD"));

    let early = complete(&mut client, &told["attachmentId"]).await;
    assert_eq!((&early["type"], &early["code"]), (&json!("asset_upload_complete_error"), &json!("conflict")));
    assert_eq!(put(&world, url, "text/plain", b"hello").await.status, 200);
    assert_eq!(complete(&mut client, &told["attachmentId"]).await["type"], "asset_ready");
    world.end().await;
}

#[tokio::test]
async fn a_url_that_has_expired_takes_and_shows_nothing() {
    let world = World::start().await;
    let store = world.files.store();
    let (key, mime) =
        (BlobKey::parse("assets", "upload/a.txt").unwrap(), MediaType::parse("text/plain").unwrap());
    let moment = Duration::from_millis(1);
    let told = store.sign_upload(&key, &mime, 5, moment).await.unwrap();
    let inline = Disposition::Inline { filename: "a.txt".to_owned() };
    let shown = store.sign_download(&Blob::newest(key.clone()), &inline, moment).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(put(&world, &told.url, "text/plain", b"hello").await.status, 403);
    let refused = http(world.address, "GET", &shown.url, &[], b"").await;
    assert!(refused.status == 403 && String::from_utf8(refused.body).unwrap().contains("expired"));
    assert!(store.head(&key).await.is_err());
    world.end().await;
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_stays_in_its_owners_folder_and_one_of_4_kib_is_none() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    for name in [
        "../../etc/passwd",
        "..\\..\\etc\\passwd",
        "/etc/passwd",
        "a/../../passwd",
        "%2e%2e/passwd",
        "pass\0wd",
    ] {
        let told = attach_named(&mut client, name).await;
        let key = told["key"].as_str().unwrap_or_else(|| panic!("{name}: {told}"));
        let (folder, last) = key.rsplit_once('/').unwrap();
        assert!(folder.starts_with("upload/") && folder.matches('/').count() == 1, "{key}");
        assert!(last.contains("-pass") && !last.contains(".."), "{key}");
        let stored = put(&world, told["uploadUrl"].as_str().unwrap(), "text/plain", b"hello").await;
        assert_eq!(stored.status, 200, "{name}");
    }
    let long = "n".repeat(4096);
    for (name, code) in
        [(long.as_str(), "too_large"), ("..", "bad_frame"), ("a/..", "bad_frame"), ("", "bad_frame")]
    {
        let refused = attach_named(&mut client, name).await;
        assert_eq!((&refused["type"], &refused["code"]), (&json!("asset_upload_error"), &json!(code)));
        assert_eq!(client.next().await["type"], "asset_upload_complete_error");
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_stored_after_the_check_is_not_what_a_download_shows() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let told = uploaded(&world, &mut client, "hello", "b1").await;
    let ready = complete(&mut client, &told["attachmentId"]).await;
    let url = told["uploadUrl"].as_str().unwrap();
    assert_eq!(put(&world, url, "text/plain", b"other").await.status, 200);
    let shown = http(world.address, "GET", ready["downloadUrl"].as_str().unwrap(), &[], b"").await;
    assert_eq!(shown.status, 404);
    world.end().await;
}

#[tokio::test]
async fn what_is_not_taken_is_answered_by_both_error_twins() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    for (mime, size, code) in [
        ("application/x-msdownload", 5, "bad_frame"),
        ("video/mp4", 5 << 30, "too_large"),
        ("text/plain", 0, "bad_frame"),
    ] {
        let first = attach(&mut client, mime, size, "b1").await;
        assert_eq!((&first["type"], &first["code"]), (&json!("asset_upload_error"), &json!(code)), "{first}");
        let second = client.next().await;
        assert_eq!(second["type"], "asset_upload_complete_error");
        assert_eq!((&second["draftId"], &second["success"]), (&json!("d1"), &json!(false)));
    }
    client.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn a_file_of_somebody_else_is_as_absent_as_one_that_never_was() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let told = uploaded(&world, &mut client, "hello", "b1").await;
    let mut other = world.client("b@example.com").await;
    for id in [&told["attachmentId"], &json!("0190163d-8694-739b-aea5-966c26f8ad91")] {
        let refused = complete(&mut other, id).await;
        assert_eq!(
            (&refused["type"], &refused["code"]),
            (&json!("asset_upload_complete_error"), &json!("not_found"))
        );
        for kind in ["asset_upload_abort", "asset_deleted"] {
            other.send(json!({"type": kind, "attachmentId": id})).await;
            assert_eq!(other.next().await["code"], "not_found");
        }
    }
    other.send(json!({"type": "asset_batch_upload", "batchId": "b1"})).await;
    assert_eq!(other.next().await["total"], 0);
    assert_eq!(complete(&mut client, &told["attachmentId"]).await["type"], "asset_ready");
    world.end().await;
}

#[tokio::test]
async fn an_upload_that_is_given_up_stays_so() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let told = uploaded(&world, &mut client, "hello", "b1").await;
    let id = &told["attachmentId"];
    client
        .send(json!({"type": "asset_upload_abort", "attachmentId": id, "draftId": "d1", "reason": "user"}))
        .await;
    let aborted = client.next().await;
    assert_eq!((&aborted["type"], &aborted["reason"]), (&json!("asset_upload_aborted"), &json!("user")));
    assert_eq!(complete(&mut client, id).await["type"], "asset_upload_complete_error");
    let failed = uploaded(&world, &mut client, "hello", "b1").await;
    client.send(json!({"type": "asset_upload_complete_error", "attachmentId": failed["attachmentId"]})).await;
    assert_eq!(client.next().await["type"], "asset_upload_complete_error");
    // The read model is a little behind.
    let both = async {
        loop {
            client.send(json!({"type": "asset_batch_upload", "batchId": "b1"})).await;
            let batch = client.next().await;
            if batch["failed"] == 2 {
                return batch;
            }
        }
    };
    let batch = timeout(PATIENCE, both).await.expect("both have failed");
    assert_eq!(
        (&batch["total"], &batch["failed"], &batch["ready"]),
        (&json!(2), &json!(2), &json!(0)),
        "{batch}"
    );
    world.end().await;
}

#[tokio::test]
async fn a_whole_file_in_a_frame_is_stored_and_checked_like_any_other() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let send = |base64: &'static str, mime: &'static str| json!({"type": "asset_upload_request", "filename": "a.txt", "contentType": mime, "base64": base64});
    client.send(send("aGVsbG8=", "text/plain")).await;
    let stored = client.next().await;
    assert_eq!(
        (&stored["type"], &stored["success"]),
        (&json!("asset_upload_response"), &json!(true)),
        "{stored}"
    );
    let shown = http(world.address, "GET", stored["downloadUrl"].as_str().unwrap(), &[], b"").await;
    assert_eq!(shown.body, b"hello");
    client.send(send("aGVsbG8=", "image/png")).await;
    let refused = client.next().await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("asset_upload_error"), &json!("conflict")));
    assert_eq!(client.next().await["type"], "asset_upload_complete_error");
    world.end().await;
}

#[tokio::test]
async fn rule_12_a_request_waits_for_its_uploads_and_has_them() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    let one = uploaded(&world, &mut client, "one", "b1").await;
    let two = uploaded(&world, &mut client, "two", "b1").await;
    client
        .send(json!({
            "type": "ai_chat_request", "conversationId": "new-chat", "prompt": "look", "provider": "openai",
            "batchId": "b1",
        }))
        .await;
    // Frames after the request are read while it waits.
    for told in [&one, &two] {
        assert_eq!(complete(&mut client, &told["attachmentId"]).await["type"], "asset_ready");
    }
    let owner = world.worker().await;
    owner.complete().await;
    client.until_end().await;
    for told in [&one, &two] {
        let id = told["attachmentId"].as_str().unwrap().parse().unwrap();
        assert_eq!(world.events(id).await.last().unwrap(), "AttachmentLinked");
    }
    world.end().await;
}
