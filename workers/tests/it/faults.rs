//! What goes wrong at a provider, or in us, ends the reply and says so.

use std::time::Duration;

use slipstream_domain::{ErrorClass, FinishReason, Seq, TerminalStatus};
use slipstream_providers::{Delta, ProviderError};
use slipstream_testkit::Line;

use crate::world::{Ended, World, finish, say, stop, think};

/// The end of a reply that follows this script.
async fn end_of(script: Vec<Line>) -> Ended {
    let world = World::new([script]).await;
    world.worker();
    let posted = world.hello().await;
    let ended = world.ended(posted.generation_id).await;
    world.close().await;
    ended
}

fn fail() -> Line {
    Line::Fail(ProviderError::new(ErrorClass::Quota, "no money left on key sk-1234567890abcdef"))
}

#[tokio::test]
async fn a_provider_that_fails_before_it_says_anything_fails_the_reply_with_its_class_and_no_key() {
    let ended = end_of(vec![fail()]).await;
    assert_eq!(
        (ended.status, ended.class(), ended.terminal.final_seq),
        (TerminalStatus::Failed, "quota", Seq(0))
    );
    assert_eq!(ended.content.provider_error.as_deref(), Some("no money left on key [redacted]"));
    assert_eq!((ended.terminal.usage, ended.terminal.attempts), (None, 1));
}

#[tokio::test]
async fn a_provider_that_fails_later_fails_the_reply_and_what_it_said_is_kept() {
    let ended = end_of(vec![think("hm"), say("half an "), fail()]).await;
    assert_eq!(
        (ended.status, ended.class(), ended.text.as_str()),
        (TerminalStatus::Failed, "quota", "half an ")
    );
    assert_eq!(ended.terminal.final_seq, Seq(2));
    assert!(ended.terminal.usage.is_some(), "what was said was paid for");
}

#[tokio::test]
async fn an_answer_without_a_word_is_a_failure() {
    for script in [vec![stop()], vec![think("hm"), stop()], vec![say(""), stop()]] {
        let ended = end_of(script).await;
        assert_eq!((ended.status, ended.class()), (TerminalStatus::Failed, "protocol"));
    }
    let ended = end_of(vec![finish(FinishReason::ContentFilter)]).await;
    assert_eq!((ended.status, ended.class()), (TerminalStatus::Failed, "content_filtered"));
}

#[tokio::test]
async fn an_answer_that_stops_without_an_end_is_a_failure() {
    let ended = end_of(vec![say("and then")]).await;
    assert_eq!(
        (ended.status, ended.class(), ended.text.as_str()),
        (TerminalStatus::Failed, "protocol", "and then")
    );
}

#[tokio::test]
async fn a_nul_in_a_delta_becomes_the_replacement_character_and_harms_nobody() {
    let ended = end_of(vec![think("\0"), say("a\0b"), say(""), say("\0"), stop()]).await;
    let expected = (TerminalStatus::Completed, "a\u{FFFD}b\u{FFFD}", "\u{FFFD}");
    assert_eq!((ended.status, ended.text.as_str(), ended.thinking.as_str()), expected);
    assert_eq!(ended.terminal.final_seq, Seq(3), "a delta without text has no number");
}

#[tokio::test]
async fn a_delta_larger_than_an_append_is_recorded_in_pieces() {
    let long = "漢\u{1}\"".repeat(400_000);
    let ended = end_of(vec![say(&long), stop()]).await;
    assert_eq!((ended.status, ended.text == long), (TerminalStatus::Completed, true));
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_at_its_longest_and_kept() {
    let mebibyte = "x".repeat(1024 * 1024);
    let mut script = vec![think(&mebibyte)];
    script.extend(std::iter::repeat_n(say(&mebibyte), 8));
    let ended = end_of(script).await;
    let expected = (TerminalStatus::Completed, Some(FinishReason::Length));
    assert_eq!((ended.status, ended.terminal.finish_reason), expected);
    assert_eq!((ended.thinking.len(), ended.text.len()), (1 << 20, 7 << 20));
}

#[tokio::test]
async fn a_picture_without_a_place_to_keep_it_is_not_passed_over_in_silence() {
    let image = Delta::Image { mime: "image/png".into(), bytes: Vec::new().into() };
    let ended = end_of(vec![say("look: "), Line::Say(image), stop()]).await;
    assert_eq!(
        (ended.status, ended.class(), ended.text.as_str()),
        (TerminalStatus::Failed, "internal", "look: ")
    );
}

#[tokio::test]
async fn a_panic_ends_the_reply_as_a_fault_of_ours_and_keeps_what_was_said() {
    let shown = Line::Wait(Duration::from_millis(200));
    let ended = end_of(vec![say("so "), say("far"), shown, Line::Panic]).await;
    assert_eq!(
        (ended.status, ended.class(), ended.text.as_str()),
        (TerminalStatus::Failed, "internal", "so far")
    );
    assert_eq!(ended.epoch, 2, "what the lost owner had shown was carried into a new epoch");
    let ended = end_of(vec![Line::Panic]).await;
    assert_eq!(
        (ended.status, ended.class(), ended.terminal.final_seq),
        (TerminalStatus::Failed, "internal", Seq(0))
    );
}

#[tokio::test]
async fn after_a_failed_reply_the_conversation_goes_on() {
    let world = World::new([vec![fail()], vec![say("better"), stop()]]).await;
    world.worker();
    let first = world.hello().await;
    world.ended(first.generation_id).await;
    let place = slipstream_commands::Place::In(first.conversation_id);
    let second = world.ask_in(place, "openai", "again").await;
    world.publish(&second).await;
    assert_eq!(world.ended(second.generation_id).await.text, "better");
    world.close().await;
}
