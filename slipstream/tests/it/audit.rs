//! What an auditor asks the log: the story of a conversation, all of it or as of a moment, and the events as they come.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::client::{Answer, Client};
use crate::process::{DataFolder, Dev, run_on, slipstream};

const PROMPT: &str = "[[chunks=6 bytes=5 delay_ms=20 thinking=2]] please";

/// A conversation of one exchange, in a folder on which a service runs.
async fn exchange() -> (DataFolder, Dev, Answer) {
    let folder = DataFolder::new();
    let dev = Dev::start(&folder).await;
    let mut client = Client::connect(dev.address, "a@example.com").await;
    client.ask("new-chat", PROMPT).await;
    let answer = client.answer(usize::MAX).await;
    (folder, dev, answer)
}

async fn told(folder: &DataFolder, arguments: &[&str]) -> String {
    let output = run_on(folder, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn refused(folder: &DataFolder, arguments: &[&str]) -> (Option<i32>, String) {
    let output = run_on(folder, arguments).await;
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000Z"
}

/// What the text has of recorded speech, without the quotation marks at the side.
fn spoken(text: &str, label: &str) -> String {
    let mut within = false;
    let mut spoken = String::new();
    for line in text.lines() {
        match line.strip_prefix("    | ") {
            Some(said) if within => spoken.push_str(said),
            Some(_) => {}
            None => within = line.trim_start().starts_with(label) && line.starts_with("    "),
        }
    }
    spoken
}

#[tokio::test]
async fn a_replay_tells_the_whole_exchange_and_as_of_the_middle_half_of_it() {
    let (folder, dev, answer) = exchange().await;
    let id = answer.conversation.as_str();

    let text = told(&folder, &["replay", id]).await;
    let heads: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    assert!(heads.iter().all(|head| is_time(&head[..24]) && head.contains(" #")), "{text}");
    for part in [
        "starts the conversation",
        "openai / gpt-5-nano is asked",
        "begins generation",
        "s after it was asked for",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("ends: completed") && text.contains("tokens:"), "{text}");
    assert_eq!(spoken(&text, "said:"), PROMPT);
    assert_eq!(spoken(&text, "text "), answer.text);
    assert_eq!(spoken(&text, "thinking "), answer.thinking);

    let events = lines(&told(&folder, &["replay", id, "--format", "ndjson"]).await);
    assert_eq!(events.len(), heads.len(), "each event once in either format");
    let array: Vec<Value> =
        serde_json::from_str(&told(&folder, &["replay", id, "--format", "json"]).await).unwrap();
    assert_eq!(array, events);
    assert_eq!(events[1]["sealed"]["text"], PROMPT);
    assert!(is_time(events[0]["recordedAt"].as_str().unwrap()));

    let middle = events.len() / 2;
    let position = events[middle]["position"].to_string();
    let half = lines(&told(&folder, &["replay", id, "--format", "ndjson", "--as-of", &position]).await);
    assert_eq!(half, events[..=middle]);
    let half = told(&folder, &["replay", id, "--as-of", &position]).await;
    assert!(text.starts_with(&half) && !half.contains("ends: completed"), "{half}");

    // A time is told without its microseconds: it names a moment before most events of its millisecond.
    let time = events[middle]["recordedAt"].as_str().unwrap();
    let then = lines(&told(&folder, &["replay", id, "--format", "ndjson", "--as-of", time]).await);
    assert_eq!(then, events[..then.len()]);
    let at = |event: &Value| event["recordedAt"].as_str().unwrap().to_owned();
    assert!(then.iter().all(|event| at(event).as_str() <= time));
    assert!(events[then.len()..].iter().all(|event| at(event).as_str() >= time));
    assert!(dev.interrupt().await.success());
    assert_eq!(told(&folder, &["replay", id]).await, text, "the same without the service");
}

#[tokio::test]
async fn a_moment_or_a_conversation_that_is_not_there_is_refused_with_what_is_wrong() {
    let (folder, dev, answer) = exchange().await;
    let id = answer.conversation.as_str();
    let unknown = "00000000-0000-7000-8000-000000000000";
    for (arguments, code, said) in [
        (&["replay", unknown][..], 1, "there is no conversation 00000000"),
        (&["replay", id, "--as-of", "0"], 1, "began at position"),
        (&["replay", id, "--as-of", "2020-01-01T00:00:00Z"], 1, "began at position"),
        (&["replay", id, "--as-of", "999999"], 1, "has not come yet: the log ends at position"),
        (&["replay", id, "--as-of", "2999-01-01T00:00:00Z"], 1, "is in the future"),
        (&["replay", id, "--as-of", "-1"], 2, "neither a position"),
        (&["replay", id, "--as-of", "yesterday"], 2, "neither a position"),
        (&["replay", id, "--speed", "fast"], 2, "neither max nor a speed such as 1x"),
        (&["replay", id, "--format", "xml"], 2, "possible values: text, ndjson, json"),
        (&["replay", "not-an-id"], 2, "invalid value 'not-an-id'"),
        (&["log", "tail", "--from", "0"], 2, "--from"),
    ] {
        let (exit, error) = refused(&folder, arguments).await;
        assert_eq!(exit, Some(code), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn a_reader_who_has_seen_enough_may_close_the_pipe() {
    let (folder, dev, answer) = exchange().await;
    let path = folder.path();
    for arguments in [&["replay", &answer.conversation][..], &["log", "tail"], &["config", "show"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = slipstream(&[arguments, &["--data-dir", path.to_str().unwrap()]].concat());
        let output = command.stdout(Stdio::from(writer)).output().await.unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{arguments:?}: {output:?}");
    }
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn a_tail_shows_what_was_and_what_comes_but_not_what_was_said() {
    let (folder, dev, answer) = exchange().await;
    let all = lines(&told(&folder, &["log", "tail", "--from", "1", "--json"]).await);
    assert_eq!(all.first().unwrap()["position"], 1);
    let newest = lines(&told(&folder, &["log", "tail", "-n", "3", "--json"]).await);
    assert_eq!(newest, all[all.len() - 3..]);
    let text = told(&folder, &["log", "tail", "--from", "1"]).await;
    assert_eq!(text.lines().count(), all.len());
    assert!(text.contains("UserMessagePosted/1  conversation"), "{text}");
    assert!(!text.contains("please") && !all.iter().any(|event| event.to_string().contains("please")));

    let path = folder.path();
    let next = (all.len() + 1).to_string();
    let arguments =
        ["log", "tail", "--follow", "--json", "--from", &next, "--data-dir", path.to_str().unwrap()];
    let mut follower = slipstream(&arguments).spawn().unwrap();
    let mut come = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut client = Client::connect(dev.address, "a@example.com").await;
    client.ask(&answer.conversation, "[[chunks=1 bytes=5 delay_ms=0]]").await;
    let event: Value = serde_json::from_str(&come.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(event["position"].to_string(), next);
    assert_eq!(event["type"], "UserMessagePosted");
    let pid = nix::unistd::Pid::from_raw(follower.id().unwrap().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert!(follower.wait().await.unwrap().success(), "Ctrl-C is how one stops following");
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn a_stopped_reply_is_told_with_who_stopped_it_and_what_had_been_streamed() {
    let folder = DataFolder::new();
    let dev = Dev::start(&folder).await;
    let mut client = Client::connect(dev.address, "a@example.com").await;
    client.ask("new-chat", "[[chunks=5000 bytes=5 delay_ms=10]]").await;
    let seen = client.answer(5).await;
    client.send(json!({"type": "ai_chat_cancel", "conversationId": seen.conversation})).await;
    client.answer(usize::MAX).await;
    let text = told(&folder, &["replay", &seen.conversation]).await;
    assert!(text.contains(" stops generation ") && text.contains("ends: cancelled"), "{text}");
    assert!(spoken(&text, "text ").starts_with(&seen.text), "{text}");
    assert!(dev.interrupt().await.success());
}

#[tokio::test]
async fn a_replay_is_recorded_itself_and_told_as_fast_as_it_happened_when_that_is_asked() {
    let (folder, dev, answer) = exchange().await;
    let id = answer.conversation.as_str();
    let at_once = told(&folder, &["replay", id]).await;
    let begin = std::time::Instant::now();
    assert_eq!(told(&folder, &["replay", id, "--speed", "1x"]).await, at_once);
    let events = lines(&told(&folder, &["replay", id, "--format", "ndjson"]).await);
    let (first, last) = (events.first().unwrap(), events.last().unwrap());
    assert_ne!(first["recordedAt"], last["recordedAt"]);
    // Six deltas, 20 ms apart.
    assert!(begin.elapsed().as_millis() > 100, "{:?}", begin.elapsed());
    let all = lines(&told(&folder, &["log", "tail", "--from", "1", "--json"]).await);
    let reads: Vec<_> = all.iter().filter(|event| event["type"] == "AuditRead").collect();
    assert_eq!(reads.len(), 3);
    for read in reads {
        assert_eq!((&read["category"], &read["data"]["conversationId"]), (&json!("audit"), &json!(id)));
        assert!(read["data"]["asOf"].as_i64() < read["position"].as_i64(), "recorded after what it tells of");
    }
    assert!(dev.interrupt().await.success());
}
