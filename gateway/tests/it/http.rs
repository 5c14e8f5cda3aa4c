//! HTTP beside the sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use slipstream_gateway::{Check, Probes, Settings, serve_probes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::world::{PATIENCE, Twist, World};

pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Response {
    get_with(address, path, "").await
}

/// The same with these header lines more.
pub(crate) async fn get_with(address: SocketAddr, path: &str, lines: &str) -> Response {
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{lines}\r\n");
    request(address, &head).await
}

/// Another method than GET, with a body.
pub(crate) async fn send(address: SocketAddr, method: &str, path: &str, body: &str) -> Response {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    request(address, &format!("{head}content-length: {length}\r\n\r\n{body}")).await
}

/// The same for a client that comes back to a stream.
pub(crate) async fn get_from(address: SocketAddr, path: &str, last: Option<&str>) -> Response {
    request(address, &stream_head(path, last)).await
}

fn stream_head(path: &str, last: Option<&str>) -> String {
    let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{last}\r\n")
}

/// Server-sent events as they come.
pub(crate) struct EventStream {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl EventStream {
    pub(crate) async fn open(address: SocketAddr, path: &str, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(stream_head(path, last).as_bytes()).await.unwrap();
        let mut events = Self { stream, bytes: Vec::new() };
        let head = events.until("\r\n\r\n").await.expect("a head").to_lowercase();
        assert!(
            head.starts_with("http/1.1 200") && head.contains("content-type: text/event-stream"),
            "{head}"
        );
        events
    }

    /// The next event's id and frame; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            // Of the chunked body only the events matter; an event is never longer than its chunk here.
            let event = self.until("\n\n").await?;
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let (Some(id), Some(data)) = (field("id:"), field("data:")) {
                return Some((id.to_owned(), serde_json::from_str(data).expect("frames are JSON")));
            }
        }
    }

    async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some(at) = self.bytes.windows(end.len()).position(|bytes| bytes == end.as_bytes()) {
                let rest = self.bytes.split_off(at + end.len());
                let taken = std::mem::replace(&mut self.bytes, rest);
                return Some(String::from_utf8(taken).unwrap());
            }
            let more = self.stream.read_buf(&mut self.bytes);
            if timeout(PATIENCE, more).await.expect("more or the end").unwrap() == 0 {
                return None;
            }
        }
    }
}

async fn request(address: SocketAddr, head: &str) -> Response {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("an answer").unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response { status, head: head.replace("\r\n", "\n"), body: body.to_owned() }
}

/// The head of the answer to an upgrade with these header lines more.
pub(crate) async fn upgrade(address: SocketAddr, lines: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let version = if lines.contains("version") { "" } else { "sec-websocket-version: 13\r\n" };
    let head = format!(
        "GET /?email=a@example.com HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{version}{lines}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await.expect("an answer").unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn health_and_metrics_are_told() {
    let world = World::start().await;
    let health = get(world.address, "/health").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &Value::from("ok")));
    assert!(health.json()["processingTime"].as_str().unwrap().ends_with("ms"));
    assert_eq!(get(world.address, "/livez").await.status, 200);
    assert_eq!(get(world.address, "/metrics").await.body, "slipstream_up 1\n");
    assert!(get(world.address, "/console").await.body.contains("<title>Slipstream console</title>"));
    world.end().await;
}

#[tokio::test]
async fn readiness_names_each_dependency_and_ends_with_the_drain() {
    let check = |name, needed, answer: Result<(), String>| Check {
        name,
        needed,
        ask: Arc::new(move || {
            let answer = answer.clone();
            Box::pin(async move { answer })
        }),
    };
    let ready = World::with(Twist { checks: vec![check("log", true, Ok(()))], ..Twist::default() }).await;
    let response = get(ready.address, "/readyz").await;
    assert_eq!(
        (response.status, response.body.as_str()),
        (200, r#"{"status":"ok","checks":[{"name":"log","needed":true,"ready":true}]}"#)
    );
    ready.end().await;
    let checks = vec![check("log", true, Ok(())), check("state", false, Err("no answer".into()))];
    let degraded = World::with(Twist { checks, ..Twist::default() }).await;
    let response = get(degraded.address, "/readyz").await;
    assert_eq!((response.status, &response.json()["status"]), (200, &Value::from("degraded")));
    degraded.end().await;
    let checks = vec![check("log", true, Ok(())), check("queue", true, Err("no answer".into()))];
    let unready = World::with(Twist { checks, ..Twist::default() }).await;
    let response = get(unready.address, "/readyz").await;
    assert_eq!((response.status, &response.json()["checks"][1]["reason"]), (503, &Value::from("no answer")));
    unready.end().await;
}

#[tokio::test]
async fn a_process_without_clients_answers_about_itself_alone() {
    let (tasks, drain) = (TaskTracker::new(), CancellationToken::new());
    let (connections, ended) = (tasks.clone(), drain.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let probes = Probes { checks: Arc::new([]), render_metrics: Arc::new(|| "slipstream_up 1\n".to_owned()) };
    let settings = Settings::default();
    tasks.spawn(async move { serve_probes(probes, &settings, listener, connections, ended).await });
    assert_eq!(get(address, "/livez").await.status, 200);
    assert_eq!(get(address, "/readyz").await.json()["status"], "ok");
    assert_eq!(get(address, "/metrics").await.body, "slipstream_up 1\n");
    let elsewhere = get(address, "/v1/conversations").await;
    assert_eq!((elsewhere.status, &elsewhere.json()["code"]), (404, &Value::from("not_found")));
    drain.cancel();
    tasks.close();
    timeout(PATIENCE, tasks.wait()).await.expect("it ends");
}

#[tokio::test]
async fn a_connection_that_does_not_say_what_it_wants_is_cut() {
    let settings = Settings { request_head: Duration::from_millis(200), ..Twist::default().settings };
    let world = World::with(Twist { settings, ..Twist::default() }).await;
    for begun in ["", "GET / HTTP/1.1\r\nhost: local"] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection is cut").unwrap();
    }
    // A socket is no longer a request: it may be silent.
    let mut client = world.client("a@example.com").await;
    client.hears_nothing().await;
    client.is_alive().await;
    world.end().await;
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_a_sane_one_is_kept() {
    let world = World::start().await;
    let made = get(world.address, "/health").await;
    assert!(made.header("x-request-id").unwrap().parse::<uuid::Uuid>().is_ok());
    let head = "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-request-id: mine-1\r\n\r\n";
    assert_eq!(request(world.address, head).await.header("x-request-id"), Some("mine-1"));
    let long = format!(
        "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-request-id: {}\r\n\r\n",
        "x".repeat(200)
    );
    assert_ne!(request(world.address, &long).await.header("x-request-id"), Some("x".repeat(200).as_str()));
    world.end().await;
}

#[tokio::test]
async fn a_users_conversations_and_messages_come_in_pages() {
    let world = World::start().await;
    let mut client = world.client("a@example.com").await;
    for prompt in ["first", "second", "third"] {
        client.ask("new-chat", prompt).await;
        let mut owner = world.worker().await;
        owner.say("answer").await;
        owner.complete().await;
        client.next_of("ai_chat_response").await;
    }
    let mut titles = Vec::new();
    let mut conversation = String::new();
    let mut cursor = String::new();
    loop {
        let page = get(world.address, &format!("/v1/conversations?email=a@example.com&limit=2{cursor}"))
            .await
            .json();
        for item in page["items"].as_array().unwrap() {
            titles.push(item["title"].as_str().unwrap().to_owned());
            item["id"].as_str().unwrap().clone_into(&mut conversation);
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(titles, ["third", "second", "first"]);
    let page = get(world.address, &format!("/v1/conversations/{conversation}/messages?email=a@example.com"))
        .await
        .json();
    let said: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|item| (&item["role"], &item["text"])).collect();
    assert_eq!(
        said,
        [(&"user".into(), &"first".into()), (&"assistant".into(), &"answer".into())] as [(&Value, &Value); 2]
    );
    assert_eq!(page["items"][1]["parentMessageId"], page["items"][0]["id"]);
    world.end().await;
}

#[tokio::test]
async fn a_wrong_query_is_a_problem_with_a_stable_code() {
    let world = World::start().await;
    let mut stranger = world.client("b@example.com").await;
    stranger.ask("new-chat", "mine alone").await;
    let foreign = stranger.next().await["conversationId"].as_str().unwrap().to_owned();
    world.worker().await.complete().await;
    stranger.until_end().await;
    let me = "email=a@example.com";
    let unknown = get(world.address, &format!("/v1/conversations?{me}")).await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (401, &Value::from("unauthorized")));
    // Asking has made nobody known.
    assert_eq!(get(world.address, &format!("/v1/conversations?{me}")).await.status, 401);
    world.client("a@example.com").await.is_alive().await;
    for (path, status, code, detail) in [
        ("/v1/conversations".to_owned(), 401, "unauthorized", "say who you are"),
        (
            format!("/v1/conversations?{me}&limit=0"),
            400,
            "bad_request",
            "limit must be a whole number from 1 to 200",
        ),
        (format!("/v1/conversations?{me}&limit=many"), 400, "bad_request", "limit must be"),
        (format!("/v1/conversations?{me}&cursor=x"), 400, "bad_request", "cursor must be the one"),
        (format!("/v1/conversations/home/messages?{me}"), 404, "not_found", "no such conversation"),
        (format!("/v1/conversations/%ff/messages?{me}"), 404, "not_found", "no such conversation"),
        (format!("/v1/conversations/{foreign}/messages?{me}"), 404, "not_found", "no such conversation"),
    ] {
        let response = get(world.address, &path).await;
        let problem = response.json();
        assert_eq!((response.status, &problem["code"]), (status, &Value::from(code)), "{path}: {problem}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{path}: {problem}");
    }
    let rebound =
        format!("GET /v1/conversations?{me} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
    assert_eq!(request(world.address, &rebound).await.status, 401);
    let post = "POST /v1/conversations HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let refused = request(world.address, post).await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET,HEAD")));
    world.end().await;
}
