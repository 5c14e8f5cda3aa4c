//! The replayed vendor refuses what the vendor refuses, and answers what it is told.

use std::fmt::Write as _;

use slipstream_testkit::replay::{Outcome, ReplayOptions, ReplayServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BODY: &str = r#"{"model":"gpt-4.1","stream":true,"input":"hello"}"#;

/// The whole answer to a request, head and body.
async fn post(server: &ReplayServer, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut request = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

const KEY: (&str, &str) = ("authorization", "Bearer sk-test");

#[tokio::test]
async fn a_malformed_request_is_refused_in_the_vendors_words() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let with = |field: &str| BODY.replacen('{', &format!("{{{field},"), 1);
    for (headers, path, body, status, says) in [
        (&[][..], "/v1/responses", BODY.to_owned(), 401, "Missing bearer"),
        (
            &[("authorization", "Bearer sk-invalid-1")],
            "/v1/responses",
            BODY.to_owned(),
            401,
            "invalid_api_key",
        ),
        (&[KEY], "/openai/v1/chat/completions", BODY.to_owned(), 404, "Invalid URL"),
        (&[KEY], "/v1/responses", "{".to_owned(), 400, "could not parse the JSON"),
        (&[KEY], "/v1/responses", "{}".to_owned(), 400, "Missing required parameter: 'model'"),
        (&[KEY], "/v1/responses", with(r#""seed":1"#), 400, "Unknown parameter: 'seed'"),
        (
            &[KEY],
            "/v1/responses",
            with(r#""reasoning":{}"#),
            400,
            "'reasoning' is not supported with this model",
        ),
        (&[KEY], "/v1/responses", with(r#""max_output_tokens":15"#), 400, "Expected a value >= 16"),
        (&[KEY], "/v1/responses", BODY.replace("true", "false"), 400, "streams only"),
        (&[KEY], "/v1/responses", BODY.replace(r#""hello""#, r#"[{"role":"robot"}]"#), 400, "input[0].role"),
    ] {
        let answer = post(&server, path, headers, &body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{body} gave {answer}");
        assert!(answer.contains(says), "{body} gave {answer}");
    }
    assert!(server.requests().iter().all(|request| request.golden.is_none()));
}

#[tokio::test]
async fn the_golden_is_chosen_by_script_header_prompt_model_and_default_in_this_order() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let chosen = async |header: &str, prompt: &str, model: &str| {
        let body = BODY.replace("hello", prompt).replace("gpt-4.1", model);
        let headers = if header.is_empty() { vec![KEY] } else { vec![KEY, ("x-replay-golden", header)] };
        post(&server, "/responses", &headers, &body).await;
        server.requests().last().unwrap().golden.clone().unwrap()
    };
    assert_eq!(chosen("", "hello", "gpt-4.1").await, "thinking");
    assert_eq!(chosen("", "hello", "refusal").await, "refusal");
    assert_eq!(chosen("", "[[golden=length]]", "refusal").await, "length");
    assert_eq!(chosen("text", "[[golden=length]]", "refusal").await, "text");
    server.script(["search"]);
    assert_eq!(chosen("text", "[[golden=length]]", "refusal").await, "search");
    assert_eq!(chosen("text", "hello", "gpt-4.1").await, "text");
    assert_eq!(server.outcome(0, std::time::Duration::from_secs(5)).await.unwrap(), Outcome::Answered);
}

#[tokio::test]
async fn an_unknown_golden_is_named_with_those_there_are() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    let answer = post(&server, "/v1/responses", &[KEY, ("x-replay-golden", "nope")], BODY).await;
    assert!(answer.contains("there is no golden nope") && answer.contains("429_quota"), "{answer}");
    let options = ReplayOptions { default: "nope".to_owned(), ..ReplayOptions::shipped() };
    assert!(ReplayServer::start(options).await.is_err());
}

/// A vendor, its path, its key's header, a body it takes, and one it does not with what it says to that.
type Case =
    (&'static str, &'static str, (&'static str, &'static str), &'static str, &'static str, &'static str);

const CASES: [Case; 6] = [
    (
        "gemini",
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        ("x-goog-api-key", "k"),
        r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
        r#"{"contents":[{"role":"model","parts":[{"text":"hi"}]}]}"#,
        "alternate between user and model",
    ),
    (
        "grok",
        "/v1/responses",
        KEY,
        r#"{"model":"grok-4","stream":true,"input":"hi"}"#,
        r#"{"model":"grok-4","stream":true,"input":"hi","search_parameters":{}}"#,
        "Live search is deprecated",
    ),
    (
        "anthropic",
        "/v1/messages",
        ("x-api-key", "k"),
        r#"{"model":"c","max_tokens":2048,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"model":"c","max_tokens":1024,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[]}"#,
        "must be greater than `thinking.budget_tokens`",
    ),
    (
        "meta",
        "/v1/chat/completions",
        KEY,
        r#"{"model":"Llama-3.3-8B-Instruct","stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"model":"Llama-3.3-8B-Instruct","stream":true,"max_tokens":1,"messages":[]}"#,
        "Unknown parameter: 'max_tokens'",
    ),
    (
        "vercel",
        "/v1/chat/completions",
        KEY,
        r#"{"model":"v0-1.5-md","stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"model":"v0-1.5-md","stream":true,"temperature":1,"messages":[]}"#,
        "Unknown parameter: 'temperature'",
    ),
    (
        "compatible",
        "/v1/chat/completions",
        KEY,
        r#"{"model":"qwen3","stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
        r#"{"model":"qwen3","stream":true,"messages":[{"role":"user","content":""}]}"#,
        "content must not be empty",
    ),
];

#[tokio::test]
async fn every_vendor_is_found_by_its_name_in_the_path_or_by_what_only_it_has_and_refuses_as_it_does() {
    let server = ReplayServer::start(ReplayOptions::shipped()).await.unwrap();
    for (vendor, path, key, right, wrong, says) in CASES {
        let headers = [key, ("anthropic-version", "2023-06-01")];
        let named = format!("/{vendor}{path}");
        let answer = post(&server, &named, &headers, right).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{vendor}: {answer}");
        assert_eq!(post(&server, path, &headers, right).await, answer, "{vendor} without its name");
        let refusal = post(&server, path, &headers, wrong).await;
        assert!(refusal.starts_with("HTTP/1.1 4") && refusal.contains(says), "{vendor}: {refusal}");
        let keyless = post(&server, path, &headers[1..], right).await;
        assert_eq!(keyless.starts_with("HTTP/1.1 200 "), vendor == "compatible", "{vendor}: {keyless}");
    }
    assert!(post(&server, "/elsewhere", &[KEY], "{}").await.contains("no vendor answers POST /elsewhere"));
}
