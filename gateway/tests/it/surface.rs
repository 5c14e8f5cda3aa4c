//! The whole surface, table by table: a foreign id is answered like an unknown one, and nobody's lists show what is
//! another's. A route or a frame without a row fails here.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Client;
use crate::http::{get, send};
use crate::world::World;

/// What a route shows.
#[derive(Clone, Copy)]
enum Shows {
    /// Nothing of anybody's.
    Public,
    /// What is the asker's own; it takes no id.
    Own,
    /// What `{id}` names: one of these.
    Conversation,
    /// The same for those who may see anybody's; refused to others before it is looked for.
    Auditors,
    Generation,
    Session,
    /// A file, by a signed URL.
    Blob,
}

const ROUTES: [(&str, Shows); 30] = [
    ("GET /health", Shows::Public),
    ("GET /livez", Shows::Public),
    ("GET /readyz", Shows::Public),
    ("GET /metrics", Shows::Public),
    ("GET /console", Shows::Public),
    ("GET /docs", Shows::Public),
    ("GET /openapi.json", Shows::Public),
    ("GET /v1/models", Shows::Public),
    ("GET /v1/attachments", Shows::Own),
    ("GET /v1/conversations", Shows::Own),
    ("GET /v1/conversations/{id}", Shows::Conversation),
    ("PATCH /v1/conversations/{id}", Shows::Conversation),
    ("DELETE /v1/conversations/{id}", Shows::Conversation),
    ("GET /v1/conversations/{id}/messages", Shows::Conversation),
    ("GET /v1/generations/{id}/stream", Shows::Generation),
    ("GET /v1/me", Shows::Own),
    ("PATCH /v1/me", Shows::Own),
    ("GET /v1/usage", Shows::Own),
    ("GET /v1/search", Shows::Own),
    ("GET /v1/audit/conversations/{id}/events", Shows::Auditors),
    ("ANY /blobs/{*path}", Shows::Blob),
    // Without accounts here; `slipstream/tests/it/signing_in.rs` has them.
    ("GET /v1/sessions", Shows::Own),
    ("POST /v1/sessions", Shows::Own),
    ("DELETE /v1/sessions", Shows::Own),
    ("DELETE /v1/sessions/{id}", Shows::Session),
    ("POST /v1/tickets", Shows::Own),
    ("GET /v1/keys", Shows::Own),
    ("PUT /v1/keys/{provider}", Shows::Own),
    ("DELETE /v1/keys/{provider}", Shows::Own),
    ("POST /v1/keys/{provider}/validate", Shows::Own),
];

/// What a frame can name.
struct Ids {
    conversation: String,
    generation: String,
    message: String,
    attachment: String,
    blob: String,
}

impl Ids {
    fn unknown() -> Self {
        let id = || Uuid::now_v7().to_string();
        Self {
            conversation: id(),
            generation: id(),
            message: id(),
            attachment: id(),
            blob: format!("/blobs/assets/upload/{}/1-a.txt", id()),
        }
    }

    fn all(&self) -> [&str; 4] {
        [&self.conversation, &self.generation, &self.message, &self.attachment]
    }
}

/// Something of Ann's of every kind.
async fn of_ann(world: &World) -> (Ids, Client) {
    let mut ann = world.v1("ann@example.com").await;
    ann.send(json!({"type": "ai_chat_request", "conversationId": "new-chat", "prompt": "hello", "provider": "simulated"}))
        .await;
    let ack = ann.next_of("ack").await;
    let mut owner = world.worker().await;
    owner.say("Hello").await;
    owner.complete().await;
    ann.next_of("ai_chat_response").await;
    ann.send(json!({
        "type": "asset_attached", "conversationId": "new-chat", "filename": "a.txt", "mime": "text/plain", "size": 5,
        "draftId": "d1", "batchId": "b1",
    }))
    .await;
    let file = ann.next_of("asset_upload_instructions").await;
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {ack} {file}")).to_owned();
    let url = text(&file["uploadUrl"]);
    let path = &url[url.find("/blobs/").unwrap()..];
    let ids = Ids {
        conversation: text(&ack["conversationId"]),
        generation: text(&ack["generationId"]),
        message: text(&ack["messageId"]),
        attachment: text(&file["attachmentId"]),
        blob: path.split('?').next().unwrap().to_owned(),
    };
    (ids, ann)
}

#[test]
fn every_route_has_its_row() {
    let openapi: Value = serde_json::from_str(&slipstream_gateway::openapi()).unwrap();
    let mut routes = BTreeSet::new();
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().keys();
        routes.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    // And those that it does not describe.
    let source = include_str!("../../src/http.rs");
    for route in source.split(".route(").skip(1) {
        let path = route.split('"').nth(1).unwrap();
        let method = route.split(", ").nth(1).unwrap().split('(').next().unwrap();
        routes.insert(format!("{} {path}", method.to_uppercase()));
    }
    let rows: BTreeSet<_> = ROUTES.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(routes, rows, "each route needs a row that says whose things it shows");
}

#[tokio::test]
async fn every_route_answers_for_a_foreign_id_as_for_an_unknown_one() {
    let world = World::start().await;
    let (foreign, _ann) = of_ann(&world).await;
    let unknown = Ids::unknown();
    for (route, shows) in ROUTES {
        let (method, path) = route.split_once(' ').unwrap();
        let body = if method == "PATCH" { r#"{"title":"mine","settings":{}}"# } else { "" };
        let ask = async |ids: &Ids| {
            let id = match shows {
                Shows::Conversation | Shows::Auditors => &ids.conversation,
                Shows::Generation => &ids.generation,
                Shows::Session | Shows::Public | Shows::Own => "0199e0c8-0000-7000-8000-000000000000",
                Shows::Blob => "",
            };
            let path = if let Shows::Blob = shows { ids.blob.clone() } else { path.replace("{id}", id) };
            let path = format!("{}?email=bob@example.com", path.replace("{provider}", "openai"));
            let answer = match method {
                "GET" | "ANY" => get(world.address, &path).await,
                method => send(world.address, method, &path, body).await,
            };
            (answer.status, ids.all().iter().fold(answer.body, |body, id| body.replace(id, "ID")))
        };
        // Bob is known from his first socket on.
        drop(world.v1("bob@example.com").await);
        let (of_foreign, of_unknown) = (ask(&foreign).await, ask(&unknown).await);
        match shows {
            Shows::Public => {}
            Shows::Own => {
                assert!(
                    !of_foreign.1.contains("ID") && !of_foreign.1.contains("ann@"),
                    "{route}: {of_foreign:?}"
                );
            }
            Shows::Conversation | Shows::Generation | Shows::Session => {
                assert_eq!((of_foreign.0, &of_foreign), (404, &of_unknown), "{route}");
            }
            Shows::Auditors => {
                assert_eq!((of_foreign.0, &of_foreign), (403, &of_unknown), "{route}");
            }
            Shows::Blob => {
                assert!(of_foreign.0 >= 400, "{route}: {of_foreign:?}");
                assert_eq!(of_foreign.0, of_unknown.0, "{route}");
            }
        }
    }
    world.end().await;
}

/// A frame of each type that names whatever it can name.
fn frames(ids: &Ids) -> Vec<Value> {
    let Ids { conversation, generation, message, attachment, .. } = ids;
    let file = |kind: &str| {
        json!({"type": kind, "conversationId": conversation, "attachmentId": attachment, "progress": 1, "bytesUploaded": 1,
               "totalBytes": 2, "success": true, "bucket": "b", "key": "k", "versionId": "v", "publicUrl": "u", "duration": 1})
    };
    vec![
        json!({"type": "ai_chat_request", "conversationId": conversation, "prompt": "x", "provider": "simulated"}),
        json!({"type": "ai_chat_request", "conversationId": "new-chat", "parentMessageId": message, "prompt": "x",
               "provider": "simulated"}),
        json!({"type": "ai_chat_cancel", "conversationId": conversation}),
        json!({"type": "ai_chat_cancel", "generationId": generation}),
        json!({"type": "ai_chat_edit", "conversationId": conversation, "messageId": message, "prompt": "x",
               "provider": "simulated"}),
        json!({"type": "ai_chat_regenerate", "conversationId": conversation, "messageId": message}),
        json!({"type": "conversation_choose_leaf", "conversationId": conversation, "messageId": message}),
        json!({"type": "message_rate", "conversationId": conversation, "messageId": message, "rating": "up"}),
        json!({"type": "typing", "conversationId": conversation}),
        json!({"type": "ping"}),
        json!({"type": "subscribe", "conversationId": conversation,
               "generations": [{"generationId": generation, "epoch": 1, "seq": 1}]}),
        json!({"type": "unsubscribe", "conversationId": conversation}),
        json!({"type": "image_gen_request", "conversationId": conversation, "prompt": "x", "model": "gpt-image-1"}),
        file("asset_upload_progress"),
        file("asset_upload_complete"),
        file("asset_upload_complete_error"),
        file("asset_upload_abort"),
        file("asset_deleted"),
        json!({"type": "asset_batch_upload", "batchId": "b1"}),
        json!({"type": "asset_fetch_request", "conversationId": conversation, "sourceUrl": "http://127.0.0.1:1/a"}),
        // These make something of the sender's own; the conversation they name is looked at when a message is posted.
        json!({"type": "asset_attached", "conversationId": conversation, "filename": "a", "mime": "text/plain", "size": 1,
               "draftId": "d1", "batchId": "b2"}),
        json!({"type": "asset_paste", "conversationId": conversation, "filename": "a", "mime": "text/plain", "size": 1,
               "draftId": "d1", "batchId": "b2"}),
        json!({"type": "asset_upload_prepare", "conversationId": conversation, "filename": "a", "mime": "text/plain",
               "size": 1, "draftId": attachment}),
        json!({"type": "asset_upload_request", "conversationId": conversation, "filename": "a.txt",
               "contentType": "text/plain", "base64": "aGk="}),
    ]
}

/// What a frame is answered with up to the answer to a ping behind it: the types, the codes and the words.
async fn answers(client: &mut Client, frame: &Value, ids: &Ids) -> Vec<String> {
    client.send(frame.clone()).await;
    client.send(json!({"type": "ping"})).await;
    let mut said = Vec::new();
    loop {
        let answer = client.next().await;
        if answer["type"] == "pong" {
            return said;
        }
        let words =
            ["type", "code", "message", "error", "mode", "stopReason"].map(|name| answer[name].to_string());
        said.push(ids.all().iter().fold(words.join(" "), |words, id| words.replace(id, "ID")));
    }
}

#[tokio::test]
async fn every_frame_is_answered_for_a_foreign_id_as_for_an_unknown_one() {
    let world = World::start().await;
    let (foreign, mut ann) = of_ann(&world).await;
    let streams = [&foreign.conversation, &foreign.generation, &foreign.attachment];
    let before = world.events(streams[0].parse().unwrap()).await;
    let unknown = Ids::unknown();

    let known = {
        let mut bob = world.v1("bob@example.com").await;
        bob.send(json!({"type": "?"})).await;
        bob.next_of("error").await["message"]
            .as_str()
            .unwrap()
            .split_once("known are: ")
            .unwrap()
            .1
            .to_owned()
    };
    let rows: BTreeSet<_> =
        frames(&unknown).iter().map(|frame| frame["type"].as_str().unwrap().to_owned()).collect();
    let known: BTreeSet<_> = known.split(", ").map(str::to_owned).collect();
    assert_eq!(known, rows, "each type of frame needs a row");

    for (of_foreign, of_unknown) in frames(&foreign).iter().zip(frames(&unknown)) {
        // Each on a socket of its own, one after the other: what the one has begun is not told to the next.
        let mut bob = world.v1("bob@example.com").await;
        let to_foreign = answers(&mut bob, of_foreign, &foreign).await;
        drop(bob);
        let mut bob = world.v1("bob@example.com").await;
        let to_unknown = answers(&mut bob, &of_unknown, &unknown).await;
        assert_eq!(to_foreign, to_unknown, "{of_foreign}");
    }
    assert_eq!(world.events(streams[0].parse().unwrap()).await, before, "nothing has happened to Ann's");
    ann.is_alive().await;
    world.end().await;
}
